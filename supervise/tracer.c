/* SPDX-License-Identifier: MIT */
/*
 * Owns the traced threads, and the loop that takes their stops. One thread of nvrtl is their tracer; explain.c makes
 * it, and nv_spawn starts it before the program is executed.
 */
#include "supervise/target.h"
#include "supervise/tracer_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                                        \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |     \
     PTRACE_O_EXITKILL)
#define SIGNAL_OF_CALL (SIGTRAP | 0x80)
#define NATIVE 0xc000003eu /* AUDIT_ARCH_X86_64 */

void nv_tracer_complain(struct nv_tracer *tracer, const char *what, int number)
{
    if (!*tracer->book->error)
        snprintf(tracer->book->error, sizeof tracer->book->error, "%s: %s", what, strerror(number));
}

/* ---- threads ---- */

static struct nv_tracee *find(const struct nv_tracer *tracer, pid_t thread)
{
    struct nv_tracee *tracee = tracer->tracees;

    while (tracee && tracee->thread != thread)
        tracee = tracee->next;
    return tracee;
}

static struct nv_tracee *add(struct nv_tracer *tracer, pid_t thread)
{
    struct nv_tracee *tracee = calloc(1, sizeof *tracee);

    if (!tracee) {
        nv_tracer_complain(tracer, "a thread cannot be followed", ENOMEM);
        (void)ptrace(PTRACE_DETACH, thread, 0, 0);
        return NULL;
    }
    tracee->thread = thread;
    tracee->call.number = -1;
    tracee->next = tracer->tracees;
    tracer->tracees = tracee;
    return tracee;
}

static void drop(struct nv_tracer *tracer, pid_t thread)
{
    struct nv_tracee **link = &tracer->tracees, *tracee;

    while (*link && (*link)->thread != thread)
        link = &(*link)->next;
    tracee = *link;
    if (!tracee)
        return;
    *link = tracee->next;
    tracer->open_calls -= tracee->call.opened;
    nv_space_drop(tracee->space);
    free(tracee);
}

/* Signals that came at a step are delivered now; the first takes the place of the step's own. */
static int release(struct nv_tracee *tracee)
{
    int first = tracee->held_count ? tracee->held[0].si_signo : 0;

    if (first)
        (void)ptrace(PTRACE_SETSIGINFO, tracee->thread, 0, &tracee->held[0]);
    for (size_t i = 1; i < tracee->held_count; i++)
        (void)syscall(SYS_tkill, tracee->thread, tracee->held[i].si_signo);
    tracee->held_count = 0;
    return first;
}

static void resume(struct nv_tracee *tracee, int signal)
{
    if (!signal)
        signal = release(tracee);
    tracee->running = !ptrace(PTRACE_SYSCALL, tracee->thread, 0, (void *)(intptr_t)signal);
}

/*
 * Stop those that could store into a page while it is open for another's store. Whoever is in a system call stops at
 * its end by itself.
 */
static void park_others(const struct nv_tracer *tracer, const struct nv_tracee *tracee)
{
    for (struct nv_tracee *other = tracer->tracees; other; other = other->next)
        if (other != tracee && other->space == tracee->space && other->running && other->call.number < 0 &&
            !ptrace(PTRACE_INTERRUPT, other->thread, 0, 0)) {
            while (waitpid(other->thread, &other->status, __WALL) < 0 && errno == EINTR)
                continue;
            other->running = false;
            other->parked = true;
        }
}

/* ---- steps ---- */

void nv_tracee_hold(struct nv_tracee *tracee, const siginfo_t *signal)
{
    if (tracee->held_count < NV_TRACEE_HELD)
        tracee->held[tracee->held_count++] = *signal;
}

enum nv_step nv_tracee_step(struct nv_tracee *tracee, siginfo_t *signal)
{
    for (;;) {
        int status;

        if (tracee->gone || ptrace(PTRACE_SINGLESTEP, tracee->thread, 0, 0))
            return NV_STEP_GONE;
        while (waitpid(tracee->thread, &status, __WALL) < 0)
            if (errno != EINTR)
                return NV_STEP_GONE;
        if (!WIFSTOPPED(status)) {
            tracee->gone = true;
            return NV_STEP_GONE;
        }
        if (status >> 16 || WSTOPSIG(status) == SIGNAL_OF_CALL) /* told to stop: it has, and goes on */
            continue;
        if (ptrace(PTRACE_GETSIGINFO, tracee->thread, 0, signal))
            return NV_STEP_GONE;
        return signal->si_signo == SIGTRAP && signal->si_code > 0 ? NV_STEP_DONE : NV_STEP_SIGNAL;
    }
}

