/* SPDX-License-Identifier: MIT */
/*
 * Taking notifications from the kernel: which handler a system call goes to, and how it is answered. The run's loop
 * calls it. A thread receives them at once, whatever the loop is doing: a call that has been received is not
 * interrupted by the program's signals, as an fsync in the kernel is not.
 */
#include "supervise/hints.h"
#include "supervise/record.h"
#include "supervise/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NUMBERS = 1024 };

/* Newer than Debian 12's headers. */
#define SET_FLAGS SECCOMP_IOW(4, uint64_t)
#define SYNC_WAKE_UP 1ul

static nv_handler handle_unseen, handle_narrow_write;

/* Each call, for a 64-bit program and for a 32-bit one. */
static const struct {
    const char *name;
    nv_handler *handler, *handler32;
} calls[] = {
    {"fsync", nv_handle_fsync, nv_handle_fsync},
    {"fdatasync", nv_handle_fdatasync, nv_handle_fdatasync},
    {"msync", nv_handle_msync_or_wish, nv_handle_msync_or_wish},
    {"sync", nv_handle_sync, nv_handle_sync},
    {"syncfs", nv_handle_syncfs, nv_handle_syncfs},
    {"io_submit", nv_handle_io_submit, handle_unseen},
    {"open", nv_handle_openat, nv_handle_openat},
    {"openat", nv_handle_openat, nv_handle_openat},
    {"openat2", nv_handle_openat, nv_handle_openat},
    {"exit_group", nv_handle_exit_group, nv_handle_exit_group},
    {"write", nv_handle_write, nv_handle_change},
    {"pwrite64", nv_handle_write, nv_handle_change},
    {"writev", nv_handle_write, nv_handle_change},
    {"pwritev", nv_handle_write, nv_handle_change},
    {"pwritev2", nv_handle_write, handle_narrow_write},
    {"sendfile", nv_handle_refused_write, nv_handle_change},
    {"sendfile64", NULL, nv_handle_change},
    {"copy_file_range", nv_handle_refused_write, nv_handle_change},
    {"splice", nv_handle_refused_write, nv_handle_change},
    {"dup", nv_handle_duplicate, nv_handle_change},
    {"dup2", nv_handle_duplicate_to, nv_handle_change},
    {"dup3", nv_handle_duplicate_to, nv_handle_change},
    {"fcntl", nv_handle_fcntl, nv_handle_change},
    {"fcntl64", NULL, nv_handle_change},
    {"fallocate", nv_handle_change, nv_handle_change},
    {"ftruncate", nv_handle_change, nv_handle_change},
    {"ftruncate64", NULL, nv_handle_change},
    {"mmap", nv_handle_change, NULL},
    {"mmap2", NULL, nv_handle_change},
    {"truncate", nv_handle_change, nv_handle_change},
    {"truncate64", NULL, nv_handle_change},
    {"sendmsg", nv_handle_change, nv_handle_change},
    {"sendmmsg", nv_handle_change, nv_handle_change},
    {"socketcall", NULL, nv_handle_change},
    {"pidfd_getfd", nv_handle_change, nv_handle_change},
    {"ioctl", nv_handle_change, nv_handle_change},
};

/* Each by its number, of a 64-bit program and of a 32-bit one. */
static struct served {
    nv_handler *handler;
    const char *name;
} served[2][NUMBERS];

static void handle_unseen(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    (void)call;
    (void)answer;
    nv_be_blind(supervisor, "synchronous writes of a 32-bit program");
}

/* pwritev2: synchronous or not. */
static void handle_narrow_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                                struct nv_answer *answer)
{
    ((call->data.args[5] & 6) ? handle_unseen : nv_handle_change)(supervisor, call, answer);
}

int nv_notify_prepare(void)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int number = seccomp_syscall_resolve_name(calls[i].name);
        int number32 = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86, calls[i].name);

        if (number >= 0 && number < NUMBERS)
            served[0][number] = (struct served){calls[i].handler, calls[i].name};
        if (number32 >= 0 && number32 < NUMBERS)
            served[1][number32] = (struct served){calls[i].handler32, calls[i].name};
    }
    return 0;
}

