/* SPDX-License-Identifier: MIT */
/* Flushes and drains that had nothing to do, counted where they are called, when the run looks for them. */
#ifndef NV_VERIFY_WASTE_H
#define NV_VERIFY_WASTE_H

#include "verify/binding.h"
#include "verify/flight.h"
#include "verify/notes.h"

static inline bool nv_waste_wanted(void)
{
    return __builtin_expect(nv_notes_ledger()->performance != 0, 0);
}

/*
 * Whether some line of the range holds what was not flushed yet. A line that was never flushed does: its program may
 * have written what was there before.
 */
bool nv_waste_is_news(const struct nv_binding *binding, const void *address, size_t size_bytes);

/* A flush, or a drain, was called from `place`. */
void nv_waste_note_flush(uint16_t place, bool news);
void nv_waste_note_drain(uint16_t place, bool news);

#endif
