/* SPDX-License-Identifier: MIT */
/*
 * Owns events, semaphores and mutexes, and the waits for them. Called by drivers and filters, and by the stack, which
 * waits for the end of a request. Whoever is released has what it waited for: nobody who comes later takes it away.
 */
#include "src/io/park.h"
#include "src/io/thread.h"
#include "src/os/os.h"

#include <nvrtl/kernel.h>
#include <stdbool.h>

enum type { NOTIFICATION = NotificationEvent, SYNCHRONIZATION = SynchronizationEvent, MUTANT = 2, SEMAPHORE = 0x45 };

#define UNITS_A_SECOND 10000000       /* of 100 ns */
#define SECONDS_TO_1970 11644473600LL /* from 1601 */
#define NANOSECONDS_A_SECOND 1000000000LL

static LONG state_of(const DISPATCHER_HEADER *header)
{
    return __atomic_load_n(&header->SignalState, __ATOMIC_ACQUIRE);
}

static void set_state(DISPATCHER_HEADER *header, LONG state)
{
    __atomic_store_n(&header->SignalState, state, __ATOMIC_RELEASE);
}

VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    Event->Header.Type = (UCHAR)Type;
    set_state(&Event->Header, State != 0);
}

/* Lets go whom the event is for, if it is to be set. The state that was. */
static LONG set(PRKEVENT event, bool stay)
{
    nv_park_lock(event);
    LONG before = state_of(&event->Header);
    LONG after = stay;
    if (event->Header.Type == NOTIFICATION)
        nv_park_release_all(event);
    else if (before == 0 && nv_park_release(event))
        after = 0;
    set_state(&event->Header, after);
    nv_park_unlock(event);
    return before;
}

LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    (void)Increment;
    (void)Wait;
    return set(Event, true);
}

LONG KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    (void)Increment;
    (void)Wait;
    return set(Event, false);
}

LONG KeResetEvent(PRKEVENT Event)
{
    nv_park_lock(Event);
    LONG before = state_of(&Event->Header);
    set_state(&Event->Header, 0);
    nv_park_unlock(Event);
    return before;
}

VOID KeClearEvent(PRKEVENT Event)
{
    (void)KeResetEvent(Event);
}

LONG KeReadStateEvent(PRKEVENT Event)
{
    return state_of(&Event->Header);
}

VOID KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    Semaphore->Header.Type = SEMAPHORE;
    Semaphore->Limit = Limit;
    set_state(&Semaphore->Header, Count);
}

LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    (void)Increment;
    (void)Wait;
    nv_park_lock(Semaphore);
    LONG before = state_of(&Semaphore->Header);
    if (Adjustment > 0 && Adjustment <= Semaphore->Limit - before) {
        LONG left = Adjustment;
        while (left > 0 && nv_park_release(Semaphore))
            left--;
        set_state(&Semaphore->Header, before + left);
    }
    nv_park_unlock(Semaphore);
    return before;
}

LONG KeReadStateSemaphore(PRKSEMAPHORE Semaphore)
{
    return state_of(&Semaphore->Header);
}

VOID KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    (void)Level;
    Mutex->Header.Type = MUTANT;
    Mutex->OwnerThread = NULL;
    set_state(&Mutex->Header, 1);
}

/* The owner gives it up: to who has waited longest, else to nobody. */
static void pass_on(PRKMUTEX mutex)
{
    mutex->OwnerThread = nv_park_release(mutex);
    set_state(&mutex->Header, mutex->OwnerThread ? 0 : 1);
}

LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    (void)Wait;
    nv_park_lock(Mutex);
    LONG before = state_of(&Mutex->Header);
    bool owned = Mutex->OwnerThread == KeGetCurrentThread();
    if (owned && before < 0)
        set_state(&Mutex->Header, before + 1);
    else if (owned)
        pass_on(Mutex);
    nv_park_unlock(Mutex);
    if (owned && before == 0)
        KeLeaveCriticalRegion();
    return before;
}

/* Under the lock: whether the thread need not wait. It has then taken what it came for. */
static bool take(DISPATCHER_HEADER *header)
{
    LONG state = state_of(header);
    PRKMUTEX mutex = (PRKMUTEX)(void *)header;
    bool again = header->Type == MUTANT && state < 1 && mutex->OwnerThread == KeGetCurrentThread();
    if (state < 1 && !again)
        return false;
    if (header->Type == MUTANT)
        mutex->OwnerThread = KeGetCurrentThread();
    if (header->Type != NOTIFICATION)
        set_state(header, header->Type == SYNCHRONIZATION ? 0 : state - 1);
    return true;
}

static struct timespec timespec_of(int64_t nanoseconds)
{
    return (struct timespec){nanoseconds / NANOSECONDS_A_SECOND, nanoseconds % NANOSECONDS_A_SECOND};
}

/* Times are in units of 100 ns; one that lies before 1970, or too far ahead to be told, is as good as the nearest. */
static struct nv_deadline deadline_of(LONGLONG timeout)
{
    if (timeout >= 0) {
        LONGLONG since_1970 = timeout - SECONDS_TO_1970 * UNITS_A_SECOND;
        if (since_1970 < 0)
            since_1970 = 0;
        struct timespec time = {since_1970 / UNITS_A_SECOND, since_1970 % UNITS_A_SECOND * 100};
        return (struct nv_deadline){CLOCK_REALTIME, time};
    }
    int64_t now = (int64_t)nv_os->clock_ns();
    int64_t most = (INT64_MAX - now) / 100;
    int64_t units = timeout < -most ? most : -timeout;
    return (struct nv_deadline){CLOCK_MONOTONIC, timespec_of(now + units * 100)};
}

/* Under the lock. */
static NTSTATUS wait_for(DISPATCHER_HEADER *header, const LARGE_INTEGER *timeout)
{
    if (take(header))
        return STATUS_SUCCESS;
    if (timeout && timeout->QuadPart == 0)
        return STATUS_TIMEOUT;
    struct nv_deadline deadline;
    if (timeout)
        deadline = deadline_of(timeout->QuadPart);
    return nv_park_wait(header, timeout ? &deadline : NULL) ? STATUS_SUCCESS : STATUS_TIMEOUT;
}

NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                               PLARGE_INTEGER Timeout)
{
    DISPATCHER_HEADER *header = Object;
    (void)WaitReason;
    (void)WaitMode;
    (void)Alertable;
    if (!header || (header->Type > MUTANT && header->Type != SEMAPHORE))
        return STATUS_INVALID_PARAMETER;
    nv_park_lock(header);
    NTSTATUS status = wait_for(header, Timeout);
    bool owns = status == STATUS_SUCCESS && header->Type == MUTANT && state_of(header) == 0;
    nv_park_unlock(header);
    if (owns)
        KeEnterCriticalRegion();
    return status;
}

NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    KEVENT never;
    KeInitializeEvent(&never, NotificationEvent, FALSE);
    (void)KeWaitForSingleObject(&never, DelayExecution, WaitMode, Alertable, Interval);
    return STATUS_SUCCESS;
}

VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    CurrentTime->QuadPart = (LONGLONG)(nv_os->time_ns() / 100) + SECONDS_TO_1970 * UNITS_A_SECOND;
}

LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    if (PerformanceFrequency)
        PerformanceFrequency->QuadPart = NANOSECONDS_A_SECOND;
    return (LARGE_INTEGER){.QuadPart = (LONGLONG)nv_os->clock_ns()};
}

PKTHREAD KeGetCurrentThread(VOID)
{
    return nv_park_self();
}
