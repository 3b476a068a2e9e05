/* SPDX-License-Identifier: MIT */
/*
 * The order of combinations: each phase visits what it says, each once, any part of it alone is the same part of the
 * whole; and of steps that need others, all closed sets and no others.
 */
#include "explore/space.h"
#include "explore/poset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHOICES_MAX = 6, VISITS_MAX = 100000 };

struct visits {
    uint32_t now[CHOICES_MAX];
    uint32_t seen[VISITS_MAX][CHOICES_MAX];
    size_t count, limit;
};

static struct visits whole, part;

static void choose(void *context, size_t choice, uint32_t alternative)
{
    struct visits *visits = context;

    visits->now[choice] = alternative;
}

static int visit(void *context)
{
    struct visits *visits = context;

    assert_true(visits->count < VISITS_MAX);
    memcpy(visits->seen[visits->count++], visits->now, sizeof visits->now);
    return visits->limit && visits->count == visits->limit;
}

static int walk(const struct nv_space *space, enum nv_phase phase, uint64_t skip, size_t limit, struct visits *visits)
{
    struct nv_walk walk = {visits, choose, visit};

    visits->count = 0;
    visits->limit = limit;
    memset(visits->now, 0, sizeof visits->now);
    return nv_space_walk(space, phase, skip, &walk);
}

static int by_bytes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(uint32_t) * CHOICES_MAX);
}

/* How many are not 0, and how many are not newest. */
static size_t others(const struct nv_space *space, const uint32_t *seen, bool newest)
{
    size_t count = 0;

    for (size_t i = 0; i < space->count; i++)
        count += seen[i] != (newest ? space->newest[i] : 0);
    return count;
}

static void expect_distances(const struct nv_space *space, enum nv_phase phase, size_t distance)
{
    size_t half = whole.count / 2;

    for (size_t i = 0; i < whole.count && phase != NV_PHASE_ALL; i++)
        assert_int_equal(others(space, whole.seen[i], i >= half && whole.count > 1), distance);
}

static void expect_phase(const struct nv_space *space, enum nv_phase phase, size_t distance)
{
    uint64_t size = nv_space_size(space, phase);

    assert_int_equal(walk(space, phase, 0, 0, &whole), 0);
    assert_int_equal(whole.count, size);
    expect_distances(space, phase, distance);
    for (uint64_t from = 0; from <= size; from += 1 + size / 13) {
        size_t length = from < size ? (size_t)(size - from + 1) / 2 : 0;
        int ended = walk(space, phase, from, length, &part);

        assert_int_equal(ended, length != 0);
        assert_int_equal(part.count, length);
        assert_memory_equal(part.seen, whole.seen[from], length * sizeof *part.seen);
    }
    if (phase != NV_PHASE_ALL)
        return;
    for (size_t i = 0; i + 1 < whole.count; i++) { /* one choice differs, by one */
        size_t changes = 0;

        for (size_t j = 0; j < space->count; j++)
            changes += (size_t)abs((int)whole.seen[i][j] - (int)whole.seen[i + 1][j]);
        assert_int_equal(changes, 1);
    }
    qsort(whole.seen, whole.count, sizeof *whole.seen, by_bytes);
    for (size_t i = 1; i < whole.count; i++)
        assert_memory_not_equal(whole.seen[i], whole.seen[i - 1], sizeof *whole.seen);
}

static void phases(void **context)
{
    uint64_t random = 1;

    (void)context;
    for (int round = 0; round < 300; round++) {
        uint32_t alternatives[CHOICES_MAX], newest[CHOICES_MAX];
        struct nv_space space = {nv_random(&random) % (CHOICES_MAX + 1), alternatives, newest};

        for (size_t i = 0; i < space.count; i++) {
            alternatives[i] = 1 + (uint32_t)(nv_random(&random) % 5);
            newest[i] = nv_random(&random) % 8 ? alternatives[i] - 1 : 0;
        }
        expect_phase(&space, NV_PHASE_ENDS, 0);
        expect_phase(&space, NV_PHASE_SINGLES, 1);
        expect_phase(&space, NV_PHASE_PAIRS, 2);
        expect_phase(&space, NV_PHASE_ALL, 0);
    }
}

static void sizes_do_not_overflow(void **context)
{
    uint32_t alternatives[100], newest[100];
    struct nv_space space = {100, alternatives, newest};

    (void)context;
    for (size_t i = 0; i < 100; i++) {
        alternatives[i] = 1000;
        newest[i] = 999;
    }
    assert_true(nv_space_size(&space, NV_PHASE_ALL) == UINT64_MAX);
    assert_int_equal(nv_space_size(&space, NV_PHASE_SINGLES), 2 * 100 * 999);
}

struct sets {
    uint32_t needs[10]; /* bits */
    uint32_t count, previous, met;
};

static int count_set(void *context, const uint8_t *chosen)
{
    struct sets *sets = context;
    uint32_t set = 0;

    for (uint32_t i = 0; i < sets->count; i++)
        set = set << 1 | chosen[i];
    assert_true(!sets->met || set > sets->previous); /* each once */
    for (uint32_t i = 0; i < sets->count; i++)
        for (uint32_t j = 0; j < i && chosen[i]; j++)
            assert_true(chosen[j] || !(sets->needs[i] >> j & 1));
    sets->previous = set;
    sets->met++;
    return 0;
}

static uint32_t count_closed(const struct sets *sets)
{
    uint32_t count = 0;

    for (uint32_t set = 0; set < 1u << sets->count; set++) {
        bool closed = true;

        for (uint32_t i = 0; i < sets->count; i++)
            closed = closed && (!(set >> i & 1) || !(sets->needs[i] & ~set));
        count += closed;
    }
    return count;
}

static void closed_sets(void **context)
{
    uint64_t random = 2;

    (void)context;
    for (int round = 0; round < 300; round++) {
        struct sets sets = {.count = (uint32_t)(nv_random(&random) % 10)};
        struct nv_poset poset = {0};
        uint8_t chosen[10];

        for (uint32_t i = 0; i < sets.count; i++) {
            assert_int_equal(nv_poset_add(&poset), 0);
            for (uint32_t j = 0; j < i; j++)
                if (nv_random(&random) % 4 == 0) {
                    sets.needs[i] |= 1u << j;
                    assert_int_equal(nv_poset_need(&poset, j), 0);
                }
        }
        assert_int_equal(nv_poset_each(&poset, 0, count_set, &sets), 0);
        assert_int_equal(sets.met, count_closed(&sets));
        for (int i = 0; i < 20; i++) {
            nv_poset_sample(&poset, &random, 100, chosen);
            sets.met = 0;
            count_set(&sets, chosen);
        }
        nv_poset_free(&poset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(closed_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
