/* SPDX-License-Identifier: MIT */
/*
 * Owns the calls that are under way. A recorded call has the turn from its beginning to its end, and so the trace is in
 * the order in which things happened; those of other threads wait. One that waits for something itself (data of a pipe)
 * loses the turn after a while, and is told of when it returns.
 *
 * Notified calls have the turn from their handling until their thread is stopped behind them, by PTRACE_INTERRUPT: only
 * then can its stack be read.
 */
#include "supervise/turns.h"
#include "supervise/observer.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

/* Notified calls stop for certain, unless their thread ends. */
enum { TURN_MS = 200, NOTIFIED_TURN_MS = 10000, IDLE_MS = 20 };

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__powerpc64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__riscv)
#define OWN_ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

/* A thread whose call is under way, or waits for its turn. */
struct turn {
    struct turn *next;
    struct nv_observed_call call;
    bool notified;
    bool goes_on; /* notified, and done by the kernel all the same */
};

struct nv_turns {
    struct nv_observer *observer;
    struct turn *current; /* whose turn it is */
    struct turn *waiting; /* in the order in which they came */
    struct turn *late;    /* under way without the turn */
    uint64_t since_ns;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return nv_nanoseconds(now);
}

static void go_on(pid_t thread, int signal_number)
{
    (void)ptrace(PTRACE_CONT, thread, 0, (long)signal_number);
}

/* ---- turns ---- */

static struct turn *take_out(struct turn **list, pid_t thread)
{
    while (*list && (*list)->call.thread != thread)
        list = &(*list)->next;
    if (!*list)
        return NULL;

    struct turn *turn = *list;

    *list = turn->next;
    turn->next = NULL;
    return turn;
}

static void append(struct turn **list, struct turn *turn)
{
    while (*list)
        list = &(*list)->next;
    *list = turn;
}

static void free_turn(struct turn *turn)
{
    if (turn->call.kind)
        nv_observe_call_free(&turn->call);
    free(turn);
}

static bool read_call(struct turn *turn)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, turn->call.thread, (void *)sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP)
        return false;
    if (info.arch != OWN_ARCHITECTURE)
        return false;
    turn->call.number = info.seccomp.nr;
    for (int i = 0; i < 6; i++)
        turn->call.arguments[i] = info.seccomp.args[i];
    return true;
}

/* It is this thread's turn. */
static void begin(struct nv_turns *turns, struct turn *turn)
{
    pid_t thread = turn->call.thread;

    nv_observe_caller(turns->observer, thread, true);
    if (!read_call(turn) || !nv_observe_call_begin(turns->observer, &turn->call)) {
        free(turn);
        go_on(thread, 0);
    } else if (ptrace(PTRACE_SYSCALL, thread, 0, 0)) {
        free_turn(turn);
    } else {
        turns->current = turn;
        turns->since_ns = now_ns();
    }
    nv_observe_caller(turns->observer, 0, false);
}

static void next(struct nv_turns *turns)
{
    while (!turns->current && turns->waiting) {
        struct turn *turn = turns->waiting;

        turns->waiting = turn->next;
        turn->next = NULL;
        begin(turns, turn);
    }
}

static bool turn_is_over(const struct nv_turns *turns)
{
    uint64_t turn_ms = turns->current && turns->current->notified ? NOTIFIED_TURN_MS : TURN_MS;

    return turns->current && now_ns() - turns->since_ns > turn_ms * 1000000;
}

/* What was told of a notified call is told without a place, then. */
static void pass_turn(struct nv_turns *turns)
{
    struct turn *turn = turns->current;

    turns->current = NULL;
    if (turn->notified) {
        nv_observe_complete(turns->observer, 0);
        free_turn(turn);
    } else
        append(&turns->late, turn);
}

/* ---- stops ---- */

static struct turn *turn_of(struct nv_turns *turns, pid_t thread)
{
    struct turn *turn = turns->current;

    if (!turn || turn->call.thread != thread)
        return take_out(&turns->late, thread);
    turns->current = NULL;
    return turn;
}

static void call_begins(struct nv_turns *turns, pid_t thread)
{
    struct turn *turn = calloc(1, sizeof *turn);

    if (!turn) {
        nv_observe_lost(turns->observer, "memory was short: some calls were not recorded");
        go_on(thread, 0);
        return;
    }
    turn->call.thread = thread;
    append(&turns->waiting, turn);
}

static void call_ends(struct nv_turns *turns, pid_t thread)
{
    struct __ptrace_syscall_info info = {0};
    struct turn *turn = turn_of(turns, thread);

    if (turn && ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof info, &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_EXIT) {
        turn->call.result = info.exit.rval;
        nv_observe_caller(turns->observer, thread, true);
        nv_observe_call_end(turns->observer, &turn->call);
        nv_observe_caller(turns->observer, 0, false);
    }
    if (turn)
        free_turn(turn);
    go_on(thread, 0);
}

/* Of a thread that is stopped right behind its call. */
static int64_t returned(pid_t thread)
{
#if defined(__x86_64__)
    struct user_regs_struct registers;
    struct iovec into = {&registers, sizeof registers};

    if (!ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &into))
        return (int64_t)registers.rax;
#elif defined(__aarch64__)
    struct user_regs_struct registers;
    struct iovec into = {&registers, sizeof registers};

    if (!ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &into))
        return (int64_t)registers.regs[0];
#endif
    (void)thread;
    return -ENOSYS;
}

