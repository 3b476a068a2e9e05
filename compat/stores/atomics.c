/* SPDX-License-Identifier: MIT */
/*
 * The atomic operations of -fsanitize=thread, which calls a function for each: told, and then done, with the order that
 * the program asked for or a stronger one.
 */
#include "compat/stores/hooks.h"

#include <stdbool.h>
#include <stdint.h>

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

NV_HOOK void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

NV_HOOK void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* As NV_SEE_STORE. */
#define NV_SEE_ATOMIC(address, size)                                                                                   \
    do {                                                                                                               \
        ULONG_PTR nv_low = __atomic_load_n(&nv_hooks_watch.Low, __ATOMIC_RELAXED);                                     \
        if (__builtin_expect((ULONG_PTR)(address)-nv_low < __atomic_load_n(&nv_hooks_watch.Bytes, __ATOMIC_RELAXED),   \
                             0))                                                                                       \
            NvrtlSeeAtomicStore((address), (size), __builtin_return_address(0));                                       \
    } while (0)

#define DEFINE_CHANGE(type, bits, operation)                                                                           \
    type __tsan_atomic##bits##_##operation(type *address, type value, int order);                                      \
    NV_HOOK type __tsan_atomic##bits##_##operation(type *address, type value, int order)                               \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        NV_SEE_ATOMIC(address, sizeof(type));                                                                          \
        type nv_result = __atomic_##operation(address, value, __ATOMIC_SEQ_CST);                                       \
        NV_STORED(address);                                                                                            \
        return nv_result;                                                                                              \
    }

#define DEFINE_COMPARE(type, bits, kind, is_weak)                                                                      \
    int __tsan_atomic##bits##_compare_exchange_##kind(type *address, type *expected, type value, int order,            \
                                                      int failure);                                                    \
    NV_HOOK int __tsan_atomic##bits##_compare_exchange_##kind(type *address, type *expected, type value, int order,    \
                                                              int failure)                                             \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        (void)failure;                                                                                                 \
        NV_SEE_ATOMIC(address, sizeof(type));                                                                          \
        int nv_result =                                                                                                \
            __atomic_compare_exchange_n(address, expected, value, is_weak, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
        NV_STORED(address);                                                                                            \
        return nv_result;                                                                                              \
    }

#define DEFINE(type, bits)                                                                                             \
    type __tsan_atomic##bits##_load(const type *address, int order);                                                   \
    void __tsan_atomic##bits##_store(type *address, type value, int order);                                            \
    type __tsan_atomic##bits##_exchange(type *address, type value, int order);                                         \
    type __tsan_atomic##bits##_compare_exchange_val(type *address, type expected, type value, int order, int failure); \
    NV_HOOK type __tsan_atomic##bits##_load(const type *address, int order)                                            \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                                             \
    }                                                                                                                  \
    NV_HOOK void __tsan_atomic##bits##_store(type *address, type value, int order)                                     \
    {                                                                                                                  \
        NV_SEE_ATOMIC(address, sizeof(type));                                                                          \
        if (order == __ATOMIC_RELAXED || order == __ATOMIC_RELEASE)                                                    \
            __atomic_store_n(address, value, __ATOMIC_RELEASE);                                                        \
        else                                                                                                           \
            __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                                        \
        NV_STORED(address);                                                                                            \
    }                                                                                                                  \
    NV_HOOK type __tsan_atomic##bits##_exchange(type *address, type value, int order)                                  \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        NV_SEE_ATOMIC(address, sizeof(type));                                                                          \
        type nv_result = __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST);                                        \
        NV_STORED(address);                                                                                            \
        return nv_result;                                                                                              \
    }                                                                                                                  \
    NV_HOOK type __tsan_atomic##bits##_compare_exchange_val(type *address, type expected, type value, int order,       \
                                                            int failure)                                               \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        (void)failure;                                                                                                 \
        NV_SEE_ATOMIC(address, sizeof(type));                                                                          \
        (void)__atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
        NV_STORED(address);                                                                                            \
        return expected;                                                                                               \
    }                                                                                                                  \
    DEFINE_COMPARE(type, bits, strong, false)                                                                          \
    DEFINE_COMPARE(type, bits, weak, true)                                                                             \
    DEFINE_CHANGE(type, bits, fetch_add)                                                                               \
    DEFINE_CHANGE(type, bits, fetch_sub)                                                                               \
    DEFINE_CHANGE(type, bits, fetch_and)                                                                               \
    DEFINE_CHANGE(type, bits, fetch_or)                                                                                \
    DEFINE_CHANGE(type, bits, fetch_xor)                                                                               \
    DEFINE_CHANGE(type, bits, fetch_nand)

DEFINE(uint8_t, 8)
DEFINE(uint16_t, 16)
DEFINE(uint32_t, 32)
DEFINE(uint64_t, 64)
