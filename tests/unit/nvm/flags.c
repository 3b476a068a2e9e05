/* SPDX-License-Identifier: MIT */
/* The flags table, all combinations on every engine: what is stored, what is flushed, what is drained. */
#include "src/nvm/flags.h"
#include "src/cpu/cpu.h"
#include "src/nvm/engines.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <string.h>

#define F WRITE_NV_MEMORY_FLAG_FLUSH
#define N WRITE_NV_MEMORY_FLAG_NON_TEMPORAL
#define D WRITE_NV_MEMORY_FLAG_NO_DRAIN

static const struct {
    ULONG flags;
    enum nv_effect write;
    enum nv_effect fill;
} rows[] = {
    {0, NV_STORE, NV_STORE}, {F, NV_DRAIN, NV_DRAIN},     {N, NV_DRAIN, NV_DRAIN},     {F | N, NV_DRAIN, NV_DRAIN},
    {D, NV_STORE, NV_STORE}, {F | D, NV_FLUSH, NV_FLUSH}, {N | D, NV_FLUSH, NV_DRAIN}, {F | N | D, NV_DRAIN, NV_DRAIN},
};

static struct {
    int stores;
    int write_backs;
    int fences;
    size_t durable_bytes; /* on their way, by either */
} cpu;

static void count_write_back(const void *address, size_t size_bytes)
{
    (void)address;
    cpu.write_backs++;
    cpu.durable_bytes += size_bytes;
}

static void count_write_back_ranges(const NV_MEMORY_RANGE *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        count_write_back(ranges[i].BaseAddress, ranges[i].Length);
}

static void count_fence(void)
{
    cpu.fences++;
}

static void count_copy(void *destination, const void *source, size_t size_bytes)
{
    memmove(destination, source, size_bytes);
    cpu.stores++;
    cpu.durable_bytes += size_bytes;
}

static void count_fill(void *destination, uint8_t value, size_t size_bytes)
{
    memset(destination, value, size_bytes);
    cpu.stores++;
    cpu.durable_bytes += size_bytes;
}

static const struct nv_cpu counting = {.name = "counting",
                                       .write_back = count_write_back,
                                       .write_back_ranges = count_write_back_ranges,
                                       .fence = count_fence,
                                       .copy = count_copy,
                                       .fill = count_fill};

static struct file_map map;
static struct nv_region region;

static void begin(const struct nv_engine *engine)
{
    struct nv_segment segment = {.start = map.base, .end = map.base + map.size_bytes, .device = 1, .inode = 1};
    region = (struct nv_region){.engine = engine, .base = map.base, .size_bytes = map.size_bytes};
    if (engine == &nv_engine_page_cache)
        assert_status(nv_bind_page_cache(&region, &segment, 1), STATUS_SUCCESS);
    system_begin();
    nv_cpu = &counting;
    memset(&cpu, 0, sizeof(cpu));
}

static void end(void)
{
    system_end();
    region.engine->release(&region, NULL);
}

/* One write or fill of 10 bytes with the row's flags. */
static void store(size_t row, int is_fill)
{
    char wanted[10];
    memset(wanted, 'a' + (int)row, sizeof(wanted));
    memset(map.base, 0, 64);
    NTSTATUS status = is_fill
                          ? region.engine->fill(&region, map.base + 5, 10, (uint8_t)('a' + row), rows[row].flags, NULL)
                          : region.engine->write(&region, map.base + 5, wanted, 10, rows[row].flags, NULL);
    assert_status(status, STATUS_SUCCESS);
    assert_memory_equal(map.base + 5, wanted, 10);
    assert_int_equal(map.base[4] | map.base[15], 0);
}

static enum nv_effect effect_of(size_t row, int is_fill)
{
    enum nv_effect effect = is_fill ? rows[row].fill : rows[row].write;
    assert_int_equal(is_fill ? nv_fill_effect(rows[row].flags) : nv_write_effect(rows[row].flags), effect);
    return effect;
}

#define FOR_EACH_ROW                                                                                                   \
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)                                                  \
        for (int is_fill = 0; is_fill < 2; is_fill++)

static void on_page_cache(void **state)
{
    (void)state;
    FOR_EACH_ROW
    {
        enum nv_effect effect = effect_of(row, is_fill);
        begin(&nv_engine_page_cache);
        store(row, is_fill);
        assert_int_equal(system_now.syncs, effect == NV_DRAIN);
        assert_status(region.engine->drain(&region, NULL), STATUS_SUCCESS);
        assert_int_equal(system_now.syncs, effect != NV_STORE); /* a drain after a drain has nothing to do */
        end();
    }
}

static void on_cpu_cache(void **state)
{
    (void)state;
    FOR_EACH_ROW
    {
        enum nv_effect effect = effect_of(row, is_fill);
        begin(&nv_engine_cpu_cache);
        store(row, is_fill);
        assert_int_equal(cpu.stores, effect != NV_STORE);
        assert_int_equal(cpu.durable_bytes, effect != NV_STORE ? 10 : 0);
        assert_int_equal(cpu.fences, effect == NV_DRAIN);
        end();
    }
}

static void on_memory(void **state)
{
    (void)state;
    FOR_EACH_ROW
    {
        enum nv_effect effect = effect_of(row, is_fill);
        begin(&nv_engine_memory);
        store(row, is_fill);
        assert_int_equal(cpu.fences, effect == NV_DRAIN);
        assert_int_equal(cpu.write_backs, 0);
        end();
    }
}

