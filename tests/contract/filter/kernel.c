/* SPDX-License-Identifier: MIT */
/* What drivers find around them: events and waits, locks, memory, lists, strings, levels. */
#include "tests/support/nt.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define MILLISECOND (-10000LL)

static NTSTATUS wait_for(PVOID object, LONGLONG timeout)
{
    LARGE_INTEGER units = {.QuadPart = timeout};
    return KeWaitForSingleObject(object, Executive, KernelMode, FALSE, &units);
}

/* -- events -- */

static void events(void **state)
{
    (void)state;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    assert_status(wait_for(&event, 0), STATUS_TIMEOUT);
    assert_int_equal(KeReadStateEvent(&event), 0);
    assert_int_equal(KeSetEvent(&event, IO_NO_INCREMENT, FALSE), 0);
    assert_int_not_equal(KeSetEvent(&event, IO_NO_INCREMENT, FALSE), 0);
    assert_status(wait_for(&event, 0), STATUS_SUCCESS);
    assert_status(wait_for(&event, 0), STATUS_SUCCESS); /* it stays */
    assert_int_not_equal(KeResetEvent(&event), 0);
    assert_int_equal(KeResetEvent(&event), 0);
    assert_int_equal(KePulseEvent(&event, IO_NO_INCREMENT, FALSE), 0);
    assert_int_equal(KeReadStateEvent(&event), 0);

    KeInitializeEvent(&event, SynchronizationEvent, TRUE);
    assert_status(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    assert_status(wait_for(&event, 0), STATUS_TIMEOUT); /* one wait took it */
    KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
    KeClearEvent(&event);
    assert_status(wait_for(&event, 0), STATUS_TIMEOUT);
}

/* In units of 100 ns: negative from now on, positive since 1601. */
static void timeouts(void **state)
{
    (void)state;
    KEVENT event;
    LARGE_INTEGER began, now, interval = {.QuadPart = 5 * MILLISECOND}, frequency;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    began = KeQueryPerformanceCounter(&frequency);
    assert_status(wait_for(&event, 20 * MILLISECOND), STATUS_TIMEOUT);
    now = KeQueryPerformanceCounter(NULL);
    assert_true(now.QuadPart - began.QuadPart >= frequency.QuadPart / 50);
    KeQuerySystemTime(&now);
    assert_true(now.QuadPart / 10000000 > 13000000000LL); /* it is later than the year 2012 */
    assert_status(wait_for(&event, now.QuadPart + 50000), STATUS_TIMEOUT);
    KeQuerySystemTime(&began);
    assert_true(began.QuadPart >= now.QuadPart + 50000);
    assert_status(wait_for(&event, 1), STATUS_TIMEOUT); /* long ago */
    assert_status(KeDelayExecutionThread(KernelMode, FALSE, &interval), STATUS_SUCCESS);
    KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
    assert_status(wait_for(&event, INT64_MIN), STATUS_SUCCESS);
    assert_status(wait_for(&event, INT64_MAX), STATUS_SUCCESS);
    assert_status(KeWaitForSingleObject(NULL, Executive, KernelMode, FALSE, NULL), STATUS_INVALID_PARAMETER);
}

enum { WAITERS = 8 };

static KEVENT shared_event;
static _Atomic int woken;

static void *wait_in_thread(void *status)
{
    *(NTSTATUS *)status = KeWaitForSingleObject(&shared_event, Executive, KernelMode, FALSE, NULL);
    woken++;
    return NULL;
}

/* Each set of a synchronization event lets exactly one thread go, however fast they follow each other. */
static void one_thread_for_each_set(void **state)
{
    (void)state;
    pthread_t threads[WAITERS];
    NTSTATUS statuses[WAITERS];
    KeInitializeEvent(&shared_event, SynchronizationEvent, FALSE);
    woken = 0;
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_thread, &statuses[i]), 0);
    for (int i = 0; i < WAITERS; i++)
        while (KeSetEvent(&shared_event, IO_NO_INCREMENT, FALSE) != 0) /* nobody waited: it was set still */
            sched_yield();
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_status(statuses[i], STATUS_SUCCESS);
    }
    assert_int_equal(woken, WAITERS);
    assert_int_equal(KeReadStateEvent(&shared_event), 0);

    KeInitializeEvent(&shared_event, NotificationEvent, FALSE);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_thread, &statuses[i]), 0);
    KeSetEvent(&shared_event, IO_NO_INCREMENT, FALSE);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(woken, 2 * WAITERS);
}