/* It was notified, and is stopped behind its call. */
static void notified_call_ends(struct nv_turns *turns, pid_t thread)
{
    struct turn *turn = turns->current;

    if (!turn || !turn->notified || turn->call.thread != thread)
        return;
    turns->current = NULL;
    nv_observe_complete(turns->observer, thread);
    if (turn->goes_on) {
        turn->call.result = returned(thread);
        nv_observe_caller(turns->observer, thread, true);
        nv_observe_call_end(turns->observer, &turn->call);
        nv_observe_caller(turns->observer, 0, false);
    }
    free_turn(turn);
}

static void thread_is_gone(struct nv_turns *turns, pid_t thread)
{
    struct turn *turn = take_out(&turns->waiting, thread);

    nv_observe_forget_thread(turns->observer, thread);
    if (turn)
        free_turn(turn);
    turn = turn_of(turns, thread);
    if (!turn)
        return;
    if (turn->notified)
        nv_observe_complete(turns->observer, 0);
    free_turn(turn);
}

/* A thread that executes a program takes the number of its process; it had another before. */
static void executed(struct nv_turns *turns, pid_t process)
{
    unsigned long before = 0;

    if (!ptrace(PTRACE_GETEVENTMSG, process, 0, &before) && (pid_t)before != process)
        thread_is_gone(turns, (pid_t)before);
    thread_is_gone(turns, process);
    nv_observe_forget_process(turns->observer, process);
}

static bool stops_group(int signal_number)
{
    return signal_number == SIGSTOP || signal_number == SIGTSTP || signal_number == SIGTTIN || signal_number == SIGTTOU;
}

static void stopped(struct nv_turns *turns, pid_t thread, int status)
{
    int signal_number = WSTOPSIG(status), event = status >> 16;

    if (event == PTRACE_EVENT_SECCOMP) {
        call_begins(turns, thread);
        return;
    }
    if (signal_number == (SIGTRAP | 0x80)) {
        call_ends(turns, thread);
        return;
    }
    notified_call_ends(turns, thread);
    if (event == PTRACE_EVENT_EXEC)
        executed(turns, thread);
    if (event == PTRACE_EVENT_STOP && stops_group(signal_number))
        (void)ptrace(PTRACE_LISTEN, thread, 0, 0);
    else
        go_on(thread, event ? 0 : signal_number);
}

void nv_turns_serve(struct nv_turns *turns)
{
    pid_t thread;
    int status;

    while ((thread = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
        if (WIFSTOPPED(status))
            stopped(turns, thread, status);
        else
            thread_is_gone(turns, thread);
        next(turns);
    }
    if (turn_is_over(turns))
        pass_turn(turns);
    next(turns);
}

bool nv_turns_is_busy(const struct nv_turns *turns)
{
    return turns && turns->current;
}

int nv_turns_patience_ms(const struct nv_turns *turns)
{
    return !turns ? -1 : turns->current ? TURN_MS : IDLE_MS;
}

/* ---- notified calls ---- */

void nv_turns_notified(struct nv_turns *turns, pid_t thread)
{
    if (turns)
        nv_observe_caller(turns->observer, thread, false);
}

/* A call that the kernel is to do, and that would have stopped had it not been notified. */
static bool takes_part(struct nv_turns *turns, struct turn *turn, const struct seccomp_notif *call)
{
    if (call->data.arch != OWN_ARCHITECTURE)
        return false;
    turn->call.number = (uint64_t)call->data.nr;
    for (int i = 0; i < 6; i++)
        turn->call.arguments[i] = call->data.args[i];
    return nv_observe_call_begin(turns->observer, &turn->call);
}

/* When nothing is told of it, there is no reason to stop it. */
void nv_turns_answering(struct nv_turns *turns, const struct seccomp_notif *call, bool goes_on)
{
    pid_t thread = (pid_t)call->pid;
    struct turn *turn;

    if (!turns || turns->current)
        return;
    turn = calloc(1, sizeof *turn);
    if (turn) {
        turn->call.thread = thread;
        turn->notified = true;
        turn->goes_on = goes_on && takes_part(turns, turn, call);
    }
    if (!turn || !(turn->goes_on || turns->observer->pending_count) || ptrace(PTRACE_INTERRUPT, thread, 0, 0)) {
        if (turn)
            free_turn(turn);
        nv_observe_complete(turns->observer, 0);
        return;
    }
    turns->current = turn;
    turns->since_ns = now_ns();
}

/* ---- begin and end ---- */

/* From there on a thread that is told to stop finishes its notified call first. */
static bool kernel_is_new_enough(void)
{
    struct utsname system;
    unsigned major, minor;

    return !uname(&system) && sscanf(system.release, "%u.%u", &major, &minor) == 2 &&
           (major > 5 || (major == 5 && minor >= 19));
}

int nv_turns_open(struct nv_supervisor *supervisor)
{
    if (!supervisor->observer)
        return 0;
    if (!kernel_is_new_enough())
        return -ENOSYS;
    supervisor->turns = calloc(1, sizeof *supervisor->turns);
    if (!supervisor->turns)
        return -ENOMEM;
    supervisor->turns->observer = supervisor->observer;
    return 0;
}

int nv_turns_seize(pid_t program)
{
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

    return ptrace(PTRACE_SEIZE, program, 0, options) ? -errno : 0;
}

static void free_turns(struct turn *turn)
{
    while (turn) {
        struct turn *next_turn = turn->next;

        free_turn(turn);
        turn = next_turn;
    }
}

void nv_turns_close(struct nv_supervisor *supervisor)
{
    struct nv_turns *turns = supervisor->turns;

    if (!turns)
        return;
    free_turns(turns->current);
    free_turns(turns->waiting);
    free_turns(turns->late);
    free(turns);
    supervisor->turns = NULL;
}
