/* SPDX-License-Identifier: MIT */
/*
 * Libraries in the program that write cache lines back unseen: another libpmem than nvrtl's own, or libpmem2. Each
 * process is looked at when it ends; the report says what was there, so that nobody takes its flushes for missing.
 */
#include "supervise/supervisor.h"
#include "supervise/target.h"
#include "verify/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct library {
    const char *name, *told;
} libraries[] = {
    {"/libpmem.so.1",
     "flushes by a libpmem that is not nvrtl's: a process was given another one (by its environment, its "
     "own search path, or because it is privileged)"},
    {"/libpmem2.so.1", "flushes by libpmem2, which a process had loaded (--trap-flushes sees them)"},
};

/* Only the library itself holds this name of a variable. */
static const char marker[] = "PMEM_NO_GENERIC_MEMCPY";
static const char untrapped[] =
    "flush instructions of a process that was not given the traps: it is linked statically, "
    "privileged, or had its environment changed";
static const char linked_in[] = "flushes by a libpmem that a program has linked in (--trap-flushes sees them)";

/* What a process was seen to have. */
struct look {
    struct nv_supervisor *supervisor;
    struct stat own; /* nvrtl's libpmem.so.1 */
    bool has_any;
    const char *stranger; /* what is to be told */
    bool has_traps;       /* which see what the others do */
};

static void find_own(const struct nv_supervisor *supervisor, struct stat *own)
{
    const char *folders = supervisor->options->drop_in_path;
    char path[4096];

    memset(own, 0, sizeof *own);
    if (folders &&
        snprintf(path, sizeof path, "%.*s/libpmem.so.1", (int)strcspn(folders, ":"), folders) < (int)sizeof path)
        (void)stat(path, own);
}

static int look_at(void *context, const struct nv_target_mapping *mapping)
{
    struct look *look = context;

    if (strstr(mapping->path, "/" NV_TRAPS_LIBRARY))
        look->has_traps = true;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        if (!strstr(mapping->path, libraries[i].name))
            continue;
        look->has_any = true;
        if (mapping->inode != look->own.st_ino || mapping->device != look->own.st_dev)
            look->stranger = libraries[i].told;
    }
    return 0;
}

/* Whether the program's file is one that was not looked at yet. */
static bool is_new(struct nv_supervisor *supervisor, const struct stat *program)
{
    struct nv_programs *seen = &supervisor->programs;

    for (size_t i = 0; i < seen->count; i++)
        if (seen->inodes[i] == program->st_ino && seen->devices[i] == program->st_dev)
            return false;
    if (seen->count == NV_PROGRAMS_MAX)
        return false;
    seen->inodes[seen->count] = program->st_ino;
    seen->devices[seen->count++] = program->st_dev;
    return true;
}

static bool holds_marker(int file, size_t size_bytes)
{
    void *content = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, file, 0);
    bool found = content != MAP_FAILED && memmem(content, size_bytes, marker, sizeof marker - 1);

    if (content != MAP_FAILED)
        munmap(content, size_bytes);
    return found;
}

static void look_into_program(struct nv_supervisor *supervisor, pid_t thread)
{
    struct stat program;
    char path[64];
    int file;

    snprintf(path, sizeof path, "/proc/%d/exe", (int)thread);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (!fstat(file, &program) && is_new(supervisor, &program) && holds_marker(file, (size_t)program.st_size))
        (void)nv_report_not_seen(supervisor->report, linked_in);
    close(file);
}

void nv_handle_exit_group(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    struct look look = {.supervisor = supervisor};

    (void)answer;
    find_own(supervisor, &look.own);
    (void)nv_target_mappings((pid_t)call->pid, 0, UINT64_MAX, look_at, &look);
    if (look.has_traps)
        return;
    if (look.supervisor->options->traps_path)
        (void)nv_report_not_seen(supervisor->report, untrapped);
    if (look.stranger)
        (void)nv_report_not_seen(supervisor->report, look.stranger);
    if (!look.has_any)
        look_into_program(supervisor, (pid_t)call->pid);
}
