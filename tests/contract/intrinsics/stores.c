/* SPDX-License-Identifier: MIT */
/*
 * Every intrinsic that <nvrtl/intrinsics.h> takes over, in a run that is not verified: each still stores what it did
 * before. Compiled as C and as C++; needs no instruction that x86-64 may lack, but compiles them all.
 */
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)

static char memory[256] __attribute__((aligned(64)));

__attribute__((target("avx"))) static int stores_256(void)
{
    _mm256_stream_si256((__m256i *)(void *)memory, _mm256_set1_epi8(1));
    _mm256_stream_pd((double *)(void *)(memory + 32), _mm256_setzero_pd());
    _mm256_stream_ps((float *)(void *)(memory + 64), _mm256_setzero_ps());
    return memory[31] == 1;
}

__attribute__((target("avx512f"))) static int stores_512(void)
{
    _mm512_stream_si512((__m512i *)(void *)memory, _mm512_set1_epi32(0x02020202));
    _mm512_stream_pd((double *)(void *)(memory + 64), _mm512_setzero_pd());
    _mm512_stream_ps((float *)(void *)(memory + 128), _mm512_setzero_ps());
    return memory[63] == 2;
}

__attribute__((target("movdiri,movdir64b"))) static int stores_direct(void)
{
    static const char source[64] = "movdir64b";
    _directstoreu_u32(memory, 3);
    _directstoreu_u64(memory + 8, 4);
    _movdir64b(memory + 64, source);
    return memory[0] == 3 && memory[8] == 4 && memory[64] == 'm';
}

__attribute__((target("clwb,clflushopt"))) static void write_back(void)
{
    _mm_clwb(memory);
    _mm_clflushopt(memory);
}

static int stores(void)
{
    _mm_stream_si32((int *)(void *)memory, 5);
    _mm_stream_si64((long long *)(void *)(memory + 8), 6);
    _mm_stream_si128((__m128i *)(void *)(memory + 16), _mm_set1_epi8(7));
    _mm_stream_pd((double *)(void *)(memory + 32), _mm_setzero_pd());
    _mm_stream_ps((float *)(void *)(memory + 48), _mm_setzero_ps());
    _mm_clflush(memory);
    _mm_sfence();
    _mm_mfence();
    return memory[0] == 5 && memory[8] == 6 && memory[31] == 7;
}

int main(void)
{
    int ok = stores();
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx"))
        ok = ok && stores_256();
    if (__builtin_cpu_supports("avx512f"))
        ok = ok && stores_512();
    unsigned a, b = 0, c = 0, d;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(7), "2"(0));
    if ((c >> 27 & 1) && (c >> 28 & 1))
        ok = ok && stores_direct();
    if ((b >> 23 & 1) && (b >> 24 & 1))
        write_back();
    puts(ok ? "all stored" : "a store is missing");
    return !ok;
}

#else

int main(void)
{
    puts("skipped: not x86-64");
    return 77;
}

#endif