int64_t nv_tracee_call(struct nv_tracee *tracee, long number, uint64_t first, uint64_t second, uint64_t third)
{
    struct user_regs_struct before, registers;
    enum nv_step step;
    siginfo_t signal;

    if (ptrace(PTRACE_GETREGS, tracee->thread, 0, &before))
        return -ESRCH;
    registers = before;
    registers.rip = tracee->space->gate;
    registers.rax = (unsigned long long)number;
    registers.orig_rax = UINT64_MAX; /* what was under way, if anything, is restarted by what is restored */
    registers.rdi = first;
    registers.rsi = second;
    registers.rdx = third;
    if (ptrace(PTRACE_SETREGS, tracee->thread, 0, &registers))
        return -ESRCH;
    while ((step = nv_tracee_step(tracee, &signal)) == NV_STEP_SIGNAL)
        nv_tracee_hold(tracee, &signal);
    if (step == NV_STEP_GONE || ptrace(PTRACE_GETREGS, tracee->thread, 0, &registers) ||
        ptrace(PTRACE_SETREGS, tracee->thread, 0, &before))
        return -ESRCH;
    return (int64_t)registers.rax;
}

/* ---- stores ---- */

#define OPENED_MAX 64

struct opened {
    uint64_t addresses[OPENED_MAX];
    size_t count;
};

static bool is_fault(const siginfo_t *signal)
{
    return signal->si_signo == SIGBUS && signal->si_code == BUS_ADRERR;
}

/* Open the page of a fault. False: the fault is the program's own. */
static bool open_page(const struct nv_space *space, struct opened *opened, const siginfo_t *signal)
{
    uint64_t address = (uint64_t)signal->si_addr;

    for (size_t i = 0; i < opened->count; i++)
        if (opened->addresses[i] / 4096 == address / 4096)
            return false;
    if (opened->count == OPENED_MAX || !nv_space_watched(space, address) || !nv_space_open(space, address, address + 1))
        return false;
    opened->addresses[opened->count++] = address;
    return true;
}

static bool comes_from_the_instruction(const siginfo_t *signal)
{
    return signal->si_code > 0 && (signal->si_signo == SIGSEGV || signal->si_signo == SIGBUS ||
                                   signal->si_signo == SIGILL || signal->si_signo == SIGFPE);
}

/* One instruction with its pages open. */
static int step_over(struct nv_tracee *tracee, struct opened *opened)
{
    for (;;) {
        siginfo_t signal;

        switch (nv_tracee_step(tracee, &signal)) {
        case NV_STEP_DONE:
        case NV_STEP_GONE:
            return 0;
        case NV_STEP_SIGNAL:
            if (is_fault(&signal) && open_page(tracee->space, opened, &signal))
                continue;
            if (comes_from_the_instruction(&signal))
                return signal.si_signo;
            nv_tracee_hold(tracee, &signal);
        }
    }
}

/* A breakpoint of the thread's own, by its debug registers; address 0: none. False: there is none to be had. */
static bool set_breakpoint(const struct nv_tracee *tracee, uint64_t address)
{
    size_t at = offsetof(struct user, u_debugreg);

    if (!address)
        return !ptrace(PTRACE_POKEUSER, tracee->thread, at + 7 * sizeof(uint64_t), 0);
    return !ptrace(PTRACE_POKEUSER, tracee->thread, at, address) &&
           !ptrace(PTRACE_POKEUSER, tracee->thread, at + 7 * sizeof(uint64_t), 1); /* enabled, to be executed */
}

/*
 * All of a copy with its pages open, to where it returns. Whatever else stops the thread is looked at later, the pages
 * closed.
 */
static void run_copy(struct nv_tracee *tracee, struct opened *opened, uint64_t end)
{
    siginfo_t signal;
    int status;

    if (!set_breakpoint(tracee, end))
        return;
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, tracee->thread, 0, 0))
            break;
        while (waitpid(tracee->thread, &status, __WALL) < 0 && errno == EINTR)
            continue;
        if (!WIFSTOPPED(status) || status >> 16 || WSTOPSIG(status) == SIGNAL_OF_CALL ||
            ptrace(PTRACE_GETSIGINFO, tracee->thread, 0, &signal)) {
            tracee->parked = true;
            tracee->status = status;
            break;
        }
        if (is_fault(&signal) && open_page(tracee->space, opened, &signal))
            continue;
        tracee->parked = signal.si_signo != SIGTRAP || signal.si_code <= 0;
        tracee->status = status;
        break;
    }
    (void)set_breakpoint(tracee, 0);
}

