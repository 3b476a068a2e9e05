/* SPDX-License-Identifier: MIT */
/* Owns the loops of aligned words. Called by write.c. */
#include "compat/libpmem/stores.h"

#include <stdbool.h>
#include <string.h>

#define WORD ((size_t)8)
#define BLOCK ((size_t)64)

typedef uint64_t word __attribute__((may_alias));
typedef uint64_t unaligned_word __attribute__((may_alias, aligned(1)));
/* Loaded and stored at any multiple of 8: where that falls on two lines, each gets a whole word. */
typedef uint64_t pair __attribute__((may_alias, vector_size(16), aligned(8)));
typedef uint64_t unaligned_pair __attribute__((may_alias, vector_size(16), aligned(1)));

/* Keeps the compiler from making the loop a call of memmove or memset. */
#define KEEP_LOOP() __asm__ volatile("" : : : "memory")

static bool is_in_words(const void *destination, size_t size_bytes)
{
    return (((uintptr_t)destination | size_bytes) & (WORD - 1)) == 0;
}

static inline void move_block(char *to, const char *from)
{
    const unaligned_pair *source = (const unaligned_pair *)(const void *)from;
    pair a = source[0], b = source[1], c = source[2], d = source[3];
    pair *destination = (pair *)(void *)to;
    destination[0] = a;
    destination[1] = b;
    destination[2] = c;
    destination[3] = d;
    KEEP_LOOP();
}

static inline void move_word(char *to, const char *from)
{
    *(word *)(void *)to = *(const unaligned_word *)(const void *)from;
    KEEP_LOOP();
}

static void move_up(char *to, const char *from, size_t size_bytes)
{
    size_t done = 0;
    for (; size_bytes - done >= BLOCK; done += BLOCK)
        move_block(to + done, from + done);
    for (; done < size_bytes; done += WORD)
        move_word(to + done, from + done);
}

static void move_down(char *to, const char *from, size_t left)
{
    for (; left >= BLOCK; left -= BLOCK)
        move_block(to + left - BLOCK, from + left - BLOCK);
    for (; left; left -= WORD)
        move_word(to + left - WORD, from + left - WORD);
}

void nv_pmem_move(void *destination, const void *source, size_t size_bytes)
{
    if (!is_in_words(destination, size_bytes))
        memmove(destination, source, size_bytes);
    else if ((uintptr_t)destination - (uintptr_t)source >= size_bytes)
        move_up(destination, source, size_bytes);
    else
        move_down(destination, source, size_bytes);
}

void nv_pmem_set(void *destination, uint8_t value, size_t size_bytes)
{
    if (!is_in_words(destination, size_bytes)) {
        memset(destination, value, size_bytes);
        return;
    }
    word all = value * 0x0101010101010101u;
    char *to = destination;
    size_t done = 0;
    for (; size_bytes - done >= BLOCK; done += BLOCK) {
        for (size_t i = 0; i < BLOCK; i += sizeof(pair))
            *(pair *)(void *)(to + done + i) = (pair){all, all};
        KEEP_LOOP();
    }
    for (; done < size_bytes; done += WORD) {
        *(word *)(void *)(to + done) = all;
        KEEP_LOOP();
    }
}
