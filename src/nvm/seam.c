/* SPDX-License-Identifier: MIT */
/*
 * Owns the table that the public functions call through, and the constructor that puts it in place: the runtime's own,
 * or the verifier's in a verified run. Nothing else in the runtime asks whether it is verified.
 */
#include "src/nvm/seam.h"

#include "src/backing/backing.h"
#include "src/cpu/cpu.h"
#include "src/nvm/binding.h"
#include "src/nvm/default_token.h"
#include "src/nvm/domain.h"
#include "src/nvm/engines.h"
#include "src/nvm/resolve.h"
#include "src/nvm/token.h"
#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/kernel.h>
#include <nvrtl/status.h>
#include <stdio.h>

static const struct nv_engine *const engines[] = {
    [NvrtlDomainVolatile] = &nv_engine_volatile,
    [NvrtlDomainPageCache] = &nv_engine_page_cache,
    [NvrtlDomainCpuCache] = &nv_engine_cpu_cache,
    [NvrtlDomainMemory] = &nv_engine_memory,
};

/* The order in which one mapping's domain decides for all: whoever comes first does enough for those that follow. */
static const NVRTL_DOMAIN most_work_first[] = {NvrtlDomainPageCache, NvrtlDomainCpuCache, NvrtlDomainMemory,
                                               NvrtlDomainVolatile};

static bool has_domain(const struct nv_segment *segments, size_t count, NVRTL_DOMAIN domain)
{
    for (size_t i = 0; i < count; i++)
        if (segments[i].domain == domain)
            return true;
    return false;
}

static NTSTATUS bind(struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    size_t i = 0;
    while (i < 3 && !has_domain(segments, count, most_work_first[i]))
        i++;
    NVRTL_DOMAIN domain = most_work_first[i];
    if (domain == NvrtlDomainPageCache)
        return (nv_seam->verified ? nv_bind_msync : nv_bind_page_cache)(region, segments, count);
    region->engine = engines[domain];
    region->context = NULL;
    return STATUS_SUCCESS;
}

