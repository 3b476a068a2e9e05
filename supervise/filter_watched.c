/* SPDX-License-Identifier: MIT */
/*
 * The part of the filter that tells of changes to watched files (watched.c), in front of the rest. It is made here and
 * not by libseccomp, which drops some of several rules for one call that compare the same argument. filter.c calls it.
 */
#include "supervise/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ANY UINT32_MAX

/*
 * A call is told of when its descriptor is watched, and the lower half of an argument is as it says. Those that name no
 * descriptor may concern any file.
 */
static const struct watched_rule {
    const char *name;
    int descriptor; /* which argument; -1: told of by any */
    int argument;   /* -1: whatever it is */
    uint32_t mask, value;
} rules[] = {
    {"write", 0, -1, 0, 0},
    {"writev", 0, -1, 0, 0},
    {"pwritev", 0, -1, 0, 0},
    {"pwritev2", 0, -1, 0, 0},
    {"sendfile", 0, -1, 0, 0},
    {"sendfile64", 0, -1, 0, 0},
    {"copy_file_range", 2, -1, 0, 0},
    {"splice", 2, -1, 0, 0},
    {"fallocate", 0, -1, 0, 0},
    {"ftruncate", 0, -1, 0, 0},
    {"ftruncate64", 0, -1, 0, 0},
    {"mmap", 4, 3, 1, 1}, /* MAP_SHARED, MAP_SHARED_VALIDATE */
    {"mmap2", 4, 3, 1, 1},
    {"dup", 0, -1, 0, 0},
    {"dup2", 0, -1, 0, 0},
    {"dup3", 0, -1, 0, 0},
    {"fcntl", 0, 1, ANY, F_DUPFD},
    {"fcntl", 0, 1, ANY, F_DUPFD_CLOEXEC},
    {"fcntl", 0, 1, ANY, F_SETFL},
    {"fcntl64", 0, 1, ANY, F_DUPFD},
    {"fcntl64", 0, 1, ANY, F_DUPFD_CLOEXEC},
    {"fcntl64", 0, 1, ANY, F_SETFL},
    {"open", -1, 1, O_ACCMODE | O_PATH | O_DIRECTORY | O_APPEND, O_RDWR},
    {"openat", -1, 2, O_ACCMODE | O_PATH | O_DIRECTORY | O_APPEND, O_RDWR},
    {"truncate", -1, -1, 0, 0},
    {"truncate64", -1, -1, 0, 0},
    {"sendmsg", -1, 2, NV_FILTER_UNTOLD, 0}, /* it may pass descriptors */
    {"sendmmsg", -1, -1, 0, 0},
    {"socketcall", -1, 0, ANY, 16 /* SYS_SENDMSG */},
    {"socketcall", -1, 0, ANY, 20 /* SYS_SENDMMSG */},
    {"pidfd_getfd", -1, -1, 0, 0},
    {"ioctl", -1, 1, ANY, (uint32_t)FICLONE},
    {"ioctl", -1, 1, ANY, (uint32_t)FICLONERANGE},
    {"ioctl", -1, 1, ANY, (uint32_t)FIDEDUPERANGE},
    {"ioctl", -1, 1, ANY, LOOP_SET_FD},
    {"ioctl", -1, 1, ANY, LOOP_CHANGE_FD},
    {"ioctl", -1, 1, ANY, LOOP_CONFIGURE},
};

enum { RULE_INSTRUCTIONS = 16, RULES = sizeof rules / sizeof *rules };

struct program {
    struct sock_filter instructions[2 * (RULES + 1) * RULE_INSTRUCTIONS];
    size_t count;
};

static void put(struct program *program, uint16_t code, uint8_t if_true, uint8_t if_false, uint32_t value)
{
    program->instructions[program->count++] = (struct sock_filter){code, if_true, if_false, value};
}

