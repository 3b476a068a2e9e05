/* SPDX-License-Identifier: MIT */
/* Owns the peers, libpmem and libpmem2: loaded when they are installed, so that nothing depends on them. */
#include "bench/machine/parts.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

struct nv_bench_libpmem nv_bench_libpmem;

static bool symbol(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    *(void **)function = found;
    return found != NULL;
}

static void tell_file(const void *function, char *path, size_t path_bytes)
{
    Dl_info information;
    char whole[PATH_MAX];
    if (dladdr(function, &information) && realpath(information.dli_fname, whole))
        snprintf(path, path_bytes, "%s", whole);
}

bool nv_bench_libpmem_load(char *path, size_t path_bytes)
{
    struct nv_bench_libpmem *pmem = &nv_bench_libpmem;
    setenv("PMEM_IS_PMEM_FORCE", "1", 1);
    void *library = dlopen("libpmem.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library || !symbol(library, "pmem_memcpy_persist", &pmem->memcpy_persist) ||
        !symbol(library, "pmem_memset_persist", &pmem->memset_persist) ||
        !symbol(library, "pmem_flush", &pmem->flush) || !symbol(library, "pmem_drain", &pmem->drain))
        return false;
    tell_file(*(void **)&pmem->drain, path, path_bytes);
    return true;
}

/* libpmem2's interface, as far as it is used: its headers need not be installed. */
struct pmem2 {
    int (*config_new)(void **config);
    int (*config_delete)(void **config);
    int (*source_from_fd)(void **source, int file);
    int (*source_delete)(void **source);
    int (*set_granularity)(void *config, int granularity);
    int (*map_new)(void **map, const void *config, const void *source);
    void *(*address)(void *map);
    nv_bench_persist *(*persist_function)(void *map);
};
enum { GRANULARITY_PAGE = 2 };

static bool load_pmem2(struct pmem2 *pmem)
{
    void *library = dlopen("libpmem2.so.1", RTLD_NOW | RTLD_LOCAL);
    return library && symbol(library, "pmem2_config_new", &pmem->config_new) &&
           symbol(library, "pmem2_config_delete", &pmem->config_delete) &&
           symbol(library, "pmem2_source_from_fd", &pmem->source_from_fd) &&
           symbol(library, "pmem2_source_delete", &pmem->source_delete) &&
           symbol(library, "pmem2_config_set_required_store_granularity", &pmem->set_granularity) &&
           symbol(library, "pmem2_map_new", &pmem->map_new) &&
           symbol(library, "pmem2_map_get_address", &pmem->address) &&
           symbol(library, "pmem2_get_persist_fn", &pmem->persist_function);
}

/* The mapping stays until the process ends. */
bool nv_bench_libpmem2_map(int file, char **base, nv_bench_persist **persist)
{
    struct pmem2 pmem;
    void *config, *source = NULL, *map;
    if (!load_pmem2(&pmem) || pmem.config_new(&config) != 0)
        return false;
    bool mapped = pmem.source_from_fd(&source, file) == 0 && pmem.set_granularity(config, GRANULARITY_PAGE) == 0 &&
                  pmem.map_new(&map, config, source) == 0;
    pmem.config_delete(&config);
    if (source)
        pmem.source_delete(&source);
    if (!mapped)
        return false;
    *base = pmem.address(map);
    *persist = pmem.persist_function(map);
    return true;
}
