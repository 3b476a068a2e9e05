/* SPDX-License-Identifier: MIT */
/* Mappings by query and by text: the same segments and statuses; and texts that no real system shows. */
#include "src/nvm/resolve.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct file_map map;

static NTSTATUS resolve(bool old_kernel, void *address, size_t size_bytes, struct nv_segment **segments, size_t *count)
{
    system_begin();
    system_now.old_kernel = old_kernel;
    NTSTATUS status = nv_resolve(address, size_bytes, segments, count);
    assert_int_equal(system_now.open_now, 0);
    system_end();
    return status;
}

static void both_ways_alike(void **state)
{
    (void)state;
    char *row = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mmap(row, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map.descriptor, 5 * (off_t)PAGE);
    mmap(row + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map.descriptor, 0);
    mmap(row + 2 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, map.descriptor, 0);
    munmap(row + 3 * PAGE, PAGE);
    const struct {
        size_t at;
        size_t size_bytes;
        NTSTATUS status;
    } rows[] = {
        {10, 2 * PAGE - 20, STATUS_SUCCESS},        {PAGE, 1, STATUS_SUCCESS},
        {PAGE, PAGE + 1, STATUS_ACCESS_DENIED},     {2 * PAGE, 2 * PAGE, STATUS_ACCESS_DENIED},
        {3 * PAGE, 1, STATUS_INFO_LENGTH_MISMATCH},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nv_segment *by[2];
        size_t counts[2];
        for (int way = 0; way < 2; way++)
            assert_status(resolve(way, row + rows[i].at, rows[i].size_bytes, &by[way], &counts[way]), rows[i].status);
        if (rows[i].status != STATUS_SUCCESS)
            continue;
        assert_int_equal(counts[0], counts[1]);
        for (size_t s = 0; s < counts[0]; s++) {
            assert_ptr_equal(by[0][s].start, by[1][s].start);
            assert_ptr_equal(by[0][s].end, by[1][s].end);
            assert_int_equal(by[0][s].offset, by[1][s].offset);
            assert_int_equal(by[0][s].device, by[1][s].device);
            assert_int_equal(by[0][s].inode, by[1][s].inode);
            assert_int_equal(by[0][s].domain, by[1][s].domain);
            assert_string_equal(by[0][s].path, by[1][s].path);
            assert_string_equal(by[0][s].reason, by[1][s].reason);
        }
        free(by[0]);
        free(by[1]);
    }
    munmap(row, 4 * PAGE);
}

static void what_a_segment_says(void **state)
{
    (void)state;
    struct nv_segment *segments;
    struct stat file;
    size_t count;
    fstat(map.descriptor, &file);
    for (int way = 0; way < 2; way++) {
        assert_status(resolve(way, map.base + 3 * PAGE + 7, 100, &segments, &count), STATUS_SUCCESS);
        assert_int_equal(count, 1);
        assert_ptr_equal(segments->start, map.base + 3 * PAGE + 7);
        assert_ptr_equal(segments->end, map.base + 3 * PAGE + 107);
        assert_int_equal(segments->offset, 3 * PAGE + 7);
        assert_int_equal(segments->inode, file.st_ino);
        assert_non_null(strstr(segments->path, "nvrtl-test-"));
        free(segments);
    }
}

/* A text with a line that cannot be read, a gap, a long path, and the end in the middle of the range. */
static void odd_texts(void **state)
{
    (void)state;
    static char text[8192];
    char path[5000];
    memset(path, 'p', sizeof(path));
    path[4500] = 0;
    strcpy(text, "nonsense\n\n10000-11000 rw-s 0 103:03 7 /a\n11000-12000 rw-s 1000 103:03 7                /");
    strcat(text, path);
    strcat(text, "\n14000-15000 rw-s 0 103:03 7 /a\n");
    const struct fake_file files[] = {{"/proc/self/maps", text}, {NULL, NULL}};
    const struct {
        uintptr_t at;
        size_t size_bytes;
        NTSTATUS status;
    } rows[] = {{0x10800, 0x1000, STATUS_SUCCESS},
                {0x11000, 0x2000, STATUS_INFO_LENGTH_MISMATCH},
                {0x13000, 0x1800, STATUS_INFO_LENGTH_MISMATCH},
                {0x14000, 0x1001, STATUS_INFO_LENGTH_MISMATCH}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nv_segment *segments;
        size_t count;
        system_begin();
        system_now.old_kernel = true;
        system_now.files = files;
        assert_status(nv_resolve((void *)rows[i].at, rows[i].size_bytes, &segments, &count), rows[i].status);
        system_end();
        if (rows[i].status != STATUS_SUCCESS)
            continue;
        assert_int_equal(count, 2);
        assert_int_equal(segments[1].device, makedev(0x103, 3));
        assert_string_equal(segments[1].path, "");
        free(segments);
    }
}

/* The one mapping around an address, both ways: its bounds are told even where no token could be had. */
static void the_mapping_around(void **state)
{
    (void)state;
    char *row = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(row, 8 * PAGE);
    mmap(row + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map.descriptor, 5 * (off_t)PAGE);
    mmap(row + 3 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, map.descriptor, 0);
    mmap(row + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    const struct {
        size_t at, start, end;
        NTSTATUS status;
    } rows[] = {
        {PAGE, PAGE, 3 * PAGE, STATUS_SUCCESS},
        {3 * PAGE - 1, PAGE, 3 * PAGE, STATUS_SUCCESS},
        {3 * PAGE, 3 * PAGE, 4 * PAGE, STATUS_ACCESS_DENIED},
        {4 * PAGE + 7, 4 * PAGE, 5 * PAGE, STATUS_INVALID_PARAMETER},
    };
    for (int way = 0; way < 2; way++) {
        struct nv_segment segment;
        system_begin();
        system_now.old_kernel = way;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            assert_status(nv_resolve_mapping(row + rows[i].at, &segment), rows[i].status);
            assert_ptr_equal(segment.start, row + rows[i].start);
            assert_ptr_equal(segment.end, row + rows[i].end);
        }
        assert_status(nv_resolve_mapping(row + 5 * PAGE, &segment), STATUS_INFO_LENGTH_MISMATCH);
        assert_status(nv_resolve_mapping(row + PAGE, &segment), STATUS_SUCCESS);
        assert_int_equal(segment.offset, 5 * PAGE);
        assert_int_not_equal(segment.reason[0], 0);
        system_now.calls = 0;
        system_now.fail_at = 1;
        assert_status(nv_resolve_mapping(row + PAGE, &segment), STATUS_INSUFFICIENT_RESOURCES);
        assert_int_equal(system_now.open_now, 0);
        system_end();
    }
    munmap(row + PAGE, 4 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_alike),
        cmocka_unit_test(what_a_segment_says),
        cmocka_unit_test(odd_texts),
        cmocka_unit_test(the_mapping_around),
    };
    map = file_map_make(NULL, 16 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
