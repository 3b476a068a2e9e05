/* SPDX-License-Identifier: MIT */
/*
 * Sections and views of real files: what is shared and what is not, how long each lives, tokens of views, forks,
 * threads, and every system call failing in turn.
 */
#include "src/backing/backing.h"
#include "src/io/object.h"
#include "src/io/view.h"
#include "tests/support/nt.h"
#include "tests/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRANULARITY ((size_t)0x10000)
#define SIZE (4 * GRANULARITY + 100)

static HANDLE file; /* of SIZE bytes */

static HANDLE section_of(HANDLE handle, LONGLONG size_bytes, ULONG protection)
{
    HANDLE section;
    LARGE_INTEGER size = {.QuadPart = size_bytes};
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, protection, SEC_COMMIT, handle),
                  STATUS_SUCCESS);
    return section;
}

static NTSTATUS map_at(HANDLE section, char **base, LONGLONG offset, SIZE_T *size_bytes, ULONG protection)
{
    LARGE_INTEGER start = {.QuadPart = offset};
    PVOID address = *base;
    NTSTATUS status =
        NtMapViewOfSection(section, NtCurrentProcess(), &address, 0, 0, &start, size_bytes, ViewShare, 0, protection);
    *base = address;
    return status;
}

static char *mapped(HANDLE section, LONGLONG offset, SIZE_T size_bytes, ULONG protection)
{
    char *base = NULL;
    assert_status(map_at(section, &base, offset, &size_bytes, protection), STATUS_SUCCESS);
    assert_int_equal((uintptr_t)base % GRANULARITY, 0);
    return base;
}

static NTSTATUS unmap(const void *address)
{
    return NtUnmapViewOfSection(NtCurrentProcess(), (PVOID)(uintptr_t)address);
}

static NTSTATUS flush_memory(char *start, SIZE_T size_bytes)
{
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    PVOID base = start;
    NTSTATUS status = NtFlushVirtualMemory(NtCurrentProcess(), &base, &size_bytes, &io);
    assert_true(io.Status == status || io.Status == UNTOUCHED);
    return status;
}

static void expect_in_file(off_t offset, const char *text)
{
    char found[64] = "";
    int descriptor = open("file", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(descriptor, found, strlen(text), offset), strlen(text));
    close(descriptor);
    assert_string_equal(found, text);
}

static int begin(void **state)
{
    IO_STATUS_BLOCK io;
    (void)state;
    if (nt_create(&file, RW, "file", &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS) != STATUS_SUCCESS)
        return 1;
    return truncate("file", SIZE);
}

static int end(void **state)
{
    (void)state;
    NtClose(file);
    return unlink("file") || nv_view_count() || nv_object_count() || nv_backing_count();
}

/* -- what views are -- */

static void views_share_the_file(void **state)
{
    (void)state;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *one = mapped(section, 0, 0, PAGE_READWRITE), *two = mapped(section, GRANULARITY, PAGE, PAGE_READONLY);
    char *private = mapped(section, 0, PAGE, PAGE_WRITECOPY);
    strcpy(one, "stored");
    strcpy(one + GRANULARITY, "seen");
    assert_string_equal(two, "seen");
    assert_string_equal(private, "stored");
    strcpy(private, "mine alone");
    assert_string_equal(one, "stored");
    expect_in_file(0, "stored");
    assert_status(unmap(one), STATUS_SUCCESS);
    assert_status(unmap(two), STATUS_SUCCESS);
    assert_status(unmap(private), STATUS_SUCCESS);
    NtClose(section);
}

static void section_of_memory(void **state)
{
    (void)state;
    HANDLE section = section_of(NULL, 2 * (LONGLONG)PAGE, PAGE_READWRITE);
    char *one = mapped(section, 0, 0, PAGE_READWRITE), *two = mapped(section, 0, 0, PAGE_READWRITE);
    strcpy(one + PAGE, "shared");
    assert_string_equal(two + PAGE, "shared");
    assert_status(flush_memory(one, 0), STATUS_SUCCESS);
    assert_status(unmap(one), STATUS_SUCCESS);
    assert_status(unmap(two), STATUS_SUCCESS);
    NtClose(section);
}