static void semaphores(void **state)
{
    (void)state;
    KSEMAPHORE semaphore;
    KeInitializeSemaphore(&semaphore, 1, 3);
    assert_status(wait_for(&semaphore, 0), STATUS_SUCCESS);
    assert_status(wait_for(&semaphore, 0), STATUS_TIMEOUT);
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 2, FALSE), 0);
    assert_int_equal(KeReadStateSemaphore(&semaphore), 2);
    assert_int_equal(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 2, FALSE), 2); /* more than the limit: none */
    assert_int_equal(KeReadStateSemaphore(&semaphore), 2);
    assert_status(wait_for(&semaphore, 0), STATUS_SUCCESS);
    assert_status(wait_for(&semaphore, 0), STATUS_SUCCESS);
    assert_status(wait_for(&semaphore, MILLISECOND), STATUS_TIMEOUT);
}

static KMUTEX shared_mutex;

static void *try_mutex(void *status)
{
    *(NTSTATUS *)status = wait_for(&shared_mutex, 0);
    return NULL;
}

static NTSTATUS of_another_thread(void)
{
    pthread_t thread;
    NTSTATUS status;
    assert_int_equal(pthread_create(&thread, NULL, try_mutex, &status), 0);
    pthread_join(thread, NULL);
    return status;
}

static void mutexes(void **state)
{
    (void)state;
    KeInitializeMutex(&shared_mutex, 0);
    assert_false(KeAreApcsDisabled());
    assert_status(wait_for(&shared_mutex, 0), STATUS_SUCCESS);
    assert_status(wait_for(&shared_mutex, 0), STATUS_SUCCESS); /* again, by its owner */
    assert_true(KeAreApcsDisabled());
    assert_false(KeAreAllApcsDisabled());
    assert_status(of_another_thread(), STATUS_TIMEOUT);
    assert_int_equal(KeReleaseMutex(&shared_mutex, FALSE), -1);
    assert_status(of_another_thread(), STATUS_TIMEOUT);
    assert_int_equal(KeReleaseMutex(&shared_mutex, FALSE), 0);
    assert_false(KeAreApcsDisabled());
    assert_int_equal(KeReleaseMutex(&shared_mutex, FALSE), 1); /* it is nobody's: nothing happens */
    assert_status(wait_for(&shared_mutex, 0), STATUS_SUCCESS);
    assert_int_equal(KeReleaseMutex(&shared_mutex, FALSE), 0);
}

/* -- levels -- */

