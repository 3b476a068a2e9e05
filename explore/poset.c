/* SPDX-License-Identifier: MIT */
/* Owns steps and what they need, and goes through the sets that are closed under that. */
#include "explore/poset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int nv_poset_add(struct nv_poset *poset)
{
    size_t *grown = realloc(poset->first, (poset->count + 2) * sizeof *grown);

    if (!grown)
        return -ENOMEM;
    poset->first = grown;
    grown[poset->count] = poset->needs_count;
    grown[++poset->count] = poset->needs_count;
    return 0;
}

int nv_poset_need(struct nv_poset *poset, uint32_t step)
{
    if (poset->needs_count == poset->needs_capacity) {
        size_t capacity = poset->needs_capacity * 2 + 16;
        uint32_t *grown = realloc(poset->needs, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        poset->needs = grown;
        poset->needs_capacity = capacity;
    }
    poset->needs[poset->needs_count++] = step;
    poset->first[poset->count] = poset->needs_count;
    return 0;
}

void nv_poset_free(struct nv_poset *poset)
{
    free(poset->first);
    free(poset->needs);
    *poset = (struct nv_poset){0};
}

static bool has_needs(const struct nv_poset *poset, const uint8_t *chosen, size_t step)
{
    for (size_t i = poset->first[step]; i < poset->first[step + 1]; i++)
        if (!chosen[poset->needs[i]])
            return false;
    return true;
}

/* As a counter: the last step that can be added is, and those behind it start again from nothing. */
int nv_poset_each(const struct nv_poset *poset, size_t from, nv_poset_visit *visit, void *context)
{
    uint8_t *chosen = calloc(poset->count + 1, 1);
    int status = chosen ? 0 : -ENOMEM;
    bool more = chosen != NULL;

    if (chosen)
        memset(chosen, 1, from);
    while (more && !status) {
        status = visit(context, chosen);
        more = false;
        for (size_t i = poset->count; i-- > from && !more;) {
            more = !chosen[i] && has_needs(poset, chosen, i);
            chosen[i] = more;
        }
    }
    free(chosen);
    return status;
}

void nv_poset_sample(const struct nv_poset *poset, uint64_t *random, unsigned out, uint8_t *chosen)
{
    for (size_t i = 0; i < poset->count; i++)
        chosen[i] = (nv_random(random) & 255) >= out && has_needs(poset, chosen, i);
}
