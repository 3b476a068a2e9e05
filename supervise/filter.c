/* SPDX-License-Identifier: MIT */
/*
 * The filter, built by libseccomp. nv_run builds it before the fork, and the child installs it just before it becomes
 * the program.
 */
#include "supervise/filter.h"
#include "supervise/observer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define RWF_ANY_SYNC 0x6u /* RWF_DSYNC | RWF_SYNC */

struct rule {
    const char *name;
    int argument; /* -1: always */
    uint64_t mask, value;
};

/* Synchronous by nature, or by a flag; and the end of a process. */
static const struct rule rules[] = {
    {"fsync", -1, 0, 0},
    {"fdatasync", -1, 0, 0},
    {"sync", -1, 0, 0},
    {"syncfs", -1, 0, 0},
    {"io_submit", -1, 0, 0},
    {"openat2", -1, 0, 0},
    {"exit_group", -1, 0, 0}, /* what it had loaded is asked then */
    {"msync", 2, 4 /* MS_SYNC */, 4},
    {"open", 1, O_DSYNC, O_DSYNC},
    {"openat", 2, O_DSYNC, O_DSYNC},
    {"pwritev2", 5, 2, 2},
    {"pwritev2", 5, 4, 4},
};

/* Told of when the descriptor is in the reserved range. */
static const char *const writes[] = {"write",    "pwrite64", "writev", "pwritev", "pwritev2",
                                     "sendfile", "dup",      "dup2",   "dup3"};

static const char *const read_only_opens[] = {"open", "openat"};

static int add_rule(scmp_filter_ctx filter, const struct rule *rule)
{
    int number = seccomp_syscall_resolve_name(rule->name);
    struct scmp_arg_cmp compare =
        SCMP_CMP((unsigned)(rule->argument < 0 ? 0 : rule->argument), SCMP_CMP_MASKED_EQ, rule->mask, rule->value);

    if (number == __NR_SCMP_ERROR)
        return 0; /* this architecture has it not */
    return seccomp_rule_add_array(filter, SCMP_ACT_NOTIFY, number, rule->argument < 0 ? 0 : 1, &compare);
}

static int add_reserved(scmp_filter_ctx filter, const char *name, unsigned argument, int first)
{
    struct scmp_arg_cmp compare = SCMP_CMP(argument, SCMP_CMP_GE, (uint64_t)first);
    int number = seccomp_syscall_resolve_name(name);

    if (number == __NR_SCMP_ERROR)
        return 0;
    return seccomp_rule_add_array(filter, SCMP_ACT_NOTIFY, number, 1, &compare);
}

/* fcntl(fd, F_DUPFD or F_DUPFD_CLOEXEC) of a reserved descriptor. */
static int add_fcntl(scmp_filter_ctx filter, int first)
{
    static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC};
    int status = 0;

    for (int i = 0; i < 2 && !status; i++)
        status =
            seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(fcntl), 2, SCMP_A0(SCMP_CMP_GE, (scmp_datum_t)first),
                             SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
    return status;
}

static int add_rules(scmp_filter_ctx filter, const struct nv_filter_options *options)
{
    int status = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);

    if (!status && seccomp_arch_native() == SCMP_ARCH_X86_64)
        status = seccomp_arch_add(filter, SCMP_ARCH_X86);
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !status; i++)
        status = add_rule(filter, &rules[i]);
    for (size_t i = 0; i < sizeof writes / sizeof *writes && !status; i++)
        status = add_reserved(filter, writes[i], 0, options->reserved_first);
    if (!status)
        status = add_reserved(filter, "copy_file_range", 2, options->reserved_first);
    if (!status)
        status = add_reserved(filter, "splice", 2, options->reserved_first);
    if (!status)
        status = add_fcntl(filter, options->reserved_first);
    for (size_t i = 0; i < 2 && !status && options->tell_read_only_opens; i++)
        status =
            add_rule(filter, &(struct rule){read_only_opens[i], i ? 2 : 1, O_ACCMODE | O_DIRECTORY | O_PATH, O_RDONLY});
    if (!status)
        status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    return status;
}

