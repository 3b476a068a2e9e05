/* SPDX-License-Identifier: MIT */
/*
 * Owns the check of the IRQL at which memory is written, flushed and drained. Called by engine.c in every call; the
 * runtime checks those of the file plane itself.
 */
#include "verify/level.h"

#include "nvrtl/kernel.h"
#include "verify/notes.h"
#include "verify/places.h"
#include "verify/thread.h"

static uint8_t (*irql)(void);

void nv_level_open(const struct nv_runtime *runtime)
{
    irql = runtime->irql;
}

void nv_level_check(const char *function, const void *place, const void *frame)
{
    struct nv_ledger_range range = {0};
    struct nv_thread *thread;

    if (irql == NULL || irql() <= DISPATCH_LEVEL)
        return;
    thread = nv_thread_self();
    nv_notes_event(NV_MISUSE_LEVEL, function, thread != NULL ? nv_place_id(thread, place, frame) : 0, NULL, &range,
                   NULL);
}