static void load(struct program *program, size_t offset)
{
    put(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void load_argument(struct program *program, int argument, bool upper)
{
    bool second = (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) == upper;

    load(program, offsetof(struct seccomp_data, args) + (size_t)argument * 8 + (second ? 4 : 0));
}

/* What does not hold leads behind the rule; the places of such jumps are filled in at its end. */
static void require(struct program *program, uint16_t test, uint32_t value)
{
    put(program, (uint16_t)(BPF_JMP | test | BPF_K), 0, UINT8_MAX, value);
}

static void tell(struct program *program, size_t first)
{
    put(program, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF);
    for (size_t i = first; i < program->count; i++)
        if (program->instructions[i].jf == UINT8_MAX)
            program->instructions[i].jf = (uint8_t)(program->count - i - 1);
}

static void begin_rule(struct program *program, int number)
{
    load(program, offsetof(struct seccomp_data, nr));
    require(program, BPF_JEQ, (uint32_t)number);
}

static void put_rule(struct program *program, const struct watched_rule *rule, int number, int watched_first)
{
    size_t first = program->count;

    begin_rule(program, number);
    if (rule->descriptor >= 0) {
        load_argument(program, rule->descriptor, false);
        require(program, BPF_JGE, (uint32_t)watched_first);
    }
    if (rule->argument >= 0) {
        load_argument(program, rule->argument, false);
        put(program, BPF_ALU | BPF_AND | BPF_K, 0, 0, rule->mask);
        require(program, BPF_JEQ, rule->value);
    }
    tell(program, first);
}

/* pwrite64: what begins far, or is long. A 32-bit one has its offset in two arguments, and is always told of. */
static void put_positioned(struct program *program, int number, int watched_first, uint64_t near_bytes)
{
    static const int tested[] = {3, 2};
    size_t first = program->count;

    begin_rule(program, number);
    load_argument(program, 0, false);
    require(program, BPF_JGE, (uint32_t)watched_first);
    for (uint8_t i = 0; i < 2 && near_bytes; i++) {
        load_argument(program, tested[i], true);
        put(program, BPF_JMP | BPF_JGT | BPF_K, (uint8_t)(i ? 2 : 6), 0, 0);
        load_argument(program, tested[i], false);
        put(program, BPF_JMP | BPF_JGE | BPF_K, (uint8_t)(i ? 0 : 4), i ? UINT8_MAX : 0, (uint32_t)near_bytes);
    }
    tell(program, first);
}

static void put_section(struct program *program, uint32_t token, const struct nv_filter_options *options,
                        uint64_t near_bytes)
{
    size_t first = program->count;
    int positioned = seccomp_syscall_resolve_name_arch(token, "pwrite64");

    load(program, offsetof(struct seccomp_data, arch));
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, token);
    put(program, BPF_JMP | BPF_JA, 0, 0, 0);
    for (size_t i = 0; i < RULES; i++) {
        int number = seccomp_syscall_resolve_name_arch(token, rules[i].name);

        if (number >= 0)
            put_rule(program, &rules[i], number, options->watched_first);
    }
    if (positioned >= 0)
        put_positioned(program, positioned, options->watched_first, near_bytes);
    program->instructions[first + 2].k = (uint32_t)(program->count - first - 3);
}

int nv_filter_watch(struct nv_filter *filter, const struct nv_filter_options *options)
{
    struct program *program = calloc(1, sizeof *program);
    struct sock_filter *grown;
    int status = -ENOMEM;

    if (!program)
        return -ENOMEM;
    put_section(program, seccomp_arch_native(), options, options->near_bytes);
    if (seccomp_arch_native() == SCMP_ARCH_X86_64)
        put_section(program, SCMP_ARCH_X86, options, 0);
    grown = realloc(filter->instructions, (program->count + filter->count) * sizeof *grown);
    if (grown) {
        memmove(grown + program->count, grown, filter->count * sizeof *grown);
        memcpy(grown, program->instructions, program->count * sizeof *grown);
        filter->instructions = grown;
        filter->count = (unsigned short)(filter->count + program->count);
        status = 0;
    }
    free(program);
    return status;
}
