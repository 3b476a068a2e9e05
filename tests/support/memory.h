/* SPDX-License-Identifier: MIT */
/*
 * Mapped memory for tests: files on a disk, on tmpfs, and memory with guard pages. Used by the tests of the memory
 * plane.
 */
#ifndef TEST_MEMORY_H
#define TEST_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nvrtl/nvrtl.h>

#define PAGE ((size_t)4096)
#define DEFAULT_TOKEN ((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN)

/* A status is compared as unsigned, so that a failure shows its hexadecimal value. */
#define assert_status(got, expected) assert_int_equal((ULONG)(got), (ULONG)(expected))

struct file_map {
    char *base;
    size_t size_bytes;
    int descriptor;
    char path[256];
};

/* A new file of zeros in the folder (NULL: the current one), mapped shared and writable; with MAP_SYNC if it is DAX. */
struct file_map file_map_make(const char *folder, size_t size_bytes);

/* Unmaps, closes and unlinks. */
void file_map_end(struct file_map *map);

/* Pages that may be used, with one before and one behind that may not. */
char *guarded_make(size_t size_bytes);
void guarded_end(char *memory, size_t size_bytes);

/* Whether an emulator runs the test (tests/cpus): it is slow, and lacks what its kernel's part does not know. */
bool emulated(void);

/* There, skips the test that runs. */
void skip_emulated(const char *why);

/* Ends the test program as skipped. */
__attribute__((noreturn)) void skip_all(const char *why);

#endif
