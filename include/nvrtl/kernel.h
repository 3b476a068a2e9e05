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

/* Source of these: Microsoft Learn, "Singly and Doubly Linked Lists". */
static inline VOID NTAPI InitializeListHead(PLIST_ENTRY ListHead)
{
    ListHead->Flink = ListHead->Blink = ListHead;
}

static inline BOOLEAN NTAPI IsListEmpty(const LIST_ENTRY *ListHead)
{
    return ListHead->Flink == ListHead;
}

/* Whether the list is empty now. */
static inline BOOLEAN NTAPI RemoveEntryList(PLIST_ENTRY Entry)
{
    Entry->Blink->Flink = Entry->Flink;
    Entry->Flink->Blink = Entry->Blink;
    return Entry->Flink == Entry->Blink;
}

static inline PLIST_ENTRY NTAPI RemoveHeadList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY entry = ListHead->Flink;
    RemoveEntryList(entry);
    return entry;
}

static inline PLIST_ENTRY NTAPI RemoveTailList(PLIST_ENTRY ListHead)
{
    PLIST_ENTRY entry = ListHead->Blink;
    RemoveEntryList(entry);
    return entry;
}

static inline VOID NTAPI InsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    Entry->Flink = ListHead->Flink;
    Entry->Blink = ListHead;
    ListHead->Flink->Blink = Entry;
    ListHead->Flink = Entry;
}

static inline VOID NTAPI InsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry)
{
    Entry->Flink = ListHead;
    Entry->Blink = ListHead->Blink;
    ListHead->Blink->Flink = Entry;
    ListHead->Blink = Entry;
}

/* -- what can be waited for -- */

typedef enum _KWAIT_REASON { Executive = 0, DelayExecution = 4, UserRequest = 6, WrExecutive = 7 } KWAIT_REASON;
typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;

typedef LONG KPRIORITY;
#define IO_NO_INCREMENT 0
#define IO_DISK_INCREMENT 1
#define EVENT_INCREMENT 1
#define SEMAPHORE_INCREMENT 1

/* The head of each of them. None has to be destroyed; its memory may be freed as soon as nobody waits for it. */
typedef struct _DISPATCHER_HEADER {
    UCHAR Type;
    LONG SignalState; /* above 0: a wait for it ends */
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

/*
 * Events. A notification event stays set until it is cleared; a synchronization event lets one waiter go and is clear
 * again. KeSetEvent, KeResetEvent and KePulseEvent give the state that was before (0: clear); Increment and Wait do
 * nothing here.
 *
 * Source: Microsoft Learn, "KeInitializeEvent function (wdm.h)" and the pages beside it.
 */
NVRTL_API VOID NTAPI KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State);
NVRTL_API LONG NTAPI KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);
NVRTL_API VOID NTAPI KeClearEvent(PRKEVENT Event);
NVRTL_API LONG NTAPI KeResetEvent(PRKEVENT Event);
NVRTL_API LONG NTAPI KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);
NVRTL_API LONG NTAPI KeReadStateEvent(PRKEVENT Event);

/*
 * Semaphores: a count that a wait lowers. KeReleaseSemaphore gives the count that was before; one that would pass Limit
 * is left as it is (Windows raises an exception).
 *
 * Source: Microsoft Learn, "KeInitializeSemaphore function (wdm.h)" and the pages beside it.
 */
NVRTL_API VOID NTAPI KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit);
NVRTL_API LONG NTAPI KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait);
NVRTL_API LONG NTAPI KeReadStateSemaphore(PRKSEMAPHORE Semaphore);

/*
 * Mutexes: owned by the thread whose wait ended, which may wait for it again; it is in a critical region until its last
 * release. KeReleaseMutex gives the state that was before (below 1); a thread that does not own it changes nothing.
 *
 * Source: Microsoft Learn, "KeInitializeMutex function (wdm.h)" and the pages beside it.
 */
NVRTL_API VOID NTAPI KeInitializeMutex(PRKMUTEX Mutex, ULONG Level);
NVRTL_API LONG NTAPI KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait);

