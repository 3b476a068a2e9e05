/* SPDX-License-Identifier: MIT */
/*
 * libnvrtl-traps.so: the flush instructions of a program that was compiled without nvrtl, found in its text and
 * trapped. A verified run preloads it when it is asked to. What its files share.
 */
#ifndef NV_TRAP_H
#define NV_TRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

enum nv_trap_kind {
    NV_TRAP_FLUSH,         /* clwb, clflushopt */
    NV_TRAP_ORDERED_FLUSH, /* clflush, which waits for no fence */
    NV_TRAP_FENCE,         /* sfence, mfence */
    NV_TRAP_STREAM         /* a store that passes the cache by */
};

#define NV_TRAP_NO_REGISTER (-1)

/* One instruction. Its memory is at base + index * scale + displacement; registers by their number in the context. */
struct nv_trap_site {
    uint8_t *at;
    uint8_t length, scale;
    int8_t base, index;
    uint16_t size_bytes; /* of a streaming store */
    enum nv_trap_kind kind;
    int64_t displacement;
    uint8_t *slot; /* of a streaming store: a copy that goes on behind the original */
};

struct nv_trap_sites {
    size_t count, room;
    struct nv_trap_site *sites; /* by address */
    bool incomplete;            /* some code could not be read for certain, and may hold more */
};

/* trap_sites.c: of the program and its libraries, but for the system's. False: no memory. */
bool nv_trap_sites_find(struct nv_trap_sites *sites);

/* trap_region.c: the line is in flight, or durable when `ordered`. False: it is no memory at stake. */
bool nv_trap_write_back(uintptr_t address, size_t size_bytes, bool ordered, const void *place);

/* trap_signals.c: the program's own action for SIGTRAP, for what is no trap of ours. */
void nv_trap_pass_on(int number, siginfo_t *info, void *context);
/* Have the handler called from here on, whatever the program does to the signal. False: it cannot be. */
bool nv_trap_take_signal(void (*handler)(int number, siginfo_t *info, void *context));

#endif