static void levels(void **state)
{
    (void)state;
    KIRQL old, older;
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    KeRaiseIrql(APC_LEVEL, &old);
    assert_true(KeAreAllApcsDisabled());
    assert_false(KeAreApcsDisabled());
    older = KeRaiseIrqlToDpcLevel();
    assert_int_equal(old, PASSIVE_LEVEL);
    assert_int_equal(older, APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(old);
    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    assert_true(KeAreApcsDisabled());
    assert_true(KeAreAllApcsDisabled());
    KeLeaveGuardedRegion();
    assert_false(KeAreAllApcsDisabled());
    KeLeaveCriticalRegion();
    assert_false(KeAreApcsDisabled());
    KeLeaveCriticalRegion(); /* one too many has no effect */
    KeLeaveGuardedRegion();
    assert_false(KeAreApcsDisabled());
}

/* -- locks -- */

enum { ROUNDS = 20000 };

static FAST_MUTEX fast;
static KGUARDED_MUTEX guarded;
static KSPIN_LOCK spin;
static ERESOURCE resource;
static long counters[4];

static void *count(void *unused)
{
    KIRQL old;
    for (int i = 0; i < ROUNDS; i++) {
        ExAcquireFastMutex(&fast);
        counters[0]++;
        ExReleaseFastMutex(&fast);
        KeAcquireGuardedMutex(&guarded);
        counters[1]++;
        KeReleaseGuardedMutex(&guarded);
        KeAcquireSpinLock(&spin, &old);
        counters[2]++;
        KeReleaseSpinLock(&spin, old);
        ExAcquireResourceExclusiveLite(&resource, TRUE);
        counters[3]++;
        ExReleaseResourceLite(&resource);
        ExAcquireResourceSharedLite(&resource, TRUE);
        ExReleaseResourceLite(&resource);
    }
    return unused;
}

static void initialize_locks(void)
{
    ExInitializeFastMutex(&fast);
    KeInitializeGuardedMutex(&guarded);
    KeInitializeSpinLock(&spin);
    ExInitializeResourceLite(&resource);
}

static void locks_exclude(void **state)
{
    (void)state;
    pthread_t threads[4];
    initialize_locks();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(counters[i], 4 * ROUNDS);
    assert_status(ExDeleteResourceLite(&resource), STATUS_SUCCESS);
}

static void *try_locks(void *got)
{
    int *taken = got;
    taken[0] = ExTryToAcquireFastMutex(&fast) != 0;
    taken[1] = KeTryToAcquireGuardedMutex(&guarded) != 0;
    taken[2] = ExAcquireResourceExclusiveLite(&resource, FALSE) != 0;
    taken[3] = ExAcquireResourceSharedLite(&resource, FALSE) != 0;
    taken[4] = KeGetCurrentIrql() + KeAreAllApcsDisabled() * 100;
    return NULL;
}

static void try_in_thread(int taken[5])
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, try_locks, taken), 0);
    pthread_join(thread, NULL);
}

static void locks_raise_levels(void **state)
{
    (void)state;
    KIRQL old;
    int taken[5];
    initialize_locks();
    ExAcquireFastMutex(&fast);
    assert_int_equal(KeGetCurrentIrql(), APC_LEVEL);
    KeAcquireGuardedMutex(&guarded);
    assert_true(KeAreApcsDisabled());
    KeAcquireSpinLock(&spin, &old);
    assert_int_equal(old, APC_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeReleaseSpinLock(&spin, old);
    ExAcquireResourceExclusiveLite(&resource, TRUE);
    assert_true(ExAcquireResourceSharedLite(&resource, FALSE)); /* again, by its owner */
    assert_true(ExIsResourceAcquiredExclusiveLite(&resource));
    try_in_thread(taken);
    for (int i = 0; i < 5; i++)
        assert_int_equal(taken[i], 0); /* and the level is as it was */
    ExReleaseResourceLite(&resource);
    ExReleaseResourceLite(&resource);
    assert_false(ExIsResourceAcquiredExclusiveLite(&resource));
    ExAcquireResourceSharedLite(&resource, TRUE);
    KeReleaseGuardedMutex(&guarded);
    ExReleaseFastMutex(&fast);
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
    try_in_thread(taken);
    assert_int_equal(taken[0] + taken[1], 2);
    assert_int_equal(taken[2], 0);
    assert_int_equal(taken[3], 1);
}

/* -- memory -- */

static void pools(void **state)
{
    (void)state;
    static const SIZE_T sizes[] = {0, 1, 15, 16, 17, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        SIZE_T alignment = sizes[i] >= 4096 ? 4096 : 16;
        char *plain = ExAllocatePoolWithTag(NonPagedPoolNx, sizes[i], 0x67617454);
        char *aligned = ExAllocatePoolWithTag(PagedPoolCacheAligned, sizes[i], 0x67617454);
        char *zeroed = ExAllocatePool2(POOL_FLAG_PAGED, sizes[i], 0x67617454);
        char *also = ExAllocatePoolZero(PagedPool, sizes[i], 0x67617454);
        assert_true(plain && aligned && zeroed && also);
        assert_int_equal((uintptr_t)plain % alignment, 0);
        assert_int_equal((uintptr_t)aligned % 64, 0);
        memset(plain, 1, sizes[i]);
        memset(aligned, 1, sizes[i]);
        for (SIZE_T at = 0; at < sizes[i]; at++)
            assert_true(zeroed[at] == 0 && also[at] == 0);
        ExFreePool(plain);
        ExFreePoolWithTag(aligned, 0x67617454);
        ExFreePoolWithTag(zeroed, 0);
        ExFreePool(also);
    }
    assert_null(ExAllocatePool2(0, 16, 1));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_NON_PAGED, 16, 1));
    assert_null(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, SIZE_MAX, 1));
    assert_null(ExAllocatePoolWithTag(PagedPool, SIZE_MAX - 40, 1));
    ExFreePool(NULL);
}

