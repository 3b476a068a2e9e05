/* SPDX-License-Identifier: MIT */
/* Slots and handles: none is given twice, every other value is refused. */
#include "src/pool/pool.h"
#include "src/nvm/token.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <stdlib.h>
#include <time.h>

struct thing {
    struct nv_slot slot;
    int content;
};

static void a_life(void **state)
{
    (void)state;
    static struct nv_pool pool = NV_POOL(0x11);
    uint64_t handle, again;
    assert_null(nv_pool_find(&pool, 0x1100000001000000));
    struct nv_slot *slot = nv_pool_take(&pool, &handle);
    assert_non_null(slot);
    assert_null(nv_pool_find(&pool, handle)); /* not published */
    nv_pool_publish(slot, handle);
    assert_ptr_equal(nv_pool_find(&pool, handle), slot);
    assert_ptr_equal(nv_pool_retire(&pool, handle), slot);
    assert_null(nv_pool_retire(&pool, handle));
    assert_null(nv_pool_find(&pool, handle));
    nv_pool_give_back(&pool, slot);
    assert_int_equal(nv_pool_count(&pool), 0);
    assert_ptr_equal(nv_pool_take(&pool, &again), slot);
    assert_true(again != handle);
    assert_int_equal(nv_pool_count(&pool), 1);
}

/* A slot whose generations are used up is never used again. */
static void generations_end(void **state)
{
    (void)state;
    static struct nv_pool pool = NV_POOL(0x22);
    uint64_t handle;
    struct nv_slot *slot = nv_pool_take(&pool, &handle);
    slot->generation = UINT32_MAX - 1;
    nv_pool_give_back(&pool, slot);
    assert_ptr_equal(nv_pool_take(&pool, &handle), slot);
    nv_pool_give_back(&pool, slot);
    assert_ptr_not_equal(nv_pool_take(&pool, &handle), slot);
}

static void no_slot_left(void **state)
{
    (void)state;
    static struct nv_pool pool = NV_POOL(0x33);
    uint64_t handle;
    assert_non_null(nv_pool_take(&pool, &handle));
    pool.used = NV_POOL_SLOTS;
    assert_null(nv_pool_take(&pool, &handle));
}

static void no_address_space(void **state)
{
    (void)state;
    static struct nv_pool pool = NV_POOL(0x44);
    uint64_t handle;
    system_begin();
    system_now.fail_at = 1;
    assert_null(nv_pool_take(&pool, &handle));
    system_end();
    assert_non_null(nv_pool_take(&pool, &handle));
}

static void random_bits(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand48(seed);
    static char buffer[64];
    struct nv_region region = {.base = buffer, .size_bytes = sizeof(buffer)};
    PVOID tokens[100];
    for (int i = 0; i < 100; i++)
        tokens[i] = nv_token_new(&region, NvrtlDomainVolatile, "");
    for (int i = 0; i < 5000000; i++) {
        uint64_t bits = (uint64_t)mrand48() << 32 ^ (uint64_t)mrand48();
        assert_false(nv_token_find((PVOID)(uintptr_t)bits, &region));
        bits = (uint64_t)(uintptr_t)tokens[i % 100] ^ (uint64_t)1 << i % 64; /* one bit wrong */
        bool live = false;
        for (int t = 0; t < 100; t++)
            live |= (uint64_t)(uintptr_t)tokens[t] == bits;
        assert_int_equal(nv_token_find((PVOID)(uintptr_t)bits, &region), live);
    }
    for (int i = 0; i < 100; i++)
        assert_true(nv_token_free(tokens[i], &region));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life),           cmocka_unit_test(generations_end), cmocka_unit_test(no_slot_left),
        cmocka_unit_test(no_address_space), cmocka_unit_test(random_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