/* The kept regions are drained already; what is left is the lines that no region remembers. */
static NTSTATUS drain_default(const void *place)
{
    (void)place;
    nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS refuse(enum nv_refusal why, const char *function, PVOID token, const void *address, size_t size_bytes,
                       const void *place)
{
    (void)why;
    (void)function;
    (void)token;
    (void)address;
    (void)size_bytes;
    (void)place;
    return STATUS_INVALID_PARAMETER;
}

static void misuse(enum nv_misuse why, const char *function, const void *place)
{
    (void)why;
    (void)function;
    (void)place;
}

static void tell(const char *sentence)
{
    (void)sentence;
}

static void announce_libpmem(void)
{
}

static void ignore(const void *address, size_t size_bytes)
{
    (void)address;
    (void)size_bytes;
}

static void mark(const char *text, const void *place)
{
    (void)text;
    (void)place;
}

static bool see_write_back(const void *address, size_t size_bytes, bool ordered, const void *place)
{
    (void)address;
    (void)size_bytes;
    (void)ordered;
    (void)place;
    return false;
}

static void see_fence(void)
{
}

static void watch_stores(NVRTL_STORE_WATCH *watch)
{
    (void)watch;
}

static void see_store(const void *address, size_t size_bytes, const void *place)
{
    (void)address;
    (void)size_bytes;
    (void)place;
}

static void see_split(const void *address, size_t size_bytes, const void *place)
{
    (void)address;
    (void)size_bytes;
    (void)place;
}

static void expect_durable(const void *address, size_t size_bytes, const void *place)
{
    (void)address;
    (void)size_bytes;
    (void)place;
}

static void expect_order(const NV_MEMORY_RANGE *first, const NV_MEMORY_RANGE *then, const void *place)
{
    (void)first;
    (void)then;
    (void)place;
}

static bool is_view(const void *address)
{
    (void)address;
    return false;
}

static void group(bool begins)
{
    (void)begins;
}

#define OWN_TABLE                                                                                                      \
    .version = NV_SEAM_VERSION, .bind = bind, .drain_default = drain_default, .refuse = refuse, .misuse = misuse,      \
    .tell = tell, .announce_libpmem = announce_libpmem, .ignore = ignore, .mark = mark,                                \
    .see_write_back = see_write_back, .see_fence = see_fence, .watch_stores = watch_stores, .see_store = see_store,    \
    .see_split = see_split, .expect_durable = expect_durable, .expect_order = expect_order, .is_view = is_view,        \
    .group = group

static const struct nv_seam plain = {OWN_TABLE};
static const struct nv_seam forced = {OWN_TABLE, .forced = true};

/* A verified run whose verifier cannot be loaded: the supervisor sees msync, and nothing else of a token. */
static const struct nv_seam only_msync = {
    .version = NV_SEAM_VERSION,
    .forced = true,
    .bind = nv_bind_msync,
    .drain_default = drain_default,
    .refuse = refuse,
    .misuse = misuse,
    .tell = tell,
    .announce_libpmem = announce_libpmem,
    .ignore = ignore,
    .mark = mark,
    .see_write_back = see_write_back,
    .see_fence = see_fence,
    .watch_stores = watch_stores,
    .see_store = see_store,
    .see_split = see_split,
    .expect_durable = expect_durable,
    .expect_order = expect_order,
    .is_view = is_view,
    .group = group,
};

static const struct nv_runtime runtime = {
    .version = NV_SEAM_VERSION,
    .plain = &plain,
    .resolve = nv_resolve,
    .find = nv_token_find,
    .irql = KeGetCurrentIrql,
    .os = &nv_os,
};

const struct nv_seam *nv_seam = &plain;

/* Where it was installed beside this library, or is in the build tree; in both, libpmem.so.1 is in another folder. */
static void *load_beside(void)
{
    static const char *const places[] = {"%s/nvrtl/" NV_VERIFIER_LIBRARY, "%s/" NV_VERIFIER_LIBRARY,
                                         "%s/../verify/" NV_VERIFIER_LIBRARY, "%s/../../verify/" NV_VERIFIER_LIBRARY};
    char folder[4000], path[4096];
    void *library = NULL;
    if (!nv_os_own_folder(folder, sizeof(folder)))
        return NULL;
    for (size_t i = 0; !library && i < sizeof(places) / sizeof(places[0]); i++)
        if (snprintf(path, sizeof(path), places[i], folder) < (int)sizeof(path))
            library = nv_os->load(path);
    return library;
}

static void *load_verifier(void)
{
    const char *folder = nv_option(NV_OPTION_VERIFIER_PATH);
    char path[4096];
    if (folder && snprintf(path, sizeof(path), "%s/" NV_VERIFIER_LIBRARY, folder) < (int)sizeof(path)) {
        void *library = nv_os->load(path);
        if (library)
            return library;
    }
    void *library = nv_os->load(NV_VERIFIER_LIBRARY);
    return library ? library : load_beside();
}

/* A program with another root may not have it under its name. */
static void *load_descriptor(int descriptor)
{
    char link[32], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    ssize_t length = nv_os->readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    void *library = path[0] == '/' ? nv_os->load(path) : NULL;
    if (!library)
        library = nv_os->load(link);
    nv_os->close(descriptor);
    return library;
}

static const struct nv_seam *verifier_seam(void *library)
{
    if (!library)
        return &only_msync;
    nv_verifier_entry *entry = NULL;
    *(void **)&entry = nv_os->symbol(library, NV_VERIFIER_ENTRY);
    const struct nv_seam *seam = entry ? entry(&runtime) : NULL;
    return seam && seam->version == NV_SEAM_VERSION ? seam : &only_msync;
}

const struct nv_seam *nv_seam_choose(void)
{
    const char *verifier = nv_option(NV_OPTION_VERIFIER);
    NVRTL_DOMAIN domain;
    if (verifier && (verifier[0] == '@' || verifier[0] == '1'))
        return verifier_seam(load_verifier());
    int library = nv_os->supervisor(NV_OS_WISH_LIBRARY);
    if (library >= 0)
        return verifier_seam(load_descriptor(library));
    if (library == -ENOENT)
        return &only_msync;
    return nv_domain_forced(&domain) ? &forced : &plain;
}

/* Locks in the order in which the calls nest. */
static void before_fork(void)
{
    nv_binding_before_fork();
    nv_backing_before_fork();
    pthread_mutex_lock(&nv_binding_pool.lock);
    pthread_mutex_lock(&nv_token_pool.lock);
}

static void after_fork(int in_child)
{
    pthread_mutex_unlock(&nv_token_pool.lock);
    pthread_mutex_unlock(&nv_binding_pool.lock);
    nv_backing_after_fork(in_child);
    nv_binding_after_fork(in_child);
}

static void after_fork_in_parent(void)
{
    after_fork(0);
}

static void after_fork_in_child(void)
{
    after_fork(1);
}

/*
 * Before the constructors of a program that is linked statically; nv_seam and nv_cpu work without it, only less well.
 */
__attribute__((constructor(101))) static void start(void)
{
    nv_cpu_choose();
    nv_default_start();
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    nv_seam = nv_seam_choose();
}