/* The section keeps the file, the view the section: nothing else has to stay open, and all of it goes in the end. */
static void lifetimes(void **state)
{
    (void)state;
    size_t before = descriptors();
    HANDLE own = nt_open("file", RW), section = section_of(own, 0, PAGE_READWRITE);
    NtClose(own);
    char *view = mapped(section, 0, 0, PAGE_READWRITE);
    NtClose(section);
    strcpy(view, "still there");
    assert_status(flush_memory(view, 10), STATUS_SUCCESS);
    expect_in_file(0, "still there");
    assert_int_equal(descriptors(), before + 1);
    assert_status(unmap(view + 2 * GRANULARITY + 17), STATUS_SUCCESS);
    assert_int_equal(descriptors(), before);
    assert_status(unmap(view), STATUS_NOT_MAPPED_VIEW);
}

/* An address that the caller chooses; it gets that one or none. */
static void chosen_addresses(void **state)
{
    (void)state;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *hole = mapped(section, 0, 0, PAGE_READONLY), *base = hole;
    SIZE_T size_bytes = 0;
    assert_status(unmap(hole), STATUS_SUCCESS);
    assert_status(map_at(section, &base, 0, &size_bytes, PAGE_READWRITE), STATUS_SUCCESS);
    assert_ptr_equal(base, hole);
    assert_int_equal(size_bytes, 4 * GRANULARITY + PAGE);
    base = hole + GRANULARITY;
    size_bytes = 0;
    assert_status(map_at(section, &base, 0, &size_bytes, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    assert_status(unmap(hole), STATUS_SUCCESS);
    char *alien = mmap(hole, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(alien, hole);
    *alien = 'a';
    base = hole;
    assert_status(map_at(section, &base, 0, &size_bytes, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    assert_int_equal(*alien, 'a');
    assert_status(unmap(alien), STATUS_NOT_MAPPED_VIEW);
    munmap(alien, PAGE);
    base = (char *)(UINTPTR_MAX & ~(GRANULARITY - 1));
    assert_status(map_at(section, &base, 0, &size_bytes, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    NtClose(section);
}

static long mapped_pages(void)
{
    long pages = 0;
    FILE *sizes = fopen("/proc/self/statm", "re");
    assert_non_null(sizes);
    assert_int_equal(fscanf(sizes, "%ld", &pages), 1);
    fclose(sizes);
    return pages;
}

/* Nothing of the reservation around a view is left. */
static void no_address_space_is_lost(void **state)
{
    (void)state;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *first = mapped(section, 0, PAGE, PAGE_READWRITE); /* what the heap needs, it has from now on */
    long before = mapped_pages();
    char *view = mapped(section, 0, 3 * PAGE, PAGE_READWRITE);
    assert_int_equal(mapped_pages(), before + 3);
    assert_status(unmap(view), STATUS_SUCCESS);
    assert_int_equal(mapped_pages(), before);
    assert_status(unmap(first), STATUS_SUCCESS);
    NtClose(section);
}

static void many_views(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static char *views[COUNT];
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    for (size_t i = 0; i < COUNT; i++)
        views[i] = mapped(section, 0, GRANULARITY, PAGE_READWRITE);
    assert_int_equal(nv_view_count(), COUNT);
    for (size_t i = 0, at = 0; i < COUNT; i++, at = (at + 137) % COUNT) { /* 137 and COUNT have no factor in common */
        assert_status(unmap(views[at] + 100 + i), STATUS_SUCCESS);
        assert_status(unmap(views[at]), STATUS_NOT_MAPPED_VIEW);
    }
    assert_int_equal(nv_view_count(), 0);
    NtClose(section);
}

/* -- what is refused -- */

static NTSTATUS create_with(HANDLE handle, ACCESS_MASK access, ULONG protection, ULONG attributes)
{
    HANDLE section;
    LARGE_INTEGER size = {.QuadPart = (LONGLONG)PAGE};
    NTSTATUS status = NtCreateSection(&section, access, NULL, &size, protection, attributes, handle);
    if (status == STATUS_SUCCESS)
        NtClose(section);
    return status;
}

static void attributes(void **state)
{
    (void)state;
    struct nt_name name;
    HANDLE section;
    LARGE_INTEGER size = {.QuadPart = (LONGLONG)PAGE}, negative = {.QuadPart = -1};
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_READWRITE, SEC_COMMIT | SEC_NOCACHE), STATUS_SUCCESS);
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_READWRITE, SEC_COMMIT | SEC_FILE), STATUS_SUCCESS);
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_READWRITE, SEC_COMMIT | SEC_RESERVE),
                  STATUS_INVALID_PARAMETER);
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES),
                  STATUS_INVALID_PARAMETER);
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_READWRITE, SEC_NOCACHE), STATUS_INVALID_PARAMETER);
    assert_status(create_with(NULL, SECTION_ALL_ACCESS, PAGE_READWRITE, SEC_IMAGE), STATUS_INVALID_PARAMETER);
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_READWRITE | 0x200, SEC_COMMIT),
                  STATUS_INVALID_PAGE_PROTECTION);
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, nt_name(&name, "\\named", NULL), &size, PAGE_READWRITE,
                                  SEC_COMMIT, file),
                  STATUS_OBJECT_NAME_INVALID);
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &negative, PAGE_READWRITE, SEC_COMMIT, file),
                  STATUS_SECTION_TOO_BIG);
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &negative, PAGE_READWRITE, SEC_COMMIT, NULL),
                  STATUS_INVALID_PARAMETER);
}