/*
 * Wait until an event, a semaphore or a mutex lets the thread go. Timeout is in units of 100 ns: negative from now on,
 * positive a system time, 0 only looks; NULL waits for ever. Reason, mode and Alertable do nothing here.
 *
 * STATUS_SUCCESS            it did.
 * STATUS_TIMEOUT            it did not in time.
 * STATUS_INVALID_PARAMETER  Object is none of the three.
 *
 * Source: Microsoft Learn, "KeWaitForSingleObject function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode,
                                               BOOLEAN Alertable, PLARGE_INTEGER Timeout);

/*
 * Sleep; Interval as Timeout of KeWaitForSingleObject. STATUS_SUCCESS.
 *
 * Source: Microsoft Learn, "KeDelayExecutionThread function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval);

/*
 * The time in 100 ns since 1601, UTC; and a counter of nanoseconds, with its frequency where asked for.
 *
 * Source: Microsoft Learn, "KeQuerySystemTime macro (wdm.h)", "KeQueryPerformanceCounter function (ntifs.h)".
 */
NVRTL_API VOID NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime);
NVRTL_API LARGE_INTEGER NTAPI KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency);

/*
 * A pointer that is another one for every thread, and never followed.
 *
 * Source: Microsoft Learn, "KeGetCurrentThread function (wdm.h)", "PsGetCurrentThread function (ntddk.h)".
 */
NVRTL_API PKTHREAD NTAPI KeGetCurrentThread(VOID);
#define PsGetCurrentThread() ((PETHREAD)KeGetCurrentThread())

/* -- locks. None has to be destroyed; those that have a function for it need it on Windows -- */

/* Whoever holds it is at APC_LEVEL. */
typedef struct _FAST_MUTEX {
    PKTHREAD Owner;
    KIRQL OldIrql;
    KEVENT Event;
} FAST_MUTEX, *PFAST_MUTEX, KGUARDED_MUTEX, *PKGUARDED_MUTEX;

/* 0: free. Whoever holds it is at DISPATCH_LEVEL; those that wait sleep. */
typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

/* Held by one thread, or shared by several. */
typedef struct _ERESOURCE {
    PKTHREAD OwnerThread; /* that has it exclusively */
    LONG ActiveCount;     /* how often it has been acquired by those that hold it */
} ERESOURCE, *PERESOURCE;

/*
 * Fast mutexes are not recursive. KGUARDED_MUTEX is the same lock, held in a guarded region at the IRQL that was.
 * TRUE from a function that tries: it is held now.
 *
 * Source: Microsoft Learn, "Fast Mutexes and Guarded Mutexes".
 */
NVRTL_API VOID NTAPI ExInitializeFastMutex(PFAST_MUTEX FastMutex);
NVRTL_API VOID NTAPI ExAcquireFastMutex(PFAST_MUTEX FastMutex);
NVRTL_API BOOLEAN NTAPI ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex);
NVRTL_API VOID NTAPI ExReleaseFastMutex(PFAST_MUTEX FastMutex);
NVRTL_API VOID NTAPI KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex);
NVRTL_API VOID NTAPI KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);
NVRTL_API BOOLEAN NTAPI KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);
NVRTL_API VOID NTAPI KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex);

/* Source: Microsoft Learn, "Introduction to Spin Locks". */
NVRTL_API VOID NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock);
NVRTL_API VOID NTAPI KeAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql);
NVRTL_API VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);
NVRTL_API VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);
NVRTL_API VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);

/*
 * Resources. The exclusive owner may acquire again, in both ways. With Wait FALSE: FALSE where it would have to wait.
 * Those that share come before those that wait to have it alone. Init and delete give STATUS_SUCCESS.
 *
 * Source: Microsoft Learn, "Introduction to ERESOURCE Routines".
 */
NVRTL_API NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource);
NVRTL_API NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource);
NVRTL_API BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait);
NVRTL_API BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait);
NVRTL_API VOID NTAPI ExReleaseResourceLite(PERESOURCE Resource);
NVRTL_API BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource);

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

/*
 * Memory of the process, whatever the pool: aligned to 16 bytes, to a page from a page's size on, and to 64 where it is
 * to be cache aligned. NULL: there is none (no exception is raised, whatever the flags), or ExAllocatePool2 was given
 * no pool or several. ExAllocatePool2 zeroes it, unless POOL_FLAG_UNINITIALIZED; ExAllocatePoolZero, too.
 *
 * Source: Microsoft Learn, "ExAllocatePool2 function (wdm.h)", "ExAllocatePoolWithTag function (wdm.h)".
 */