/* Of calls that are many, those alone that may change a file or, by a mapping, let it be changed. */
static const struct rule stops[] = {
    {"open", 1, O_CREAT, O_CREAT},
    {"open", 1, O_TRUNC, O_TRUNC},
    {"open", 1, O_TMPFILE & ~O_DIRECTORY, O_TMPFILE & ~O_DIRECTORY},
    {"openat", 2, O_CREAT, O_CREAT},
    {"openat", 2, O_TRUNC, O_TRUNC},
    {"openat", 2, O_TMPFILE & ~O_DIRECTORY, O_TMPFILE & ~O_DIRECTORY},
    {"mmap", 3, MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED},
    {"mprotect", 2, PROT_WRITE, PROT_WRITE},
    {"ioctl", 1, UINT32_MAX, FICLONE},
    {"ioctl", 1, UINT32_MAX, FICLONERANGE},
};

static int add_stop(scmp_filter_ctx filter, const char *name)
{
    int number = seccomp_syscall_resolve_name(name), status = 0;
    bool always = true;

    if (number < 0) /* this architecture has it not */
        return 0;
    for (size_t i = 0; i < sizeof stops / sizeof *stops && !status; i++) {
        struct scmp_arg_cmp compare =
            SCMP_CMP((unsigned)stops[i].argument, SCMP_CMP_MASKED_EQ, stops[i].mask, stops[i].value);

        if (strcmp(stops[i].name, name))
            continue;
        always = false;
        status = seccomp_rule_add_array(filter, SCMP_ACT_TRACE(0), number, 1, &compare);
    }
    return always ? seccomp_rule_add_array(filter, SCMP_ACT_TRACE(0), number, 0, NULL) : status;
}

static int add_stops(scmp_filter_ctx filter, const struct nv_filter_options *options)
{
    int status = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    const char *name;

    (void)options;
    for (size_t i = 0; !status && (name = nv_observe_call_name(i)); i++)
        status = add_stop(filter, name);
    return status;
}

static int read_back(int memory, struct nv_filter *filter)
{
    struct stat status;
    ssize_t got;

    if (fstat(memory, &status))
        return -errno;
    filter->instructions = malloc((size_t)status.st_size);
    if (!filter->instructions)
        return -ENOMEM;
    got = pread(memory, filter->instructions, (size_t)status.st_size, 0);
    if (got != status.st_size)
        return got < 0 ? -errno : -EIO;
    filter->count = (unsigned short)((size_t)status.st_size / sizeof(struct sock_filter));
    return 0;
}

typedef int rule_adder(scmp_filter_ctx filter, const struct nv_filter_options *options);

static int build(rule_adder *add, const struct nv_filter_options *options, struct nv_filter *filter)
{
    scmp_filter_ctx building = seccomp_init(SCMP_ACT_ALLOW);
    int memory = memfd_create("nvrtl-filter", MFD_CLOEXEC), status;

    *filter = (struct nv_filter){0};
    if (!building || memory < 0)
        status = memory < 0 ? -errno : -ENOMEM;
    else
        status = add(building, options);
    if (!status)
        status = seccomp_export_bpf(building, memory);
    if (!status)
        status = read_back(memory, filter);
    if (building)
        seccomp_release(building);
    if (memory >= 0)
        close(memory);
    return status;
}

int nv_filter_build(const struct nv_filter_options *options, struct nv_filter *filter)
{
    int status = build(add_rules, options, filter);

    return status || !options->watched_first ? status : nv_filter_watch(filter, options);
}

int nv_filter_build_stops(struct nv_filter *filter)
{
    return build(add_stops, NULL, filter);
}

static int load(const struct sock_fprog *program, unsigned long flags)
{
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

int nv_filter_install(const struct nv_filter *filter)
{
    struct sock_fprog program = {filter->count, filter->instructions};
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    int listener = load(&program, flags);

    if (listener < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        listener = load(&program, flags);
    if (listener < 0 && errno == EINVAL) /* a kernel before 5.19 */
        listener = load(&program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    return listener < 0 ? -errno : listener;
}

int nv_filter_install_stops(const struct nv_filter *filter)
{
    struct sock_fprog program = {filter->count, filter->instructions};
    int status = load(&program, 0);

    if (status < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        status = load(&program, 0);
    return status < 0 ? -errno : 0;
}
