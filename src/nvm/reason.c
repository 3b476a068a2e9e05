/* SPDX-License-Identifier: MIT */
/*
 * Owns the texts that say why a token has its domain: few, and shared by a million tokens. Called by nvm.c for a new
 * token.
 */
#include "src/nvm/reason.h"

#include "src/os/os.h"

#include <stdatomic.h>
#include <string.h>

struct reason {
    struct reason *next;
    char text[];
};

/* Grows at its head only, so it is read without a lock. */
static struct reason *_Atomic reasons;

static struct reason *make(const char *text)
{
    size_t size_bytes = strlen(text) + 1;
    struct reason *made = nv_os->resize(NULL, sizeof(*made) + size_bytes);
    if (made)
        memcpy(made->text, text, size_bytes);
    return made;
}

const char *nv_reason_keep(const char *text)
{
    struct reason *head = atomic_load_explicit(&reasons, memory_order_acquire);
    for (struct reason *known = head; known; known = known->next)
        if (strcmp(known->text, text) == 0)
            return known->text;
    struct reason *made = make(text);
    if (!made)
        return "";
    made->next = head; /* two threads may add one text at once: it is then there twice */
    while (
        !atomic_compare_exchange_weak_explicit(&reasons, &made->next, made, memory_order_acq_rel, memory_order_acquire))
        continue;
    return made->text;
}
