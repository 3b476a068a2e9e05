/* SPDX-License-Identifier: MIT */
/*
 * Owns the locks that drivers use: fast and guarded mutexes, spin locks, resources. Called by drivers and filters; all
 * of them sleep where they must wait, for a thread of a process may lose its CPU while it holds a lock.
 */
#include "src/io/park.h"
#include "src/io/thread.h"

#include <nvrtl/kernel.h>
#include <stdbool.h>

/* A mutex is a synchronization event that is set while nobody holds it. */
static void initialize(PFAST_MUTEX mutex)
{
    mutex->Owner = NULL;
    mutex->OldIrql = PASSIVE_LEVEL;
    KeInitializeEvent(&mutex->Event, SynchronizationEvent, TRUE);
}

static bool acquire(PFAST_MUTEX mutex, bool wait)
{
    LARGE_INTEGER none = {.QuadPart = 0};
    if (KeWaitForSingleObject(&mutex->Event, Executive, KernelMode, FALSE, wait ? NULL : &none) != STATUS_SUCCESS)
        return false;
    mutex->Owner = KeGetCurrentThread();
    return true;
}

static void release(PFAST_MUTEX mutex)
{
    mutex->Owner = NULL;
    (void)KeSetEvent(&mutex->Event, IO_NO_INCREMENT, FALSE);
}

VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
    initialize(FastMutex);
}

/* At APC_LEVEL from before the wait on, as the thread that holds it is. */
static bool acquire_fast(PFAST_MUTEX mutex, bool wait)
{
    KIRQL old;
    KeRaiseIrql(APC_LEVEL, &old);
    if (!acquire(mutex, wait)) {
        KeLowerIrql(old);
        return false;
    }
    mutex->OldIrql = old;
    return true;
}

VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    (void)acquire_fast(FastMutex, true);
}

BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    return acquire_fast(FastMutex, false);
}

VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL old = FastMutex->OldIrql;
    release(FastMutex);
    KeLowerIrql(old);
}

VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    initialize(Mutex);
}

static bool acquire_guarded(PKGUARDED_MUTEX mutex, bool wait)
{
    KeEnterGuardedRegion();
    if (acquire(mutex, wait))
        return true;
    KeLeaveGuardedRegion();
    return false;
}

VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    (void)acquire_guarded(Mutex, true);
}

BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    return acquire_guarded(Mutex, false);
}

VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    release(Mutex);
    KeLeaveGuardedRegion();
}

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    *SpinLock = 0;
}

VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    nv_park_lock(SpinLock);
    if (*SpinLock == 0)
        *SpinLock = 1;
    else
        (void)nv_park_wait(SpinLock, NULL); /* who releases it leaves it held, for this thread */
    nv_park_unlock(SpinLock);
}

VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    nv_park_lock(SpinLock);
    if (!nv_park_release(SpinLock))
        *SpinLock = 0;
    nv_park_unlock(SpinLock);
}

VOID KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql)
{
    *OldIrql = KeRaiseIrqlToDpcLevel();
    KeAcquireSpinLockAtDpcLevel(SpinLock);
}

VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    KeReleaseSpinLockFromDpcLevel(SpinLock);
    KeLowerIrql(NewIrql);
}

NTSTATUS ExInitializeResourceLite(PERESOURCE Resource)
{
    *Resource = (ERESOURCE){.OwnerThread = NULL};
    return STATUS_SUCCESS;
}

NTSTATUS ExDeleteResourceLite(PERESOURCE Resource)
{
    (void)Resource;
    return STATUS_SUCCESS;
}

/* Under the lock. */
static bool is_mine(const ERESOURCE *resource)
{
    return resource->OwnerThread == KeGetCurrentThread();
}

static BOOLEAN acquire_resource(PERESOURCE resource, bool exclusive, bool wait)
{
    nv_park_lock(resource);
    bool free = false;
    for (;;) {
        bool nobody = resource->ActiveCount == 0 || is_mine(resource);
        free = exclusive ? nobody : nobody || !resource->OwnerThread;
        if (free || !wait)
            break;
        (void)nv_park_wait(resource, NULL);
    }
    if (free)
        resource->ActiveCount++;
    if (free && exclusive)
        resource->OwnerThread = KeGetCurrentThread();
    nv_park_unlock(resource);
    return free;
}

BOOLEAN ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return acquire_resource(Resource, true, Wait);
}

BOOLEAN ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
    return acquire_resource(Resource, false, Wait);
}

VOID ExReleaseResourceLite(PERESOURCE Resource)
{
    nv_park_lock(Resource);
    if (--Resource->ActiveCount == 0) {
        Resource->OwnerThread = NULL;
        nv_park_release_all(Resource);
    }
    nv_park_unlock(Resource);
}

BOOLEAN ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
    nv_park_lock(Resource);
    BOOLEAN mine = is_mine(Resource);
    nv_park_unlock(Resource);
    return mine;
}
