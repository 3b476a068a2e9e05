/* SPDX-License-Identifier: MIT */
/* Goes through combinations: ends, singles and pairs of both, then all in the order of a reflected Gray code. */
#include "explore/space.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* A choice that can be other than its end; what it is then. */
static bool can_leave(const struct nv_space *space, size_t i)
{
    return space->alternatives[i] > 1;
}

static uint32_t far_end(const struct nv_space *space, size_t i, bool newest)
{
    if (!space->newest[i])
        return 1; /* both ends hold the same */
    return newest ? space->newest[i] : 0;
}

static bool ends_differ(const struct nv_space *space)
{
    for (size_t i = 0; i < space->count; i++)
        if (space->newest[i])
            return true;
    return false;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
    return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

uint64_t nv_space_size(const struct nv_space *space, enum nv_phase phase)
{
    uint64_t movable = 0, singles = 0, product = 1;

    for (size_t i = 0; i < space->count; i++) {
        movable += can_leave(space, i);
        singles += space->alternatives[i] - 1;
        product = multiply(product, space->alternatives[i]);
    }
    if (phase == NV_PHASE_ENDS)
        return ends_differ(space) ? 2 : 1;
    if (phase == NV_PHASE_SINGLES)
        return 2 * singles;
    if (phase == NV_PHASE_PAIRS)
        return movable ? movable * (movable - 1) : 0;
    return product;
}

static void choose_all(const struct nv_space *space, bool newest, const struct nv_walk *walk)
{
    for (size_t i = 0; i < space->count; i++)
        walk->choose(walk->context, i, newest ? space->newest[i] : 0);
}

static int visit_ends(const struct nv_space *space, uint64_t skip, const struct nv_walk *walk)
{
    int status = 0;

    if (!skip)
        status = walk->visit(walk->context);
    if (status || skip > 1 || !ends_differ(space))
        return status;
    choose_all(space, true, walk);
    return walk->visit(walk->context);
}

static int visit_singles(const struct nv_space *space, uint64_t *skip, bool newest, const struct nv_walk *walk)
{
    int status = 0;

    for (size_t i = 0; i < space->count && !status; i++) {
        uint32_t usual = newest ? space->newest[i] : 0;

        if (*skip >= space->alternatives[i] - 1) {
            *skip -= space->alternatives[i] - 1;
            continue;
        }
        for (uint32_t j = 0; j < space->alternatives[i] && !status; j++) {
            if (j == usual || (*skip && (*skip)--))
                continue;
            walk->choose(walk->context, i, j);
            status = walk->visit(walk->context);
        }
        walk->choose(walk->context, i, usual);
    }
    return status;
}

static int visit_pairs_of(const struct nv_space *space, size_t first, uint64_t *skip, bool newest,
                          const struct nv_walk *walk)
{
    int status = 0;

    for (size_t j = first + 1; j < space->count && !status; j++) {
        if (!can_leave(space, j) || (*skip && (*skip)--))
            continue;
        walk->choose(walk->context, first, far_end(space, first, !newest));
        walk->choose(walk->context, j, far_end(space, j, !newest));
        status = walk->visit(walk->context);
        walk->choose(walk->context, j, newest ? space->newest[j] : 0);
    }
    walk->choose(walk->context, first, newest ? space->newest[first] : 0);
    return status;
}

static int visit_pairs(const struct nv_space *space, uint64_t *skip, bool newest, const struct nv_walk *walk)
{
    int status = 0;

    for (size_t i = 0; i < space->count && !status; i++)
        if (can_leave(space, i))
            status = visit_pairs_of(space, i, skip, newest, walk);
    return status;
}

struct gray {
    size_t count; /* of digits that can change */
    size_t *places;
    uint32_t *digits;
    int8_t *directions;
};

/* The digits of the combination with this number, and which way each goes next. */
static void start_gray(const struct nv_space *space, struct gray *gray, uint64_t number, const struct nv_walk *walk)
{
    uint64_t blocks = number;

    for (size_t i = 0; i < space->count; i++) {
        uint32_t radix = space->alternatives[i], digit = (uint32_t)(blocks % radix);

        blocks /= radix;
        if (radix == 1)
            continue;
        gray->places[gray->count] = i;
        gray->digits[gray->count] = blocks & 1 ? radix - 1 - digit : digit;
        gray->directions[gray->count] = blocks & 1 ? -1 : 1;
        walk->choose(walk->context, i, gray->digits[gray->count++]);
    }
}

/* One digit changes by one. False: that was the last. */
static bool step_gray(const struct nv_space *space, struct gray *gray, const struct nv_walk *walk)
{
    for (size_t i = 0; i < gray->count; i++) {
        uint32_t next = gray->digits[i] + (uint32_t)gray->directions[i];

        if (next < space->alternatives[gray->places[i]]) {
            gray->digits[i] = next;
            walk->choose(walk->context, gray->places[i], next);
            return true;
        }
        gray->directions[i] = (int8_t)-gray->directions[i];
    }
    return false;
}

static int visit_all(const struct nv_space *space, uint64_t skip, const struct nv_walk *walk)
{
    struct gray gray = {.places = calloc(space->count + 1, sizeof *gray.places),
                        .digits = calloc(space->count + 1, sizeof *gray.digits),
                        .directions = calloc(space->count + 1, 1)};
    int status = -ENOMEM;

    if (gray.places && gray.digits && gray.directions) {
        start_gray(space, &gray, skip, walk);
        do
            status = walk->visit(walk->context);
        while (!status && step_gray(space, &gray, walk));
    }
    free(gray.places);
    free(gray.digits);
    free(gray.directions);
    return status;
}

int nv_space_walk(const struct nv_space *space, enum nv_phase phase, uint64_t skip, const struct nv_walk *walk)
{
    bool pairs = phase == NV_PHASE_PAIRS;
    uint64_t half = nv_space_size(space, phase) / 2;
    int status = 0;

    if (phase == NV_PHASE_ENDS)
        return visit_ends(space, skip, walk);
    if (phase == NV_PHASE_ALL)
        return skip < nv_space_size(space, phase) ? visit_all(space, skip, walk) : 0;
    if (skip < half)
        status = pairs ? visit_pairs(space, &skip, false, walk) : visit_singles(space, &skip, false, walk);
    else
        skip -= half;
    if (status || skip >= half)
        return status;
    choose_all(space, true, walk);
    return pairs ? visit_pairs(space, &skip, true, walk) : visit_singles(space, &skip, true, walk);
}