NVRTL_API PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
NVRTL_API PVOID NTAPI ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag);
NVRTL_API PVOID NTAPI ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
#define ExAllocatePool(PoolType, NumberOfBytes) ExAllocatePoolWithTag((PoolType), (NumberOfBytes), 0x656e6f4e)
#define ExAllocatePoolUninitialized ExAllocatePoolWithTag

/* Free such memory; the tag is not compared. Source: Microsoft Learn, "ExFreePoolWithTag function (wdm.h)". */
NVRTL_API VOID NTAPI ExFreePool(PVOID P);
NVRTL_API VOID NTAPI ExFreePoolWithTag(PVOID P, ULONG Tag);

/* -- strings -- */

/* Let DestinationString stand for an empty text with room for BufferSize bytes. */
static inline VOID NTAPI RtlInitEmptyUnicodeString(PUNICODE_STRING DestinationString, PWCHAR Buffer, USHORT BufferSize)
{
    DestinationString->Length = 0;
    DestinationString->MaximumLength = BufferSize;
    DestinationString->Buffer = Buffer;
}

/*
 * Copy as much as fits; SourceString NULL empties the destination. A NUL follows where there is room.
 *
 * Source: Microsoft Learn, "RtlCopyUnicodeString function (wdm.h)".
 */
NVRTL_API VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);

/*
 * Append a text (NULL: nothing). STATUS_SUCCESS; STATUS_BUFFER_TOO_SMALL: it does not fit, and nothing was appended.
 *
 * Source: Microsoft Learn, "RtlAppendUnicodeStringToString function (wdm.h)", "RtlAppendUnicodeToString ...".
 */
NVRTL_API NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source);
NVRTL_API NTSTATUS NTAPI RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source);

/*
 * Compare: negative, 0 or positive; equal or not; whether String2 begins with String1. Where case does not count,
 * letters of ASCII, Latin-1, Greek and Cyrillic are the same in both cases, others are compared as they are.
 *
 * Source: Microsoft Learn, "RtlCompareUnicodeString function (wdm.h)" and the pages beside it.
 */
NVRTL_API LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                             BOOLEAN CaseInSensitive);
NVRTL_API BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                              BOOLEAN CaseInSensitive);
NVRTL_API BOOLEAN NTAPI RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                               BOOLEAN CaseInSensitive);
NVRTL_API WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR SourceCharacter);

/* -- the debugger: there is none, and nothing is printed -- */

/* STATUS_SUCCESS. Source: Microsoft Learn, "DbgPrint function (wdm.h)". */
NVRTL_API ULONG DbgPrint(const CHAR *Format, ...);
NVRTL_API ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, const CHAR *Format, ...);

/* -- objects -- */

/*
 * Take and give back a reference to a FILE_OBJECT, DEVICE_OBJECT or DRIVER_OBJECT; an object goes with its last one.
 *
 * Source: Microsoft Learn, "ObReferenceObject macro (wdm.h)", "ObDereferenceObject macro (wdm.h)".
 */
NVRTL_API VOID NTAPI ObReferenceObject(PVOID Object);
NVRTL_API VOID NTAPI ObDereferenceObject(PVOID Object);

typedef struct _OBJECT_HANDLE_INFORMATION {
    ULONG HandleAttributes;
    ACCESS_MASK GrantedAccess;
} OBJECT_HANDLE_INFORMATION, *POBJECT_HANDLE_INFORMATION;

/* What stands for the type of file objects, as ObReferenceObjectByHandle takes it: *IoFileObjectType. */
NVRTL_API POBJECT_TYPE *NTAPI NvrtlFileObjectType(VOID);
#define IoFileObjectType NvrtlFileObjectType()

/*
 * Give the FILE_OBJECT of a file handle, with one reference more. ObjectType NULL is the same as *IoFileObjectType.
 *
 * STATUS_SUCCESS               *Object is the file object.
 * STATUS_INVALID_HANDLE        Handle is no live handle.
 * STATUS_OBJECT_TYPE_MISMATCH  it is one of something else, or ObjectType is another type.
 * STATUS_ACCESS_DENIED         AccessMode is UserMode, and the handle was not granted DesiredAccess.
 *
 * Source: Microsoft Learn, "ObReferenceObjectByHandle function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                   KPROCESSOR_MODE AccessMode, PVOID *Object,
                                                   POBJECT_HANDLE_INFORMATION HandleInformation);

NVRTL_END

#endif
