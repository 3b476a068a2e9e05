/* SPDX-License-Identifier: MIT */
/*
 * A table of system calls for tests: it counts, it makes the Nth call fail, and it serves files that do not exist. Put
 * in force by system_begin, taken away by system_end. Used by tests that link the static library.
 */
#ifndef TEST_SYSTEM_H
#define TEST_SYSTEM_H

#include "src/os/os.h"

#include <stdbool.h>

struct fake_file {
    const char *path;
    const char *text;
};

struct system {
    /* What is to happen. */
    long fail_at;                  /* the number of the call that fails, from 1; 0: none */
    bool for_good;                 /* every later call fails too */
    int error;                     /* with this errno */
    int sync_error;                /* every msync, fsync, fdatasync, syncfs and writing back fails with this errno */
    int sync_errors;               /* how often it does, after the real one; negative: for ever */
    int syncs_before;              /* how many of them do not fail before */
    int gone;                      /* the device of every descriptor has gone, with this errno */
    int write_error;               /* every write of scattered pages fails with this errno, after the real one */
    int write_errors;              /* how often it does; negative: for ever */
    bool no_keeper;                /* nobody holds a descriptor */
    bool old_kernel;               /* mappings are told by text alone */
    bool no_disk;                  /* msync only counts */
    const struct fake_file *files; /* served instead of what the system has; ends with a path of NULL */
    int (*statx)(const char *path, struct statx *answer);
    int (*statfs)(const char *path, struct statfs *answer);
    const struct fake_file *environment;
    void *(*load)(const char *library);
    void *(*symbol)(void *library, const char *name);
    int (*supervisor)(unsigned what);
    void (*synced)(void *start, size_t size_bytes);   /* told of each msync that succeeded */
    void (*written)(const struct nv_os_pages *pages); /* likewise of each write of scattered pages */
    /* What has happened. */
    long calls;
    long failed;
    long allocations;
    long open_now;
    long syncs;
    char sync_log[64]; /* a letter for each: Fsync, fDatasync, syncfs of a Volume, Writing back, and Pages dropped */
    _Atomic bool hangup_awaited;
    long writes; /* of scattered pages */
    long keepers_now;
    uintptr_t sync_start;
    size_t sync_size_bytes;
};

/* The one in force; set its first part between system_begin and the calls under test. */
extern struct system system_now;

void system_begin(void);
void system_end(void);

#endif
