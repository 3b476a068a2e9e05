/* SPDX-License-Identifier: MIT */
/* The content of lines, as the verifier copies it. */
#ifndef NV_VERIFY_LINE_H
#define NV_VERIFY_LINE_H

#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Loaded and stored by one instruction, or by one for each word. */
typedef uint64_t nv_line_pair __attribute__((may_alias, vector_size(16), aligned(8)));
/* The same, of what the program gives to be written: it lies anywhere. */
typedef uint64_t nv_line_given __attribute__((may_alias, vector_size(16), aligned(1)));

/*
 * Another thread of the program may be writing the line, as it may be while a CPU writes it back: no aligned word is
 * torn, and the race is none of the verifier's.
 */
__attribute__((no_sanitize("thread"))) static inline void nv_line_copy(void *to, const void *from)
{
    const volatile nv_line_pair *line = from;
    volatile nv_line_pair *target = to;
    nv_line_pair a = line[0], b = line[1], c = line[2], d = line[3];

    target[0] = a;
    target[1] = b;
    target[2] = c;
    target[3] = d;
}

/* The same, past the caches where the CPU can: nv_line_fence orders it before what comes later. `to` is aligned. */
__attribute__((no_sanitize("thread"))) static inline void nv_line_stream(void *to, const void *from)
{
    const volatile nv_line_given *line = from;

    for (int i = 0; i < 4; i++) {
#ifdef __SSE2__
        _mm_stream_si128(&((__m128i *)to)[i], (__m128i)line[i]);
#else
        ((volatile nv_line_pair *)to)[i] = line[i];
#endif
    }
}

static inline void nv_line_fence(void)
{
#ifdef __SSE2__
    _mm_sfence();
#endif
}

#endif
