/* SPDX-License-Identifier: MIT */
/*
 * The signals that nvrtl is sent, and what it changes of itself that the program must not inherit. nv_run reads them
 * while the view is made, and then between notifications.
 */
#include "supervise/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

static void note_ignored(struct nv_signals *signals, int number)
{
    struct sigaction before;

    if (!sigaction(number, NULL, &before) && before.sa_handler == SIG_IGN)
        sigaddset(&signals->ignored, number);
}

int nv_signals_begin(struct nv_signals *signals, struct nv_inherited *inherited)
{
    sigset_t handled;

    sigemptyset(&handled);
    sigemptyset(&signals->ignored);
    sigaddset(&handled, SIGCHLD);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        sigaddset(&handled, ending[i]);
        note_ignored(signals, ending[i]);
    }
    if (sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &inherited->child) ||
        sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, &inherited->file_too_large) ||
        sigprocmask(SIG_BLOCK, &handled, &inherited->mask))
        return -errno;
    signals->descriptor = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals->descriptor < 0 ? -errno : 0;
}

/* The guardian tells what becomes of processes. */
bool nv_signals_next(const struct nv_signals *signals, struct nv_signal *signal)
{
    struct signalfd_siginfo info;

    do
        if (read(signals->descriptor, &info, sizeof info) != sizeof info)
            return false;
    while (info.ssi_signo == SIGCHLD);
    *signal = (struct nv_signal){.number = (int)info.ssi_signo,
                                 .sent = info.ssi_code != SI_KERNEL,
                                 .ignored = sigismember(&signals->ignored, (int)info.ssi_signo)};
    return true;
}

int nv_signals_interrupted(const struct nv_signals *signals)
{
    struct nv_signal signal;

    while (nv_signals_next(signals, &signal))
        if (!signal.ignored)
            return signal.number;
    return 0;
}

/* The limit of descriptors comes last: the supervisor's own are still open. */
void nv_inherited_restore(const struct nv_inherited *inherited)
{
    (void)umask(inherited->creation_mask);
    (void)sigaction(SIGCHLD, &inherited->child, NULL);
    (void)sigaction(SIGXFSZ, &inherited->file_too_large, NULL);
    (void)setrlimit(RLIMIT_FSIZE, &inherited->file_bytes);
    (void)sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
    (void)setrlimit(RLIMIT_NOFILE, &inherited->descriptors);
}
