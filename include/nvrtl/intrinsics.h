/* SPDX-License-Identifier: MIT */
/*
 * For programs that write cache lines back by the compiler's intrinsics. Compiled with
 * $(pkg-config --cflags nvrtl-intrinsics), which includes this header before all else, their _mm_clwb, _mm_clflush,
 * _mm_clflushopt, _mm_sfence, _mm_mfence and non-temporal stores are told to the verifier: in a verified run each line
 * is in flight from its write-back on, and durable with the next fence, as under a token on the domain cpu-cache.
 *
 * In a run that is not verified each of them does what it always does, and costs a call more. Instructions in assembly
 * are not seen.
 */
#ifndef NVRTL_INTRINSICS_H
#define NVRTL_INTRINSICS_H

#include <nvrtl/types.h>

NVRTL_BEGIN

/*
 * The program writes back the lines of Size bytes from Address; `Ordered` as clflush does, which waits for no fence.
 * TRUE: a verified run has taken note, and the instruction is not needed. Any thread; memory that is no mapping of a
 * file is nothing to note. Source: nvrtl's own.
 */
NVRTL_API BOOLEAN NTAPI NvrtlSeeWriteBack(const VOID *Address, SIZE_T Size, BOOLEAN Ordered);

/* The program has fenced: what this thread wrote back is durable. Source: nvrtl's own. */
NVRTL_API VOID NTAPI NvrtlSeeFence(VOID);

NVRTL_END

#if defined(__x86_64__)

#include <immintrin.h>

/* In parentheses, a name is the compiler's own function again. */
#define NVRTL_SEE_LINE(instruction, address, ordered)                                                                  \
    __extension__({                                                                                                    \
        void *nvrtl_line = (void *)((ULONG_PTR)(address) & ~(ULONG_PTR)63);                                            \
        if (!NvrtlSeeWriteBack(nvrtl_line, 64, (ordered)))                                                             \
            (instruction)(nvrtl_line);                                                                                 \
    })
#define NVRTL_SEE_STORE(instruction, type, address, value, size)                                                       \
    __extension__({                                                                                                    \
        void *nvrtl_at = (void *)(address);                                                                            \
        (instruction)((type *)nvrtl_at, (value));                                                                      \
        (void)NvrtlSeeWriteBack(nvrtl_at, (size), FALSE);                                                              \
    })
#define NVRTL_SEE_FENCE(instruction)                                                                                   \
    __extension__({                                                                                                    \
        (instruction)();                                                                                               \
        NvrtlSeeFence();                                                                                               \
    })

#define _mm_clwb(address) NVRTL_SEE_LINE(_mm_clwb, address, FALSE)
#define _mm_clflushopt(address) NVRTL_SEE_LINE(_mm_clflushopt, address, FALSE)
#define _mm_clflush(address) NVRTL_SEE_LINE(_mm_clflush, address, TRUE)
#define _mm_sfence() NVRTL_SEE_FENCE(_mm_sfence)
#define _mm_mfence() NVRTL_SEE_FENCE(_mm_mfence)

#define _mm_stream_si32(address, value) NVRTL_SEE_STORE(_mm_stream_si32, int, address, value, 4)
#define _mm_stream_si64(address, value) NVRTL_SEE_STORE(_mm_stream_si64, long long, address, value, 8)
#define _mm_stream_pi(address, value) NVRTL_SEE_STORE(_mm_stream_pi, __m64, address, value, 8)
#define _mm_stream_si128(address, value) NVRTL_SEE_STORE(_mm_stream_si128, __m128i, address, value, 16)
#define _mm_stream_pd(address, value) NVRTL_SEE_STORE(_mm_stream_pd, double, address, value, 16)
#define _mm_stream_ps(address, value) NVRTL_SEE_STORE(_mm_stream_ps, float, address, value, 16)
#define _mm256_stream_si256(address, value) NVRTL_SEE_STORE(_mm256_stream_si256, __m256i, address, value, 32)
#define _mm256_stream_pd(address, value) NVRTL_SEE_STORE(_mm256_stream_pd, double, address, value, 32)
#define _mm256_stream_ps(address, value) NVRTL_SEE_STORE(_mm256_stream_ps, float, address, value, 32)
#define _mm512_stream_si512(address, value) NVRTL_SEE_STORE(_mm512_stream_si512, __m512i, address, value, 64)
#define _mm512_stream_pd(address, value) NVRTL_SEE_STORE(_mm512_stream_pd, double, address, value, 64)
#define _mm512_stream_ps(address, value) NVRTL_SEE_STORE(_mm512_stream_ps, float, address, value, 64)
#define _directstoreu_u32(address, value) NVRTL_SEE_STORE(_directstoreu_u32, void, address, value, 4)
#define _directstoreu_u64(address, value) NVRTL_SEE_STORE(_directstoreu_u64, void, address, value, 8)
#define _movdir64b(address, value) NVRTL_SEE_STORE(_movdir64b, void, address, value, 64)

#endif

#endif