/* Returns the signal that is to be delivered after all. */
static int trap(struct nv_tracer *tracer, struct nv_tracee *tracee, const siginfo_t *signal)
{
    struct nv_place_of of = {.tracer = tracer, .tracee = tracee};
    struct nv_store store = {.place = nv_place_of, .context = &of};
    struct opened opened = {.count = 0};
    struct user_regs_struct now;
    uint64_t end;
    int deliver;

    if (!tracee->space || tracee->space->faults < 0 || !nv_space_watched(tracee->space, (uint64_t)signal->si_addr) ||
        ptrace(PTRACE_GETREGS, tracee->thread, 0, &of.registers))
        return signal->si_signo;
    park_others(tracer, tracee);
    if (!open_page(tracee->space, &opened, signal))
        return signal->si_signo;
    deliver = step_over(tracee, &opened);
    end = deliver || tracee->gone ? 0 : nv_unwind_copy(tracer, tracee, &of.registers, &store.known);
    if (end && !ptrace(PTRACE_GETREGS, tracee->thread, 0, &now) && now.rip != end)
        run_copy(tracee, &opened, end);
    for (size_t i = 0; i < opened.count; i++) {
        uint64_t page = opened.addresses[i] & ~(uint64_t)4095;

        nv_space_close(tracee->space, page, page + 4096);
        if (!tracee->gone)
            nv_space_stored(tracee->space, page, page + 4096, tracer->open_calls ? NULL : &store);
    }
    return deliver;
}

/* ---- stops ---- */

/* Whether what was cloned has the address space of who cloned it. */
static bool shares_space(const struct nv_tracee *parent, int event)
{
    uint64_t flags = parent->call.number == SYS_clone ? parent->call.arguments[0] : 0;

    if (event == PTRACE_EVENT_VFORK)
        return true;
    if (parent->call.number == SYS_clone3) /* the flags come first in what its argument points to */
        (void)nv_target_read(parent->thread, parent->call.arguments[0], &flags, sizeof flags);
    return flags & CLONE_VM;
}

/* It stops once by itself; whichever of the two stops comes first. */
static void adopt(struct nv_tracer *tracer, struct nv_tracee *parent, int event)
{
    unsigned long number = 0;
    struct nv_tracee *child;
    bool waits;

    if (ptrace(PTRACE_GETEVENTMSG, parent->thread, 0, &number))
        return;
    child = find(tracer, (pid_t)number);
    waits = child != NULL;
    if (!child && !(child = add(tracer, (pid_t)number)))
        return;
    if (shares_space(parent, event)) {
        child->space = parent->space;
        child->space->users++;
    } else
        child->space = nv_space_copy(parent->space);
    if (!waits || !child->space)
        return;
    nv_space_protect_all(tracer, child);
    resume(child, 0);
}

/* Another thread than the first may have executed the program, which has the first one's number from here on. */
static struct nv_tracee *renew(struct nv_tracer *tracer, struct nv_tracee *tracee)
{
    unsigned long former = 0;

    if (!ptrace(PTRACE_GETEVENTMSG, tracee->thread, 0, &former) && (pid_t)former != tracee->thread)
        drop(tracer, (pid_t)former);
    nv_space_drop(tracee->space);
    tracee->space = nv_space_new(tracee->thread);
    tracee->call.opened = false;
    return tracee;
}

static void at_call(struct nv_tracer *tracer, struct nv_tracee *tracee)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->thread, (void *)sizeof info, &info) <= 0)
        return;
    if (info.arch != NATIVE) {
        nv_tracer_complain(tracer, "a 32-bit program cannot be followed", ENOTSUP);
        return;
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        tracee->call = (struct nv_call){.number = (int64_t)info.entry.nr};
        for (size_t i = 0; i < 6; i++)
            tracee->call.arguments[i] = info.entry.args[i];
        nv_call_begins(tracer, tracee);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && tracee->call.number >= 0) {
        nv_call_ends(tracer, tracee, info.exit.rval);
        tracee->call = (struct nv_call){.number = -1};
    }
}

