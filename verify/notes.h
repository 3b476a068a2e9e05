/* SPDX-License-Identifier: MIT */
/* What this process writes into the ledger. */
#ifndef NV_VERIFY_NOTES_H
#define NV_VERIFY_NOTES_H

#include "src/nvm/seam.h"
#include "verify/ledger.h"

/* In a frame: the module is not known, and the offset is the address itself. */
#define NV_NOTES_NO_MODULE UINT32_MAX

/* From now on this is the ledger. */
void nv_notes_open(struct nv_ledger *ledger);
struct nv_ledger *nv_notes_ledger(void);

/* Since the program's start. */
uint64_t nv_notes_now_ns(void);

/* Something was to be told, and could not be. */
void nv_notes_lost(void);

/* A new place's number, from 1; 0: none is left. The caller fills it and sets `ready`. */
uint16_t nv_notes_place(void);

/* The number of a module; NV_NOTES_NO_MODULE: none is left. */
uint32_t nv_notes_module(const char *path);

/* A range of a file: of a token, or ignored. One that lies in another that was told lately is not told again. */
void nv_notes_region(uint32_t file, uint64_t offset, uint64_t length_bytes);
void nv_notes_ignore(uint32_t file, uint64_t offset, uint64_t length_bytes);

/* A range of a file must be durable before another is. */
void nv_notes_order(const struct nv_ledger_range *first, const struct nv_ledger_range *then, uint16_t place);

/* What cannot be seen; once each. */
void nv_notes_tell(const char *sentence);
void nv_notes_mark(const char *text, uint16_t place);

/* One more of this event (enum nv_refusal, nv_ledger_event_kind), if it is known; false: it is not. */
bool nv_notes_event_again(uint32_t kind, const char *function, uint16_t place);
void nv_notes_event(uint32_t kind, const char *function, uint16_t place, const void *token,
                    const struct nv_ledger_range *range, const void *address);

void nv_notes_before_fork(void);
void nv_notes_after_fork(void);

#endif