static void on_volatile(void **state)
{
    (void)state;
    FOR_EACH_ROW
    {
        begin(&nv_engine_volatile);
        store(row, is_fill);
        assert_int_equal(cpu.fences + cpu.stores + cpu.write_backs, 0);
        assert_int_equal(system_now.syncs, 0);
        end();
    }
}

/* The two flush functions and the drain. */
static void flushes(void **state)
{
    (void)state;
    const struct nv_engine *engines[] = {&nv_engine_volatile, &nv_engine_page_cache, &nv_engine_cpu_cache,
                                         &nv_engine_memory};
    NV_MEMORY_RANGE ranges[] = {{map.base, 8}, {map.base + 8192, 8}};
    for (int i = 0; i < 4; i++)
        for (ULONG flags = 0; flags < 2; flags++) {
            int pages = i == NvrtlDomainPageCache, lines = i == NvrtlDomainCpuCache;
            int fences = lines || i == NvrtlDomainMemory, drained = flags == 0;
            begin(engines[i]);
            assert_status(region.engine->flush(&region, map.base, 8, flags, NULL), STATUS_SUCCESS);
            assert_int_equal(system_now.syncs, pages && drained);
            assert_int_equal(cpu.write_backs, lines);
            assert_int_equal(cpu.fences, fences && drained);
            assert_status(region.engine->flush_ranges(&region, ranges, 2, flags, NULL), STATUS_SUCCESS);
            assert_int_equal(system_now.syncs, pages && drained ? 2 : 0);
            assert_int_equal(cpu.write_backs, lines ? 3 : 0);
            assert_int_equal(cpu.fences, fences && drained ? 2 : 0);
            assert_status(region.engine->drain(&region, NULL), STATUS_SUCCESS);
            assert_int_equal(system_now.syncs, pages ? (drained ? 2 : 1) : 0);
            assert_int_equal(cpu.fences, fences ? (drained ? 3 : 1) : 0);
            end();
        }
}

/* A write or a fill of 10 bytes by the public functions, and what it led to; then a drain, and what is left for it. */
static void expect_of_call(PVOID token, NVRTL_DOMAIN domain, size_t row, int is_fill)
{
    enum nv_effect effect = effect_of(row, is_fill);
    bool fences = domain == NvrtlDomainCpuCache || domain == NvrtlDomainMemory;
    memset(&cpu, 0, sizeof(cpu));
    system_now.syncs = 0;
    assert_status(is_fill ? RtlFillNonVolatileMemory(token, map.base + 5, 10, 'f', rows[row].flags)
                          : RtlWriteNonVolatileMemory(token, map.base + 5, "0123456789", 10, rows[row].flags),
                  STATUS_SUCCESS);
    assert_memory_equal(map.base + 5, is_fill ? "ffffffffff" : "0123456789", 10);
    assert_int_equal(cpu.durable_bytes, domain == NvrtlDomainCpuCache && effect != NV_STORE ? 10 : 0);
    assert_int_equal(system_now.syncs, domain == NvrtlDomainPageCache && effect == NV_DRAIN);
    if (effect != NV_DRAIN)
        assert_int_equal(cpu.fences, 0);
    else if (fences)
        assert_true(cpu.fences >= 1);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
    assert_int_equal(system_now.syncs, domain == NvrtlDomainPageCache && effect != NV_STORE);
    if (fences)
        assert_true(cpu.fences >= 1);
}

static void by_public_functions(void **state)
{
    (void)state;
    for (int domain = NvrtlDomainVolatile; domain <= NvrtlDomainMemory; domain++) {
        const struct fake_file environment[] = {{"NVRTL_DOMAIN", NvrtlDomainName((NVRTL_DOMAIN)domain)}, {NULL, NULL}};
        const struct nv_cpu *before = nv_cpu;
        PVOID token;
        system_begin();
        system_now.environment = environment;
        nv_cpu = &counting;
        assert_status(RtlGetNonVolatileToken(map.base, map.size_bytes, &token), STATUS_SUCCESS);
        FOR_EACH_ROW
        {
            expect_of_call(token, (NVRTL_DOMAIN)domain, row, is_fill);
            expect_of_call(DEFAULT_TOKEN, (NVRTL_DOMAIN)domain, row, is_fill);
        }
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        nv_cpu = before;
        system_end();
    }
}

/* One msync from the first flushed page to the last, as nobody has a descriptor of the file. */
static void one_msync_for_all(void **state)
{
    (void)state;
    begin(&nv_engine_page_cache);
    for (size_t i = 0; i < 12; i++) { /* pages 3, 8 ... 58, in no order */
        size_t page = 3 + i * 7 % 12 * 5;
        assert_status(region.engine->flush(&region, map.base + page * PAGE, 8, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN, NULL),
                      STATUS_SUCCESS);
    }
    assert_status(region.engine->drain(&region, NULL), STATUS_SUCCESS);
    assert_int_equal(system_now.syncs, 1);
    assert_int_equal(system_now.sync_start, (uintptr_t)map.base + 3 * PAGE);
    assert_int_equal(system_now.sync_size_bytes, 56 * PAGE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_page_cache),       cmocka_unit_test(on_cpu_cache), cmocka_unit_test(on_memory),
        cmocka_unit_test(on_volatile),         cmocka_unit_test(flushes),      cmocka_unit_test(one_msync_for_all),
        cmocka_unit_test(by_public_functions),
    };
    map = file_map_make(NULL, 64 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