/* Stopped as by Ctrl-Z, or new. True: it stays so. */
static bool stays_stopped(struct nv_tracer *tracer, struct nv_tracee *tracee, int signal)
{
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
        return !ptrace(PTRACE_LISTEN, tracee->thread, 0, 0);
    if (!tracee->space)
        return true;
    if (tracee->call.number < 0 && tracee->space->count && tracee->space->faults < 0)
        nv_space_protect_all(tracer, tracee);
    return false;
}

static int at_signal(struct nv_tracer *tracer, struct nv_tracee *tracee, int number)
{
    siginfo_t signal;

    if (number != SIGBUS || ptrace(PTRACE_GETSIGINFO, tracee->thread, 0, &signal) || !is_fault(&signal))
        return number;
    return trap(tracer, tracee, &signal);
}

/* What it is that stopped the thread; then it goes on. */
static void at_stop(struct nv_tracer *tracer, struct nv_tracee *tracee, int status)
{
    int event = status >> 16, signal = WSTOPSIG(status), deliver = 0;

    switch (event) {
    case 0:
        if (signal == SIGNAL_OF_CALL && tracee->space)
            at_call(tracer, tracee);
        else if (signal != SIGNAL_OF_CALL)
            deliver = at_signal(tracer, tracee, signal);
        break;
    case PTRACE_EVENT_CLONE:
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
        adopt(tracer, tracee, event);
        break;
    case PTRACE_EVENT_EXEC:
        tracee = renew(tracer, tracee);
        break;
    case PTRACE_EVENT_STOP:
        if (stays_stopped(tracer, tracee, signal))
            return;
        break;
    default:
        break;
    }
    if (tracee->gone)
        drop(tracer, tracee->thread);
    else if (!tracee->parked)
        resume(tracee, deliver);
}

static void take(struct nv_tracer *tracer, pid_t thread, int status)
{
    struct nv_tracee *tracee = find(tracer, thread);

    if (!WIFSTOPPED(status)) {
        drop(tracer, thread);
        return;
    }
    if (tracee)
        tracee->running = false;
    if (!tracee)
        tracee = add(tracer, thread);
    if (tracee)
        at_stop(tracer, tracee, status);
}

/* ---- the thread ---- */

static int attach(struct nv_tracer *tracer)
{
    struct nv_tracee *first;

    if (ptrace(PTRACE_SEIZE, tracer->first, 0, (void *)(uintptr_t)OPTIONS))
        return -errno;
    first = add(tracer, tracer->first);
    if (first) {
        first->space = nv_space_new(tracer->first);
        first->running = true;
    }
    return first && first->space ? 0 : -ENOMEM;
}

static struct nv_tracee *find_parked(const struct nv_tracer *tracer)
{
    struct nv_tracee *tracee = tracer->tracees;

    while (tracee && !tracee->parked)
        tracee = tracee->next;
    return tracee;
}

static void *follow(void *context)
{
    struct nv_tracer *tracer = context;
    int status = attach(tracer);
    struct nv_tracee *parked;
    pid_t thread;

    (void)!write(tracer->started[1], &status, sizeof status);
    for (;;) {
        while ((parked = find_parked(tracer))) {
            parked->parked = false;
            take(tracer, parked->thread, parked->status);
        }
        thread = waitpid(-1, &status, __WALL | __WNOTHREAD);
        if (thread > 0)
            take(tracer, thread, status);
        else if (errno != EINTR)
            return NULL;
    }
}

struct nv_tracer *nv_tracer_new(struct nv_explain_book *book, struct nv_watch *watch)
{
    struct nv_tracer *tracer = calloc(1, sizeof *tracer);

    if (tracer) {
        tracer->book = book;
        tracer->watch = watch;
    }
    return tracer;
}

int nv_tracer_start(struct nv_tracer *tracer, pid_t process)
{
    sigset_t all, before;
    int status = 0;

    tracer->first = process;
    if (pipe2(tracer->started, O_CLOEXEC))
        return -errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    tracer->running = !pthread_create(&tracer->thread, NULL, follow, tracer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!tracer->running)
        status = -EAGAIN;
    else if (read(tracer->started[0], &status, sizeof status) != sizeof status)
        status = -EIO;
    close(tracer->started[0]);
    close(tracer->started[1]);
    if (status)
        nv_tracer_complain(tracer, "the program cannot be traced", -status);
    return status;
}

void nv_tracer_free(struct nv_tracer *tracer)
{
    if (!tracer)
        return;
    if (tracer->running)
        pthread_join(tracer->thread, NULL);
    while (tracer->tracees)
        drop(tracer, tracer->tracees->thread);
    free(tracer);
}