/* Receive one notification, and hand it to the loop, unless it may go on at once. 0 or a negative errno. */
static int receive(const struct nv_supervisor *supervisor)
{
    struct seccomp_notif call = {0};
    struct seccomp_notif_resp response = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

    if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_RECV, &call)) /* or the caller has gone meanwhile */
        return errno == ENOENT || errno == EINTR || errno == EAGAIN ? 0 : -errno;
    response.id = call.id;
    if (nv_watched_take(supervisor, &call) && !ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_SEND, &response))
        return 0;
    return write(supervisor->calls_write, &call, sizeof call) == sizeof call ? 0 : -errno;
}

/* Until the listener is gone, or the other end of the line is. Returns a negative errno, or 0. */
static void *receive_all(void *context)
{
    struct nv_supervisor *supervisor = context;
    struct pollfd wait[] = {{supervisor->listener, POLLIN, 0}, {supervisor->calls_write, 0, 0}};
    int status = 0;

    while (!status) {
        if (poll(wait, 2, -1) < 0)
            status = -errno;
        else if (wait[1].revents || !(wait[0].revents & POLLIN))
            break;
        else
            status = receive(supervisor);
    }
    close(supervisor->calls_write);
    return (void *)(intptr_t)status;
}

/*
 * Program and supervisor take turns: one wakes the other on its own processor (Linux 6.6; without it all is only
 * slower).
 */
int nv_notify_begin(struct nv_supervisor *supervisor)
{
    sigset_t all, before;
    int line[2], status;

    (void)ioctl(supervisor->listener, SET_FLAGS, SYNC_WAKE_UP);
    if (pipe2(line, O_CLOEXEC))
        return -errno;
    supervisor->calls = line[0];
    supervisor->calls_write = line[1];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&supervisor->receiver, NULL, receive_all, supervisor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status) {
        close(line[0]);
        close(line[1]);
        supervisor->calls = -1;
    }
    return -status;
}

int nv_notify_end(struct nv_supervisor *supervisor)
{
    void *status = NULL;

    if (supervisor->calls < 0)
        return 0;
    close(supervisor->calls);
    pthread_join(supervisor->receiver, &status);
    supervisor->calls = -1;
    return (intptr_t)status == -EPIPE ? 0 : (int)(intptr_t)status;
}

bool nv_notify_valid(const struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    return !ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) || errno != ENOENT;
}

/* False: it could not be given, and the program waits for it. */
static bool answer_call(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                        const struct nv_answer *answer)
{
    struct seccomp_notif_resp response = {.id = call->id};

    if (answer->sent)
        return true;
    if (!answer->answered)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (answer->error)
        response.error = -answer->error;
    else
        response.val = answer->value;
    while (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_SEND, &response))
        if (errno != EINTR)
            return errno == ENOENT; /* the program has died meanwhile */
    return true;
}

bool nv_notify_serve(struct nv_supervisor *supervisor)
{
    struct seccomp_notif call;
    struct nv_answer answer = {0};
    struct served by = {0};
    ssize_t got = read(supervisor->calls, &call, sizeof call);

    if (got != sizeof call) {
        errno = got < 0 ? errno : EPIPE;
        return false;
    }
    if (call.data.nr >= 0 && call.data.nr < NUMBERS)
        by = served[call.data.arch == AUDIT_ARCH_I386][call.data.nr];
    nv_record_caller(supervisor, (pid_t)call.pid, by.name);
    nv_turns_notified(supervisor->turns, (pid_t)call.pid);
    nv_hints_passed(&supervisor->image, (pid_t)call.pid);
    if (by.handler)
        by.handler(supervisor, &call, &answer);
    nv_turns_answering(supervisor->turns, &call, !answer.answered);
    return answer_call(supervisor, &call, &answer);
}
