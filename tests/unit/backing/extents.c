/* SPDX-License-Identifier: MIT */
/*
 * Sets of pages against a table of them: random ranges, in no order, that overlap and touch; exact until there are too
 * many, never less than what was added, and bounded.
 */
#include "src/backing/extents.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGES 8192
#define BASE ((uintptr_t)1 << 32)

static uint64_t random_state;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

struct table {
    bool added[PAGES];
    size_t count;
};

static void add(struct nv_extents *extents, struct table *table, size_t page, size_t count)
{
    uintptr_t low = BASE + page * PAGE + random_below(PAGE);
    uintptr_t high = BASE + (page + count - 1) * PAGE + PAGE - random_below(PAGE);
    if (low >= high)
        high = low + 1;
    nv_extents_add(extents, low, high);
    for (size_t i = page; i < page + count; i++) {
        table->count += !table->added[i];
        table->added[i] = true;
    }
}

/* In order, none touching the next; all that was added; and, if `exact`, nothing else. */
static void expect(const struct nv_extents *extents, const struct table *table, bool exact)
{
    const struct nv_os_range *items = nv_extents_items(extents);
    static bool found[PAGES];
    memset(found, 0, sizeof(found));
    assert_in_range(extents->count, 0, NV_EXTENTS_MAX);
    for (uint32_t i = 0; i < extents->count; i++) {
        assert_true(items[i].low < items[i].high && (i == 0 || items[i - 1].high < items[i].low));
        assert_int_equal((items[i].low | items[i].high) % PAGE, 0);
        for (uintptr_t at = items[i].low; at < items[i].high; at += PAGE)
            found[(at - BASE) / PAGE] = true;
    }
    for (size_t i = 0; i < PAGES; i++)
        if (table->added[i] ? !found[i] : found[i] && exact)
            fail_msg("page %zu", i);
    if (exact)
        assert_int_equal(nv_extents_bytes(extents), table->count * PAGE);
    if (extents->count) {
        assert_int_equal(nv_extents_hull(extents).low, items[0].low);
        assert_int_equal(nv_extents_hull(extents).high, items[extents->count - 1].high);
    }
}

static void exact_while_few(void **state)
{
    (void)state;
    static const size_t spans[] = {20, 200, 2000, PAGES - 10};
    for (int round = 0; round < 400; round++) {
        struct nv_extents extents = {0};
        static struct table table;
        memset(&table, 0, sizeof(table));
        size_t span = spans[round % 4];
        for (int i = 0; i < round; i++) {
            add(&extents, &table, random_below(span), 1 + random_below(8));
            if (i % 16 == 0)
                expect(&extents, &table, true);
        }
        expect(&extents, &table, true);
        nv_extents_free(&extents);
    }
}

/* The next one would be one too many: half of them are joined to neighbours, first those that are close. */
static void coarser_when_many(void **state)
{
    (void)state;
    struct nv_extents extents = {0};
    static struct table table;
    for (size_t i = 0; i < NV_EXTENTS_MAX / 2; i++) {
        add(&extents, &table, i * 2, 1);                      /* close */
        add(&extents, &table, 1500 + i * 6 + i / 64 * 32, 1); /* less close */
    }
    assert_int_equal(extents.count, NV_EXTENTS_MAX);
    expect(&extents, &table, true);
    add(&extents, &table, PAGES - 1, 1);
    expect(&extents, &table, false);
    assert_int_equal(extents.count, NV_EXTENTS_MAX / 2 + 1);
    assert_in_range(nv_extents_bytes(&extents), 1, (table.count + NV_EXTENTS_MAX / 2 + 8) * PAGE);
    nv_extents_free(&extents);
}

static void never_too_many(void **state)
{
    (void)state;
    struct nv_extents extents = {0};
    static struct table table;
    for (int i = 0; i < 20000; i++) {
        add(&extents, &table, random_below(PAGES - 1), 1);
        if (i % 512 == 0)
            expect(&extents, &table, false);
    }
    expect(&extents, &table, false);
    nv_extents_free(&extents);
}

/* One set, with all that was added, or coarser: whichever call for memory fails. */
static void without_memory(void **state)
{
    (void)state;
    for (long n = 1; n < 12; n++) {
        struct nv_extents extents = {0};
        static struct table table;
        memset(&table, 0, sizeof(table));
        system_begin();
        system_now.fail_at = n;
        system_now.for_good = n % 2;
        system_now.error = ENOMEM;
        for (size_t i = 0; i < 300; i++)
            add(&extents, &table, random_below(PAGES - 1), 1);
        system_end();
        expect(&extents, &table, false);
        nv_extents_free(&extents);
    }
}

static void cleared_and_joined(void **state)
{
    (void)state;
    struct nv_extents one = {0}, other = {0};
    static struct table table;
    for (int round = 0; round < 20; round++) {
        memset(&table, 0, sizeof(table));
        for (int i = 0; i < round * 20; i++)
            add(i % 3 ? &one : &other, &table, random_below(PAGES - 1), 1);
        nv_extents_add_all(&one, &other);
        expect(&one, &table, true);
        nv_extents_clear(&one);
        nv_extents_clear(&other);
        assert_in_range(one.room, 0, 64);
        memset(&table, 0, sizeof(table));
        expect(&one, &table, true);
    }
    nv_extents_add(&one, BASE, BASE);
    assert_int_equal(one.count, 0);
    nv_extents_free(&one);
    nv_extents_free(&other);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_while_few), cmocka_unit_test(coarser_when_many),  cmocka_unit_test(never_too_many),
        cmocka_unit_test(without_memory),  cmocka_unit_test(cleared_and_joined),
    };
    uint64_t seed =
        argc == 2 && strncmp(argv[1], "--seed=", 7) == 0 ? strtoull(argv[1] + 7, NULL, 10) : (uint64_t)time(NULL);
    random_state = seed * 2 + 1;
    printf("--seed=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
