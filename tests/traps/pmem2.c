/* SPDX-License-Identifier: MIT */
/*
 * A file by libpmem2: right, or wrong in the one way that its argument names.
 *
 *     pmem2-client WAY FILE
 */
#include <libpmem2.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES ((off_t)1 << 20)

static struct pmem2_map *map_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    struct pmem2_config *config;
    struct pmem2_source *source;
    struct pmem2_map *map;

    if (fd < 0 || ftruncate(fd, FILE_BYTES) || fsync(fd) || pmem2_config_new(&config) ||
        pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_CACHE_LINE) ||
        pmem2_source_from_fd(&source, fd) || pmem2_map_new(&map, config, source))
        exit(1);
    return map;
}

int main(int count, char **words)
{
    struct pmem2_map *map = count > 2 ? map_file(words[2]) : NULL;
    char *base = map ? pmem2_map_get_address(map) : NULL, text[5000];

    if (!map)
        return 2;
    memset(text, 'x', sizeof text);
    pmem2_get_memcpy_fn(map)(base + 100, text, sizeof text, 0);
    pmem2_get_memcpy_fn(map)(base + 10001, text, sizeof text, PMEM2_F_MEM_TEMPORAL);
    pmem2_get_memset_fn(map)(base + 20000, 'y', 3000, PMEM2_F_MEM_NONTEMPORAL);
    base[8192] = 1;
    pmem2_get_persist_fn(map)(base + 8192, 1);
    base[30000] = 1;
    if (strcmp(words[1], "forgets-to-flush") != 0)
        pmem2_get_flush_fn(map)(base + 30000, 1);
    if (!strcmp(words[1], "right"))
        pmem2_get_drain_fn(map)();
    return 0;
}
