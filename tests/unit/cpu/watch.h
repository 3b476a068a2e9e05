/* SPDX-License-Identifier: MIT */
/*
 * Memory of which every touch is seen: by stores, loads and write-backs of cache lines. Used by lines.c.
 *
 * Nothing that a program can read tells which lines were written back. So the memory may not be touched, and each
 * instruction that does is a signal: it is noted, and then executed alone (x86-64) or left out (where all instructions
 * are of four bytes; there also those are seen that the CPU does not have).
 */
#ifndef TEST_WATCH_H
#define TEST_WATCH_H

#include "src/cpu/cpu.h"

#define WATCHED_BYTES ((size_t)8192)

enum touch { WRITE_BACK, NON_TEMPORAL, STORE, LOAD };

struct touched {
    uintptr_t address;
    enum touch by;
};

/* The memory; to be made with guarded_make. */
extern char *watched;

/* What touched it between watch_begin and watch_end. */
extern struct touched touches[20000];
extern volatile size_t touches_count;

/* In each test anew: cmocka has handlers of its own, and puts them back. */
void watch_signals(void);

/* On x86-64 anything may touch the memory in between, elsewhere only instructions that write lines back. */
void watch_begin(void);
void watch_end(void);

/* Whether the kernel's write-backs are seen. An emulator may do nothing at all for one. */
bool watch_sees(const struct nv_cpu *cpu);

#endif
