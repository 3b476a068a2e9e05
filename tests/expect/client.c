/* SPDX-License-Identifier: MIT */
/*
 * A program that says what must hold, in pairs: where it does, and where it does not. Run under nvrtl check by
 * `expect`. In the end everything is durable in all of them, so that nothing but the expectation can be a finding.
 */
#include <fcntl.h>
#include <nvrtl/nvrtl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 16384, PAYLOAD = 0, FLAG = 8192, LINE = 64 };

struct map {
    int file;
    char *base;
    PVOID token;
};

static struct map map_file(const char *name)
{
    struct map map = {.file = open(name, O_RDWR | O_CREAT, 0600)};
    if (map.file < 0 || ftruncate(map.file, SIZE) != 0 || fsync(map.file) != 0)
        _exit(3);
    map.base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, map.file, 0);
    if (map.base == MAP_FAILED || RtlGetNonVolatileToken(map.base, SIZE, &map.token) != STATUS_SUCCESS)
        _exit(4);
    return map;
}

static void finish(struct map *map)
{
    if (RtlFreeNonVolatileToken(map->token) != STATUS_SUCCESS || fsync(map->file) != 0)
        _exit(5);
}

static void flush(struct map *map, size_t offset, ULONG flags)
{
    if (RtlFlushNonVolatileMemory(map->token, map->base + offset, LINE, flags) != STATUS_SUCCESS)
        _exit(6);
}

static void publish(struct map *map, int value)
{
    memset(map->base + PAYLOAD, value, LINE);
    map->base[FLAG] = (char)value;
}

__attribute__((noinline)) static void expect_payload(struct map *map)
{
    NvrtlExpectDurable(map->base + PAYLOAD, LINE);
    __asm__ volatile(""); /* no jump instead of the call: the frame is in the report */
}

__attribute__((noinline)) static void declare_order(struct map *payload, struct map *flag)
{
    NvrtlExpectOrder(payload->base + PAYLOAD, LINE, flag->base + FLAG, 1);
    __asm__ volatile("");
}

static void durable(bool right)
{
    struct map map = map_file("data");
    publish(&map, 1);
    flush(&map, PAYLOAD, right ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    expect_payload(&map);
    flush(&map, FLAG, 0);
    finish(&map);
}

static void synced(bool right)
{
    struct map map = map_file("data");
    memset(map.base + PAYLOAD, 7, LINE);
    if (right && msync(map.base, 4096, MS_SYNC) != 0)
        _exit(7);
    expect_payload(&map);
    finish(&map);
}

/* A hundred times, and in the wrong case the flag is drained together with the payload. */
static void ordered(bool right)
{
    struct map map = map_file("data");
    declare_order(&map, &map);
    for (int i = 1; i <= 100; i++) {
        publish(&map, i);
        flush(&map, PAYLOAD, right ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
        flush(&map, FLAG, 0);
    }
    finish(&map);
}

static void ordered_by_sync(bool right)
{
    struct map data = map_file("data"), head = map_file("head");
    declare_order(&data, &head);
    data.base[PAYLOAD + 5] = 1;
    if (right && fdatasync(data.file) != 0)
        _exit(7);
    head.base[FLAG] = 1;
    if (fdatasync(head.file) != 0)
        _exit(7);
    finish(&data);
    finish(&head);
}

/* What comes second does not change, whatever becomes durable around it. */
static void unchanged(void)
{
    struct map map = map_file("data");
    declare_order(&map, &map);
    map.base[PAYLOAD] = 1;
    map.base[FLAG + 1] = 1;
    flush(&map, FLAG, 0);
    flush(&map, PAYLOAD, 0);
    finish(&map);
}

static void not_at_stake(void)
{
    struct map map = map_file("data");
    char text[] = "on the stack";
    NvrtlExpectDurable(text, sizeof(text));
    NvrtlExpectDurable(map.base, 0);
    NvrtlExpectOrder(text, 1, map.base, 1);
    finish(&map);
}

int main(int argc, char **argv)
{
    const char *name = argc == 3 ? argv[1] : "";
    bool right = argc == 3 && strcmp(argv[2], "right") == 0;
    if (strcmp(name, "durable") == 0)
        durable(right);
    else if (strcmp(name, "synced") == 0)
        synced(right);
    else if (strcmp(name, "ordered") == 0)
        ordered(right);
    else if (strcmp(name, "ordered-by-sync") == 0)
        ordered_by_sync(right);
    else if (strcmp(name, "unchanged") == 0)
        unchanged();
    else if (strcmp(name, "not-at-stake") == 0)
        not_at_stake();
    else
        return 2;
    return 0;
}
