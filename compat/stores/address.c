/* SPDX-License-Identifier: MIT */
/*
 * The hooks of clang's -fsanitize=kernel-address with outlined checks: one before each store. Those of loads are there
 * for code that has them on.
 */
#include "compat/stores/hooks.h"

#include <string.h>

void __asan_handle_no_return(void);
void *__asan_memcpy(void *destination, const void *source, size_t size_bytes);
void *__asan_memmove(void *destination, const void *source, size_t size_bytes);
void *__asan_memset(void *destination, int value, size_t size_bytes);
void __asan_storeN_noabort(void *address, size_t size_bytes);
void __asan_loadN_noabort(const void *address, size_t size_bytes);

#define DEFINE(size)                                                                                                   \
    void __asan_store##size##_noabort(void *address);                                                                  \
    void __asan_load##size##_noabort(const void *address);                                                             \
    NV_HOOK void __asan_store##size##_noabort(void *address)                                                           \
    {                                                                                                                  \
        NV_SEE_STORE(address, size);                                                                                   \
    }                                                                                                                  \
    NV_HOOK void __asan_load##size##_noabort(const void *address)                                                      \
    {                                                                                                                  \
        (void)address;                                                                                                 \
    }

DEFINE(1)
DEFINE(2)
DEFINE(4)
DEFINE(8)
DEFINE(16)

NV_HOOK void __asan_storeN_noabort(void *address, size_t size_bytes)
{
    NV_SEE_STORE(address, size_bytes);
}

NV_HOOK void __asan_loadN_noabort(const void *address, size_t size_bytes)
{
    (void)address;
    (void)size_bytes;
}

NV_HOOK void __asan_handle_no_return(void)
{
}

NV_HOOK void *__asan_memcpy(void *destination, const void *source, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    return memcpy(destination, source, size_bytes);
}

NV_HOOK void *__asan_memmove(void *destination, const void *source, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    return memmove(destination, source, size_bytes);
}

NV_HOOK void *__asan_memset(void *destination, int value, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    return memset(destination, value, size_bytes);
}
