/* SPDX-License-Identifier: MIT */
/* Owns whole choices: saved from a point and loaded into it again. verdicts.c and shrink.c call it. */
#include "explore/explorer.h"

#include <errno.h>
#include <stdlib.h>

uint32_t nv_choice_end(const struct nv_point *point, size_t i, bool newest)
{
    if (!newest)
        return 0;
    return i < point->part_count ? point->parts[i].count - 1 : NV_NEWEST;
}

/* Units that do not show in the layout are as they are durable. */
int nv_choice_save(const struct nv_point *point, struct nv_choice *choice)
{
    choice->part_count = point->part_count;
    choice->count = point->part_count + point->unit_count;
    choice->values = calloc(choice->count + 1, sizeof *choice->values);
    if (!choice->values)
        return -ENOMEM;
    memcpy(choice->values, point->chosen_parts, point->part_count * sizeof *choice->values);
    for (size_t i = 0; i < point->view_count; i++) {
        const struct nv_unit_view *view = &point->views[i];

        choice->values[point->part_count + view->unit] =
            view->chosen == view->choices->newest ? NV_NEWEST : view->chosen;
        if (!view->chosen)
            choice->values[point->part_count + view->unit] = 0;
    }
    return 0;
}

int nv_choice_load(struct nv_point *point, const struct nv_choice *choice)
{
    int status = nv_point_lay_out(point, choice->values);

    for (size_t i = 0; i < point->view_count && !status; i++)
        nv_point_choose(point, i, choice->values[point->part_count + point->views[i].unit]);
    return status;
}

int nv_choice_copy(struct nv_choice *to, const struct nv_choice *from)
{
    *to = *from;
    to->values = malloc((from->count + 1) * sizeof *to->values);
    if (!to->values)
        return -ENOMEM;
    memcpy(to->values, from->values, from->count * sizeof *to->values);
    return 0;
}

void nv_choice_free(struct nv_choice *choice)
{
    free(choice->values);
    *choice = (struct nv_choice){0};
}
