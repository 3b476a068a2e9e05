/* SPDX-License-Identifier: MIT */
/*
 * What drivers and filters find around them, with the names, types and values of wdm.h and ntifs.h: IRQLs, events and
 * locks, memory pools, lists and strings. All of it works in user mode; structures have a layout of nvrtl's own.
 */
#ifndef NVRTL_KERNEL_H
#define NVRTL_KERNEL_H

#include <nvrtl/file.h>
#include <nvrtl/status.h>

NVRTL_BEGIN

/* -- levels and modes -- */

typedef UCHAR KIRQL, *PKIRQL;
#define PASSIVE_LEVEL 0
#define LOW_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2
#define HIGH_LEVEL 15

typedef CHAR KPROCESSOR_MODE;
typedef enum _MODE { KernelMode, UserMode, MaximumMode } MODE;

typedef struct _KTHREAD *PKTHREAD, *PETHREAD;
typedef struct _EPROCESS *PEPROCESS;
typedef struct _OBJECT_TYPE *POBJECT_TYPE;

/*
 * The calling thread's IRQL, and ways to change it. It is a number of the thread that keeps nothing out; but a flush
 * above PASSIVE_LEVEL, or between KeEnterGuardedRegion and KeLeaveGuardedRegion, is the finding wrong-irql of a
 * verified run, as are the Rtl functions of <nvrtl/nvm.h> above DISPATCH_LEVEL.
 *
 * Source: Microsoft Learn, "KeRaiseIrql macro (wdm.h)" and the pages beside it.
 */
NVRTL_API KIRQL NTAPI KeGetCurrentIrql(VOID);
NVRTL_API VOID NTAPI KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql);
NVRTL_API KIRQL NTAPI KeRaiseIrqlToDpcLevel(VOID);
NVRTL_API VOID NTAPI KeLowerIrql(KIRQL NewIrql);

/*
 * A critical region disables normal kernel APCs, a guarded one all of them. They nest; there are no APCs here, so
 * nothing but what the two questions answer depends on them.
 *
 * Source: Microsoft Learn, "KeEnterCriticalRegion function (ntddk.h)" and the pages beside it.
 */
NVRTL_API VOID NTAPI KeEnterCriticalRegion(VOID);
NVRTL_API VOID NTAPI KeLeaveCriticalRegion(VOID);
NVRTL_API VOID NTAPI KeEnterGuardedRegion(VOID);
NVRTL_API VOID NTAPI KeLeaveGuardedRegion(VOID);
NVRTL_API BOOLEAN NTAPI KeAreApcsDisabled(VOID);    /* in a region of either kind */
NVRTL_API BOOLEAN NTAPI KeAreAllApcsDisabled(VOID); /* in a guarded region, or at APC_LEVEL or above */

/* -- doubly linked lists: a head, and entries inside other structures -- */

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink;
    struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

/* -- what can be waited for -- */

typedef enum _KWAIT_REASON { Executive = 0, DelayExecution = 4, UserRequest = 6, WrExecutive = 7 } KWAIT_REASON;
typedef enum _WAIT_TYPE { WaitAll, WaitAny } WAIT_TYPE;
typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;

typedef LONG KPRIORITY;
#define IO_NO_INCREMENT 0
#define IO_DISK_INCREMENT 1
#define EVENT_INCREMENT 1
#define MAXIMUM_WAIT_OBJECTS 64

/* The head of each of them. */
typedef struct _DISPATCHER_HEADER {
    UCHAR Type;
    volatile LONG SignalState;
} DISPATCHER_HEADER;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT, *PRKEVENT;

typedef struct _KSEMAPHORE {
    DISPATCHER_HEADER Header;
    LONG Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;

typedef struct _KMUTANT {
    DISPATCHER_HEADER Header;
    PKTHREAD OwnerThread;
} KMUTANT, *PKMUTANT, *PRKMUTANT, KMUTEX, *PKMUTEX, *PRKMUTEX;

/* -- locks -- */

/* Made by ExInitializeFastMutex; whoever holds it is at APC_LEVEL. */
typedef struct _FAST_MUTEX {
    PKTHREAD Owner;
    KIRQL OldIrql;
    ULONG_PTR Reserved[8];
} FAST_MUTEX, *PFAST_MUTEX, KGUARDED_MUTEX, *PKGUARDED_MUTEX;

/* Made by KeInitializeSpinLock; whoever holds it is at DISPATCH_LEVEL. */
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

/* Made by ExInitializeResourceLite; held by one thread, or shared by several. */
typedef struct _ERESOURCE {
    PKTHREAD Owner;
    LONG Active;    /* -1: exclusively; else how often it is shared */
    LONG Depth;     /* of the owner */
    LONG Exclusive; /* threads that wait */
} ERESOURCE, *PERESOURCE;

/* -- memory -- */

typedef enum _POOL_TYPE {
    NonPagedPool = 0,
    NonPagedPoolExecute = 0,
    PagedPool = 1,
    NonPagedPoolCacheAligned = 4,
    PagedPoolCacheAligned = 5,
    NonPagedPoolNx = 512,
    NonPagedPoolNxCacheAligned = 516
} POOL_TYPE;

typedef ULONGLONG POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA 0x0000000000000001ULL
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_SESSION 0x0000000000000004ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL

NVRTL_END

#endif
