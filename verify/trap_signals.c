/* SPDX-License-Identifier: MIT */
/*
 * Owns the signal of traps, SIGTRAP, in place of the program: it may not block it, and what action it asks for is kept
 * for its own traps. These functions stand before libc's; the dynamic linker binds the program to them.
 */
#include "src/nvm/seam.h"
#include "verify/trap.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

typedef int action_function(int number, const struct sigaction *action, struct sigaction *before);
typedef int mask_function(int how, const sigset_t *set, sigset_t *before);

static struct sigaction theirs; /* as the program believes it to be */
static _Atomic bool taken;

/* libc's own. Functions are found before there are threads, by whoever comes first. */
static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int act(int number, const struct sigaction *action, struct sigaction *before)
{
    static action_function *real;

    if (!real)
        *(void **)&real = next("sigaction");
    return real(number, action, before);
}

bool nv_trap_take_signal(void (*handler)(int number, siginfo_t *info, void *context))
{
    struct sigaction ours = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t unblocked;

    sigfillset(&ours.sa_mask); /* a handler of the program's would find the engine at work */
    sigemptyset(&unblocked);
    sigaddset(&unblocked, SIGTRAP);
    if (act(SIGTRAP, &ours, &theirs) || pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL))
        return false;
    taken = true;
    return true;
}

void nv_trap_pass_on(int number, siginfo_t *info, void *context)
{
    if (theirs.sa_flags & SA_SIGINFO)
        theirs.sa_sigaction(number, info, context);
    else if (theirs.sa_handler != SIG_DFL && theirs.sa_handler != SIG_IGN)
        theirs.sa_handler(number);
    else if (theirs.sa_handler == SIG_DFL || info->si_code > 0) {
        taken = false;
        (void)act(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        (void)raise(number); /* when the handler returns */
    }
}

EXPORTED int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    struct sigaction changed;

    if (!taken)
        return act(number, action, before);
    if (number == SIGTRAP) {
        if (before)
            *before = theirs;
        if (action && (action->sa_flags & SA_SIGINFO || action->sa_handler != SIG_DFL))
            nv_seam->tell("a program handles SIGTRAP itself, by which its flush instructions are seen");
        if (action)
            theirs = *action;
        return 0;
    }
    if (!action)
        return act(number, NULL, before);
    changed = *action;
    (void)sigdelset(&changed.sa_mask, SIGTRAP);
    return act(number, &changed, before);
}

EXPORTED sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;

    sigemptyset(&action.sa_mask);
    (void)sigaddset(&action.sa_mask, number);
    return sigaction(number, &action, &before) ? SIG_ERR : before.sa_handler;
}

static int mask(mask_function *real, int how, const sigset_t *set, sigset_t *before)
{
    sigset_t changed;

    if (!set || how == SIG_UNBLOCK || !taken)
        return real(how, set, before);
    changed = *set;
    (void)sigdelset(&changed, SIGTRAP);
    return real(how, &changed, before);
}

EXPORTED int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
    static mask_function *real;

    if (!real)
        *(void **)&real = next("sigprocmask");
    return mask(real, how, set, before);
}

EXPORTED int pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    static mask_function *real;

    if (!real)
        *(void **)&real = next("pthread_sigmask");
    return mask(real, how, set, before);
}
