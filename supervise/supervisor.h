/* SPDX-License-Identifier: MIT */
/* The state of one run, and the parts of the supervisor that share it. One thread. */
#ifndef NV_SUPERVISOR_H
#define NV_SUPERVISOR_H

#include "supervise/image.h"
#include "supervise/told.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/types.h>

#define NV_PROGRAMS_MAX 256

/* Files of programs that strangers.c has looked into. */
struct nv_programs {
    size_t count;
    ino_t inodes[NV_PROGRAMS_MAX];
    dev_t devices[NV_PROGRAMS_MAX];
};

struct nv_supervisor {
    const struct nv_run_options *options;
    struct nv_report *report;
    struct nv_image image;
    bool overlay;

    int status;   /* of the program, as waitpid tells it */
    bool ended;   /* the program has */
    int listener; /* notifications */
    int calls;    /* those that were received; -1: nobody receives */
    int calls_write;
    pthread_t receiver;
    int server; /* verifiers connect here */
    int ledger_fd;
    struct nv_ledger *ledger;
    struct nv_observer *observer;     /* of a recorded run (observer.h); else NULL */
    struct nv_turns *turns;           /* and what stops its calls (turns.h) */
    int log_fd;                       /* of a recorded run: the events of all processes (trace/log.h); else -1 */
    int reserved_first, reserved_end; /* descriptors that stand for synchronous opens */
    int watched_first;                /* and from here to reserved_first, those whose writes are told of */
    unsigned watch_trials;            /* small files that may still get one */
    char socket_name[64];             /* without the leading NUL */
    struct nv_programs programs;
};

/* What becomes of a notified call. The default, all zero: it goes on in the kernel. */
struct nv_answer {
    bool answered; /* with value or error; or, when sent, already */
    bool sent;
    int64_t value;
    int error; /* positive errno */
};

typedef void nv_handler(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer);

/* notify.c: take one notification (`calls` is ready) and answer it. False, with errno: there will be no more. */
bool nv_notify_serve(struct nv_supervisor *supervisor);
int nv_notify_prepare(void); /* system call numbers to handlers */
/* Receive from the listener, in a thread, until it or nv_notify_end ends that. 0 or a negative errno. */
int nv_notify_begin(struct nv_supervisor *supervisor);
/* 0, or the negative errno that ended it too early. */
int nv_notify_end(struct nv_supervisor *supervisor);
/* Whether the program still waits: what was read of it by its number was its own, and not another's. */
bool nv_notify_valid(const struct nv_supervisor *supervisor, const struct seccomp_notif *call);

/* unseen.c */
/* The file may have become durable in a way that was not seen: it is not judged. `status` is the view's. */
void nv_not_followed(struct nv_supervisor *supervisor, struct nv_folder *folder, const struct statx *status,
                     const char *why);
/* Some file may have, and there is no telling which: nothing is judged. */
void nv_be_blind(struct nv_supervisor *supervisor, const char *why);

/* syncs.c */
nv_handler nv_handle_fsync, nv_handle_fdatasync, nv_handle_msync, nv_handle_sync, nv_handle_syncfs, nv_handle_io_submit;
/* The folder that an open file of the program lies in; NULL: it is not at stake. */
struct nv_folder *nv_folder_of(struct nv_supervisor *supervisor, pid_t thread, int fd, const struct statx *status);
/*
 * Make a file durable, by a descriptor of the program. from 0 to UINT64_MAX is all of it. NV_HIDDEN: it could not be
 * opened, and is not judged.
 */
int nv_sync_file(struct nv_supervisor *supervisor, pid_t thread, int fd, const struct statx *status, bool data_only,
                 uint64_t from, uint64_t to);

/* synchronous.c: O_SYNC and O_DSYNC descriptors */
nv_handler nv_handle_openat, nv_handle_duplicate, nv_handle_duplicate_to, nv_handle_fcntl;
/*
 * A descriptor of ours (to be closed) for one of the program, if that is of a regular file at stake; else negative,
 * with the file not judged when it could not be had. flags as from F_GETFL.
 */
int nv_synchronous_own(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd, struct statx *status,
                       int *flags);

/* writes.c: writes to them, and those with RWF_SYNC and RWF_DSYNC */
nv_handler nv_handle_write, nv_handle_refused_write;

/* watched.c: what changes a file by a watched descriptor, or lets others change it */
nv_handler nv_handle_change;
/* The file of a watched descriptor, if there is a hint for it. */
struct nv_object *nv_watched_object(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd);
/* The program is about to write by the descriptor, at `offset` or where its position then is; or nobody knows where. */
void nv_watched_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd, bool positioned,
                      uint64_t offset, uint64_t length);
void nv_watched_write_anywhere(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd);
/*
 * The thread that receives calls may let this one go on at once: it is a write of which all is told. The most frequent
 * call is spared a turn of the loop.
 */
bool nv_watched_take(const struct nv_supervisor *supervisor, const struct seccomp_notif *call);
/* The descriptor's file will be written without our being told. */
void nv_watched_lose(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd);
/* Whether the open of a path for reading and writing should get a watched descriptor. */
bool nv_watched_is_worth(struct nv_supervisor *supervisor, pid_t thread, int folder, const char *path, uint64_t flags);

/* strangers.c: a process ends */
nv_handler nv_handle_exit_group;

/* server.c */
int nv_server_open(struct nv_supervisor *supervisor);
/* Serve one verifier. False: none can be served any more; errno says why. */
bool nv_server_serve(struct nv_supervisor *supervisor);
void nv_server_close(struct nv_supervisor *supervisor);
/* An msync may be no more than the wish to find us (src/os/os.h). */
nv_handler nv_handle_msync_or_wish;

/* judge.c: fill the report from what differs now. 0 or a negative errno. */
int nv_judge(struct nv_supervisor *supervisor);

/* A path in the folder as findings show it: from the current folder on, if it is below. NULL: no memory. */
char *nv_judge_shown_path(const struct nv_folder *folder, const char *relative);

/* finish.c: bring the view into the files. 0 or a negative errno, with the path that failed. */
int nv_finish(struct nv_supervisor *supervisor, char *path, size_t path_bytes);
/* At a power failure: what eADR would have saved. */
int nv_finish_persistent_caches(struct nv_supervisor *supervisor);

#endif