static void rights(void **state)
{
    (void)state;
    int ends[2];
    HANDLE pipe_end, executable = nt_open("file", FILE_READ_DATA | FILE_EXECUTE);
    assert_int_equal(pipe(ends), 0);
    assert_status(NvrtlHandleFromFd(ends[0], GENERIC_READ, &pipe_end), STATUS_SUCCESS);
    assert_status(create_with(pipe_end, SECTION_ALL_ACCESS, PAGE_READONLY, SEC_COMMIT),
                  STATUS_INVALID_FILE_FOR_SECTION);
    assert_status(create_with(file, SECTION_ALL_ACCESS, PAGE_EXECUTE_READ, SEC_COMMIT), STATUS_ACCESS_DENIED);
    assert_status(create_with(executable, SECTION_ALL_ACCESS, PAGE_EXECUTE_READ, SEC_COMMIT), STATUS_SUCCESS);
    assert_status(create_with(executable, SECTION_ALL_ACCESS, PAGE_EXECUTE_READWRITE, SEC_COMMIT),
                  STATUS_ACCESS_DENIED);
    NtClose(executable);
    NtClose(pipe_end);
    close(ends[0]);
    close(ends[1]);
}

/* What a section's handle was granted is what its views may; generic rights stand for several. */
static void rights_of_sections(void **state)
{
    (void)state;
    static const struct {
        ACCESS_MASK access;
        NTSTATUS reading, writing, copying;
    } rows[] = {
        {SECTION_MAP_READ, STATUS_SUCCESS, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
        {SECTION_MAP_WRITE, STATUS_ACCESS_DENIED, STATUS_SUCCESS, STATUS_ACCESS_DENIED},
        {SECTION_QUERY, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED},
        {GENERIC_READ, STATUS_SUCCESS, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
        {GENERIC_READ | GENERIC_WRITE, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
        {GENERIC_ALL, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
        {MAXIMUM_ALLOWED, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct {
            ULONG protection;
            NTSTATUS status;
        } views[] = {
            {PAGE_READONLY, rows[i].reading}, {PAGE_READWRITE, rows[i].writing}, {PAGE_WRITECOPY, rows[i].copying}};
        HANDLE section;
        assert_status(NtCreateSection(&section, rows[i].access, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, file),
                      STATUS_SUCCESS);
        for (size_t view = 0; view < 3; view++) {
            char *base = NULL;
            SIZE_T size_bytes = 0;
            assert_status(map_at(section, &base, 0, &size_bytes, views[view].protection), views[view].status);
            if (base)
                assert_status(unmap(base), STATUS_SUCCESS);
        }
        NtClose(section);
    }
}

/* -- durable -- */

static void token_of_a_view(void **state)
{
    (void)state;
    PVOID token;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *view = mapped(section, 0, 0, PAGE_READWRITE), *reading = mapped(section, 0, 0, PAGE_READONLY);
    assert_status(RtlGetNonVolatileToken(reading, SIZE, &token), STATUS_ACCESS_DENIED);
    assert_status(RtlGetNonVolatileToken(view, SIZE, &token), STATUS_SUCCESS);
    assert_status(RtlWriteNonVolatileMemory(token, view + 5, "durable", 7, WRITE_NV_MEMORY_FLAG_PERSIST),
                  STATUS_SUCCESS);
    expect_in_file(5, "durable");
    assert_status(unmap(view), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    assert_status(unmap(reading), STATUS_SUCCESS);
    NtClose(section);
}

/* A view's failure is the handle's and the token's, and the other way round. */
static void failures_are_shared(void **state)
{
    (void)state;
    PVOID token;
    IO_STATUS_BLOCK io;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *view = mapped(section, 0, 0, PAGE_READWRITE);
    system_begin();
    assert_status(RtlGetNonVolatileToken(view, PAGE, &token), STATUS_SUCCESS);
    system_now.sync_error = ENOSPC;
    system_now.sync_errors = 1;
    assert_status(flush_memory(view, 1), STATUS_DISK_FULL);
    assert_status(flush_memory(view + GRANULARITY, 1), STATUS_DISK_FULL);
    assert_status(NtFlushBuffersFile(file, &io), STATUS_DISK_FULL);
    assert_status(RtlFlushNonVolatileMemory(token, view, 1, 0), STATUS_DISK_FULL);
    assert_status(NvrtlForgetFileFailure(file), STATUS_SUCCESS);
    assert_status(flush_memory(view, 0), STATUS_SUCCESS);
    system_now.sync_errors = 1;
    assert_status(NtFlushBuffersFile(file, &io), STATUS_DISK_FULL);
    assert_status(flush_memory(view, 0), STATUS_DISK_FULL);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    assert_status(flush_memory(view, 0), STATUS_SUCCESS);
    system_end();
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    assert_status(unmap(view), STATUS_SUCCESS);
    NtClose(section);
}

/* Only the pages asked for are written, and the range is told in whole pages. */
static void what_is_flushed(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *view = mapped(section, 0, 0, PAGE_READWRITE), *private = mapped(section, 0, 0, PAGE_WRITECOPY);
    PVOID base = view + PAGE + 10;
    SIZE_T size_bytes = PAGE;
    system_begin();
    assert_status(NtFlushVirtualMemory(NtCurrentProcess(), &base, &size_bytes, &io), STATUS_SUCCESS);
    assert_ptr_equal(base, view + PAGE);
    assert_int_equal(size_bytes, 2 * PAGE);
    assert_int_equal(system_now.syncs, 1);
    assert_int_equal(system_now.sync_start, (uintptr_t)view + PAGE);
    assert_int_equal(system_now.sync_size_bytes, 2 * PAGE);
    strcpy(private, "no file has this");
    assert_status(flush_memory(private, 0), STATUS_SUCCESS);
    assert_int_equal(system_now.syncs, 1);
    system_end();
    assert_status(unmap(view), STATUS_SUCCESS);
    assert_status(unmap(private), STATUS_SUCCESS);
    NtClose(section);
}

/* -- processes and threads -- */

static int in_child(HANDLE section, char *view)
{
    SIZE_T size_bytes = 0;
    char *own = NULL;
    strcpy(view, "from the child");
    if (flush_memory(view, 1) != STATUS_SUCCESS || unmap(view) != STATUS_SUCCESS)
        return 1;
    if (map_at(section, &own, 0, &size_bytes, PAGE_READWRITE) != STATUS_SUCCESS || strcmp(own, "from the child") != 0)
        return 2;
    return nv_view_count() == 1 ? 0 : 3;
}

static void forked(void **state)
{
    (void)state;
    int result = -1;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *view = mapped(section, 0, 0, PAGE_READWRITE);
    pid_t child = fork();
    if (child == 0)
        _exit(in_child(section, view));
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_string_equal(view, "from the child");
    assert_status(unmap(view), STATUS_SUCCESS);
    NtClose(section);
}

static void *map_and_unmap(void *section)
{
    uintptr_t wrong = 0;
    for (int i = 0; i < 300; i++) {
        SIZE_T size_bytes = GRANULARITY;
        char *base = NULL;
        wrong += map_at(section, &base, GRANULARITY, &size_bytes, PAGE_READWRITE) != STATUS_SUCCESS;
        base[i] = (char)i;
        if (i % 50 == 0)
            wrong += flush_memory(base + i, 1) != STATUS_SUCCESS;
        wrong += unmap(base + i) != STATUS_SUCCESS;
    }
    return (void *)wrong;
}

static void threads(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    pthread_t thread[COUNT];
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, map_and_unmap, section), 0);
    for (int i = 0; i < COUNT; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    NtClose(section);
}

/* A view that one thread unmaps while another flushes it: a status, and no failure of the file. */
static void *flush_until_gone(void *view)
{
    NTSTATUS status;
    do
        status = flush_memory(view, PAGE);
    while (status == STATUS_SUCCESS);
    return (void *)(uintptr_t)(ULONG)status;
}

static void unmapped_while_flushed(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    for (int i = 0; i < 20; i++) {
        char *view = mapped(section, 0, 0, PAGE_READWRITE);
        pthread_t thread;
        void *status;
        assert_int_equal(pthread_create(&thread, NULL, flush_until_gone, view), 0);
        *view = (char)i;
        assert_status(unmap(view), STATUS_SUCCESS);
        pthread_join(thread, &status);
        assert_status((uintptr_t)status, STATUS_NOT_MAPPED_VIEW);
    }
    assert_status(NtFlushBuffersFile(file, &io), STATUS_SUCCESS);
    NtClose(section);
}

/* Likewise what the program takes away itself. */
static void unmapped_without_asking(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    HANDLE section = section_of(file, 0, PAGE_READWRITE);
    char *view = mapped(section, 0, 0, PAGE_READWRITE);
    assert_int_equal(munmap(view, GRANULARITY), 0);
    assert_status(flush_memory(view, PAGE), STATUS_NOT_MAPPED_VIEW);
    assert_status(flush_memory(view + GRANULARITY, PAGE), STATUS_SUCCESS);
    assert_status(NtFlushBuffersFile(file, &io), STATUS_SUCCESS);
    assert_status(unmap(view), STATUS_SUCCESS);
    NtClose(section);
}

/* -- any call of the system that fails -- */

static NTSTATUS make_and_map(HANDLE handle, LONGLONG size_bytes, char *base)
{
    HANDLE section;
    LARGE_INTEGER size = {.QuadPart = size_bytes};
    SIZE_T view_bytes = 0;
    NTSTATUS status = NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, handle);
    if (status != STATUS_SUCCESS)
        return status;
    status = map_at(section, &base, 0, &view_bytes, PAGE_READWRITE);
    NtClose(section);
    if (status != STATUS_SUCCESS)
        return status;
    base[0] = 'x';
    status = flush_memory(base, 0);
    NTSTATUS unmapped = unmap(base + 1);
    return status == STATUS_SUCCESS ? unmapped : status;
}

/* Once and for good, for a file, memory, and an address that the caller chose. Nothing is left, whatever failed. */
static void nth_call_fails(void **state)
{
    (void)state;
    HANDLE own = nt_open("file", RW);
    size_t before = descriptors();
    HANDLE section = section_of(own, 0, PAGE_READWRITE);
    char *hole = mapped(section, 0, 0, PAGE_READWRITE);
    assert_status(unmap(hole), STATUS_SUCCESS);
    NtClose(section);
    for (int way = 0; way < 6; way++) {
        bool completed = false;
        for (long nth = 1; !completed; nth++) {
            long pages = mapped_pages();
            system_begin();
            system_now.fail_at = nth;
            system_now.for_good = way % 2;
            NTSTATUS status = make_and_map(way / 2 == 0 ? own : NULL, (LONGLONG)SIZE, way / 2 == 2 ? hole : NULL);
            completed = system_now.failed == 0;
            system_end();
            assert_true(!completed || status == STATUS_SUCCESS);
            assert_int_equal(nv_view_count(), 0);
            assert_int_equal(mapped_pages(), pages);
            assert_status(NvrtlForgetFileFailure(own), STATUS_SUCCESS);
            assert_true(nth < 100);
        }
    }
    assert_int_equal(descriptors(), before);
    NtClose(own);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(views_share_the_file),
        EACH(section_of_memory),
        EACH(lifetimes),
        EACH(chosen_addresses),
        EACH(no_address_space_is_lost),
        EACH(many_views),
        EACH(attributes),
        EACH(rights),
        EACH(rights_of_sections),
        EACH(token_of_a_view),
        EACH(failures_are_shared),
        EACH(what_is_flushed),
        EACH(forked),
        EACH(threads),
        EACH(unmapped_while_flushed),
        EACH(unmapped_without_asking),
        EACH(nth_call_fails),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
