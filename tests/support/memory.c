/* SPDX-License-Identifier: MIT */
/* Owns the making of mapped memory for tests. Linked into the tests of the memory plane. */
#include "tests/support/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct file_map file_map_make(const char *folder, size_t size_bytes)
{
    struct file_map map = {.size_bytes = size_bytes};
    snprintf(map.path, sizeof(map.path), "%s/nvrtl-test-XXXXXX", folder ? folder : ".");
    map.descriptor = mkstemp(map.path);
    assert_true(map.descriptor >= 0);
    assert_int_equal(ftruncate(map.descriptor, (off_t)size_bytes), 0);
    const int protection = PROT_READ | PROT_WRITE;
    map.base = mmap(NULL, size_bytes, protection, MAP_SHARED_VALIDATE | MAP_SYNC, map.descriptor, 0);
    if (map.base == MAP_FAILED)
        map.base = mmap(NULL, size_bytes, protection, MAP_SHARED, map.descriptor, 0);
    assert_true(map.base != MAP_FAILED);
    return map;
}

void file_map_end(struct file_map *map)
{
    munmap(map->base, map->size_bytes);
    close(map->descriptor);
    unlink(map->path);
}

char *guarded_make(size_t size_bytes)
{
    char *memory = mmap(NULL, size_bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + PAGE, size_bytes, PROT_READ | PROT_WRITE), 0);
    return memory + PAGE;
}

void guarded_end(char *memory, size_t size_bytes)
{
    munmap(memory - PAGE, size_bytes + 2 * PAGE);
}

bool emulated(void)
{
    return getenv("NVRTL_TEST_EMULATED") != NULL;
}

void skip_emulated(const char *why)
{
    if (!emulated())
        return;
    print_message("%s\n", why);
    skip();
}

void skip_all(const char *why)
{
    fprintf(stderr, "skipped: %s\n", why);
    exit(77);
}
