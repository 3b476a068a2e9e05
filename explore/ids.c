/* SPDX-License-Identifier: MIT */
/*
 * Names states so that they can be made again: the point, what the rest is (all pending, or nothing), and each choice
 * that is otherwise. shrink.c makes the names, nv_explore_replay reads them.
 */
#include "explore/explorer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static size_t count_others(const struct nv_point *point, const struct nv_choice *choice, bool newest)
{
    size_t count = 0;

    for (size_t i = 0; i < choice->count; i++)
        count += choice->values[i] != nv_choice_end(point, i, newest);
    return count;
}

static void print_choice(FILE *text, const struct nv_point *point, size_t i, uint32_t value)
{
    if (i < point->part_count) {
        fprintf(text, "-s%zu.%" PRIu32, i, value);
        return;
    }
    fprintf(text, "-u%" PRIu32 ".%" PRIu64 ".", point->units[i - point->part_count]->object->number,
            point->units[i - point->part_count]->index);
    if (value == NV_NEWEST)
        fprintf(text, "n");
    else
        fprintf(text, "%" PRIu32, value);
}

static uint32_t check_of(struct nv_point *point)
{
    struct nv_hash image = nv_point_image(point);

    return (uint32_t)(image.low ^ image.low >> 32);
}

/* Of the choice that is loaded. NULL: no memory. */
char *nv_id_make(struct nv_explorer *explorer, const struct nv_choice *choice)
{
    struct nv_point *point = &explorer->point;
    size_t bytes;
    char *id = NULL;
    FILE *text;
    bool newest = count_others(point, choice, true) < count_others(point, choice, false);

    text = open_memstream(&id, &bytes);
    if (text) {
        fprintf(text, "p%" PRIu64 "-e%" PRIu64 "-%c", point->number, explorer->crash->taken, newest ? 'a' : 'n');
        for (size_t i = 0; i < choice->count; i++)
            if (choice->values[i] != nv_choice_end(point, i, newest))
                print_choice(text, point, i, choice->values[i]);
        fprintf(text, "-x%" PRIx32, check_of(point));
        if (fclose(text)) {
            free(id);
            id = NULL;
        }
    }
    return id;
}

static int refuse(struct nv_explorer *explorer, const char *why)
{
    if (explorer->error_bytes)
        snprintf(explorer->error, explorer->error_bytes, "%s", why);
    return -EINVAL;
}

int nv_id_read(struct nv_explorer *explorer, const char *id, uint64_t *point)
{
    uint64_t taken;
    char end;

    if (sscanf(id, "p%" SCNu64 "-e%" SCNu64 "-%c", point, &taken, &end) != 3 || (end != 'a' && end != 'n'))
        return refuse(explorer, "this is not the id of a crash state");
    if (!*point || *point > explorer->crash_count || explorer->crashes[*point - 1].taken != taken)
        return refuse(explorer, "the trace has no such crash point: is the id of another run?");
    return 0;
}

static size_t unit_place(const struct nv_point *point, uint32_t object, uint64_t index)
{
    for (size_t i = 0; i < point->unit_count; i++)
        if (point->units[i]->object->number == object && point->units[i]->index == index)
            return point->part_count + i;
    return SIZE_MAX;
}

/* One part of the text. False: it makes no sense here. */
static bool read_choice(const struct nv_point *point, const char *text, struct nv_choice *choice)
{
    uint64_t index;
    uint32_t object, value = NV_NEWEST;
    size_t i;
    char newest;

    if (sscanf(text, "s%zu.%" SCNu32, &i, &value) == 2) {
        if (i < point->part_count)
            choice->values[i] = value;
        return i < point->part_count;
    }
    if (sscanf(text, "u%" SCNu32 ".%" SCNu64 ".%" SCNu32, &object, &index, &value) != 3 &&
        (sscanf(text, "u%" SCNu32 ".%" SCNu64 ".%c", &object, &index, &newest) != 3 || newest != 'n'))
        return false;
    i = unit_place(point, object, index);
    if (i != SIZE_MAX)
        choice->values[i] = value;
    return i != SIZE_MAX;
}

int nv_id_choose(struct nv_explorer *explorer, const char *id)
{
    struct nv_point *point = &explorer->point;
    struct nv_choice choice = {NULL, point->part_count, point->part_count + point->unit_count};
    const char *text = strchr(strchr(id, '-') + 1, '-');
    bool newest = text[1] == 'a', good = true;
    uint32_t check = 0;
    int status;

    choice.values = calloc(choice.count + 1, sizeof *choice.values);
    if (!choice.values)
        return -ENOMEM;
    for (size_t i = 0; i < choice.count; i++)
        choice.values[i] = nv_choice_end(point, i, newest);
    for (text = strchr(text + 1, '-'); text && good && text[1] != 'x'; text = strchr(text + 1, '-'))
        good = read_choice(point, text + 1, &choice);
    good = good && text && sscanf(text, "-x%" SCNx32, &check) == 1;
    status = good ? nv_choice_load(point, &choice) : 0;
    if (!status && (!good || check != check_of(point)))
        status = refuse(explorer, "the trace has no such state: is the id of another run, or another --fs?");
    nv_choice_free(&choice);
    return status;
}
