/* SPDX-License-Identifier: MIT */
/* RtlGetNonVolatileToken: what memory it gives a token for, and the status of every other. */
#include "tests/support/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

static struct file_map map;

static NTSTATUS get(void *address, size_t size_bytes)
{
    PVOID token = (PVOID)0x1234;
    NTSTATUS status = RtlGetNonVolatileToken(address, size_bytes, &token);
    if (NT_SUCCESS(status))
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    else
        assert_ptr_equal(token, (PVOID)0x1234); /* untouched on failure */
    return status;
}

static void good_ranges(void **state)
{
    (void)state;
    assert_status(get(map.base, map.size_bytes), STATUS_SUCCESS);
    assert_status(get(map.base + 1, 1), STATUS_SUCCESS);
    assert_status(get(map.base + map.size_bytes - 1, 1), STATUS_SUCCESS);
    assert_status(get(map.base + PAGE - 1, 2), STATUS_SUCCESS);
}

static void bad_arguments(void **state)
{
    (void)state;
    assert_status(RtlGetNonVolatileToken(map.base, PAGE, NULL), STATUS_INVALID_PARAMETER);
    assert_status(get(NULL, PAGE), STATUS_INVALID_PARAMETER);
    assert_status(get(map.base, 0), STATUS_INVALID_PARAMETER);
    assert_status(get(map.base, SIZE_MAX), STATUS_INVALID_PARAMETER);
    assert_status(get(map.base, (size_t)0 - (size_t)map.base), STATUS_INVALID_PARAMETER); /* ends at address 0 */
}

static void not_mapped(void **state)
{
    (void)state;
    char *hole = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *file = mmap(hole, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map.descriptor, 0);
    munmap(hole + PAGE, 3 * PAGE);
    assert_status(get(hole + 2 * PAGE, 10), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(get(file, PAGE), STATUS_SUCCESS);
    assert_status(get(file, PAGE + 1), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(get((void *)PAGE, 10), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(get((void *)0xFFFF800000000000, 10), STATUS_INFO_LENGTH_MISMATCH);
    munmap(file, PAGE);
}

static void private_or_anonymous(void **state)
{
    (void)state;
    char on_stack[64];
    char *on_heap = malloc(64);
    assert_status(get(on_stack, sizeof(on_stack)), STATUS_INVALID_PARAMETER);
    assert_status(get(on_heap, 64), STATUS_INVALID_PARAMETER);
    free(on_heap);
    char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, map.descriptor, 0);
    assert_status(get(memory, PAGE), STATUS_INVALID_PARAMETER);
    munmap(memory, PAGE);
    memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_status(get(memory, PAGE), STATUS_INVALID_PARAMETER);
    munmap(memory, PAGE);
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    assert_true(id >= 0);
    memory = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    assert_status(get(memory, PAGE), STATUS_INVALID_PARAMETER);
    shmdt(memory);
}

static void not_writable(void **state)
{
    (void)state;
    char *memory = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, map.descriptor, 0);
    assert_status(get(memory, PAGE), STATUS_ACCESS_DENIED);
    mprotect(memory, PAGE, PROT_READ | PROT_WRITE);
    assert_status(get(memory, PAGE), STATUS_SUCCESS);
    assert_status(get(memory, PAGE + 1), STATUS_ACCESS_DENIED);
    mprotect(memory, PAGE, PROT_NONE);
    assert_status(get(memory, PAGE), STATUS_ACCESS_DENIED);
    munmap(memory, 2 * PAGE);
}

/* Three mappings in a row, of two files and another offset. */
static void adjacent_mappings(void **state)
{
    (void)state;
    struct file_map other = file_map_make(NULL, 4 * PAGE);
    char *row = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int protection = PROT_READ | PROT_WRITE;
    PVOID token;
    assert_ptr_equal(mmap(row, PAGE, protection, MAP_SHARED | MAP_FIXED, map.descriptor, 0), row);
    assert_ptr_equal(mmap(row + PAGE, PAGE, protection, MAP_SHARED | MAP_FIXED, other.descriptor, 0), row + PAGE);
    assert_status(get(row, 2 * PAGE + 1), STATUS_INVALID_PARAMETER); /* the third is still anonymous */
    mmap(row + 2 * PAGE, PAGE, protection, MAP_SHARED | MAP_FIXED, other.descriptor, 2 * (off_t)PAGE);
    assert_status(RtlGetNonVolatileToken(row + 1, 3 * PAGE - 2, &token), STATUS_SUCCESS);
    char text[2 * PAGE];
    memset(text, 'A', sizeof(text));
    assert_status(RtlWriteNonVolatileMemory(token, row + 100, text, sizeof(text), WRITE_NV_MEMORY_FLAG_PERSIST),
                  STATUS_SUCCESS);
    assert_memory_equal(row + 100, text, sizeof(text));
    assert_int_equal(other.base[2 * PAGE + 99], 'A');
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    munmap(row, 3 * PAGE);
    file_map_end(&other);
}

static void memfd(void **state)
{
    (void)state;
    NVRTL_TOKEN_INFORMATION information;
    PVOID token;
    int descriptor = memfd_create("x", MFD_CLOEXEC);
    assert_int_equal(ftruncate(descriptor, (off_t)PAGE), 0);
    char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    assert_status(RtlGetNonVolatileToken(memory, PAGE, &token), STATUS_SUCCESS);
    assert_status(NvrtlQueryToken(token, &information, sizeof(information)), STATUS_SUCCESS);
    if (!information.Forced)
        assert_int_equal(information.Domain, NvrtlDomainVolatile);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    munmap(memory, PAGE);
    close(descriptor);
}

/* A name that a line of /proc/self/maps cannot show as it is, and no name at all. */
static void odd_paths(void **state)
{
    (void)state;
    int descriptor = open("./nvrtl test\n(deleted) \t\\012", O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(ftruncate(descriptor, (off_t)PAGE), 0);
    char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    assert_status(get(memory, PAGE), STATUS_SUCCESS);
    unlink("./nvrtl test\n(deleted) \t\\012");
    assert_status(get(memory, PAGE), STATUS_SUCCESS);
    munmap(memory, PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ranges),  cmocka_unit_test(bad_arguments),
        cmocka_unit_test(not_mapped),   cmocka_unit_test(private_or_anonymous),
        cmocka_unit_test(not_writable), cmocka_unit_test(adjacent_mappings),
        cmocka_unit_test(memfd),        cmocka_unit_test(odd_paths),
    };
    map = file_map_make(NULL, 16 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