/* -- lists -- */

struct item {
    int number;
    LIST_ENTRY entry;
};

static int number_of(PLIST_ENTRY entry)
{
    return ((struct item *)(void *)((char *)entry - offsetof(struct item, entry)))->number;
}

static void lists(void **state)
{
    (void)state;
    LIST_ENTRY head;
    struct item items[] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    InitializeListHead(&head);
    assert_true(IsListEmpty(&head));
    InsertTailList(&head, &items[1].entry);
    InsertTailList(&head, &items[2].entry);
    InsertHeadList(&head, &items[0].entry);
    InsertTailList(&head, &items[3].entry);
    assert_false(RemoveEntryList(&items[1].entry));
    assert_int_equal(number_of(RemoveHeadList(&head)), 0);
    assert_int_equal(number_of(RemoveTailList(&head)), 3);
    assert_true(RemoveEntryList(&items[2].entry));
    assert_true(IsListEmpty(&head));
}

/* -- strings -- */

static UNICODE_STRING string(const WCHAR *text)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, text);
    return string;
}

static void strings_are_copied(void **state)
{
    (void)state;
    WCHAR buffer[6];
    UNICODE_STRING target, one = string(u"one"), longer = string(u"longer text");
    RtlInitEmptyUnicodeString(&target, buffer, sizeof(buffer));
    assert_int_equal(target.Length, 0);
    RtlCopyUnicodeString(&target, &one);
    assert_true(RtlEqualUnicodeString(&target, &one, FALSE));
    assert_int_equal(buffer[3], 0);
    assert_status(RtlAppendUnicodeToString(&target, u"+"), STATUS_SUCCESS);
    assert_status(RtlAppendUnicodeToString(&target, NULL), STATUS_SUCCESS);
    assert_status(RtlAppendUnicodeStringToString(&target, &one), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(target.Length, 8);
    assert_status(RtlAppendUnicodeToString(&target, u"23"), STATUS_SUCCESS);
    assert_int_equal(target.Length, 12); /* full, and without a NUL */
    RtlCopyUnicodeString(&target, &longer);
    assert_int_equal(target.Length, sizeof(buffer));
    assert_memory_equal(buffer, u"longer", sizeof(buffer));
    RtlCopyUnicodeString(&target, NULL);
    assert_int_equal(target.Length, 0);
}

static void strings_are_compared(void **state)
{
    (void)state;
    static const struct {
        const WCHAR *one, *other;
        bool same, same_in_any_case;
    } rows[] = {
        {u"abc", u"abc", true, true},         {u"abc", u"ABC", false, true},
        {u"abc", u"abd", false, false},       {u"", u"", true, true},
        {u"abc", u"ab", false, false},        {u"été", u"ÉTÉ", false, true},
        {u"\u00f7", u"\u00d7", false, false}, {u"σας", u"ΣΑς", false, true},
        {u"жёв", u"ЖЁВ", false, true},        {u"[", u"{", false, false},
        {u"ß", u"ẞ", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        UNICODE_STRING one = string(rows[i].one), other = string(rows[i].other);
        assert_int_equal(RtlEqualUnicodeString(&one, &other, FALSE), rows[i].same);
        assert_int_equal(RtlEqualUnicodeString(&one, &other, TRUE), rows[i].same_in_any_case);
        assert_int_equal(RtlCompareUnicodeString(&one, &other, TRUE) == 0, rows[i].same_in_any_case);
        assert_int_equal(RtlPrefixUnicodeString(&one, &other, FALSE), rows[i].same);
    }
    UNICODE_STRING a = string(u"ab"), b = string(u"B"), ab = string(u"abc");
    assert_true(RtlCompareUnicodeString(&a, &b, FALSE) > 0);
    assert_true(RtlCompareUnicodeString(&a, &b, TRUE) < 0);
    assert_true(RtlCompareUnicodeString(&a, &ab, FALSE) < 0);
    assert_true(RtlPrefixUnicodeString(&a, &ab, FALSE));
    assert_int_equal(RtlUpcaseUnicodeChar(u'\u00ff'), u'\u00ff');
    assert_int_equal(RtlUpcaseUnicodeChar(u'z'), u'Z');
}

/* -- objects -- */

static void objects(void **state)
{
    (void)state;
    OBJECT_HANDLE_INFORMATION information;
    PVOID object = &information;
    HANDLE section, handle;
    make_file("object", "content");
    handle = nt_open("object", FILE_READ_DATA);
    assert_status(ObReferenceObjectByHandle(handle, FILE_WRITE_DATA, *IoFileObjectType, UserMode, &object, NULL),
                  STATUS_ACCESS_DENIED);
    assert_null(object);
    assert_status(ObReferenceObjectByHandle(handle, FILE_WRITE_DATA, NULL, KernelMode, &object, &information),
                  STATUS_SUCCESS);
    assert_int_equal(information.GrantedAccess, FILE_READ_DATA | SYNCHRONIZE);
    assert_int_equal(((FILE_OBJECT *)object)->Type, IO_TYPE_FILE);
    assert_true(((FILE_OBJECT *)object)->ReadAccess && !((FILE_OBJECT *)object)->WriteAccess);
    ObReferenceObject(object);
    assert_status(NtCreateSection(&section, SECTION_MAP_READ, NULL, NULL, PAGE_READONLY, SEC_COMMIT, handle),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    ObDereferenceObject(object);
    ObDereferenceObject(object);
    assert_status(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL), STATUS_INVALID_HANDLE);
    assert_status(ObReferenceObjectByHandle(section, 0, NULL, KernelMode, &object, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(ObReferenceObjectByHandle(section, 0, (POBJECT_TYPE)&section, KernelMode, &object, NULL),
                  STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(NtClose(section), STATUS_SUCCESS);
    assert_int_equal(DbgPrint("%wZ", NULL), STATUS_SUCCESS); /* nobody hears it */
}

static int begin(void **state)
{
    (void)state;
    own_folder_begin(".");
    return 0;
}

static int end(void **state)
{
    (void)state;
    own_folder_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events),
        cmocka_unit_test(timeouts),
        cmocka_unit_test(one_thread_for_each_set),
        cmocka_unit_test(semaphores),
        cmocka_unit_test(mutexes),
        cmocka_unit_test(levels),
        cmocka_unit_test(locks_exclude),
        cmocka_unit_test(locks_raise_levels),
        cmocka_unit_test(pools),
        cmocka_unit_test(lists),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(strings_are_compared),
        cmocka_unit_test(objects),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
