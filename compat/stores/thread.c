/* SPDX-License-Identifier: MIT */
/*
 * The hooks of -fsanitize=thread, but for atomics: one before each store, and one before each load, which does nothing.
 */
#include "compat/stores/hooks.h"

#include <stdbool.h>

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_vptr_update(void **pointer, void *value);
void __tsan_vptr_read(void **pointer);
void __tsan_read_range(void *address, size_t size_bytes);
void __tsan_write_range(void *address, size_t size_bytes);

NV_HOOK void __tsan_init(void)
{
}

NV_HOOK void __tsan_func_entry(void *caller)
{
    (void)caller;
}

NV_HOOK void __tsan_func_exit(void)
{
}

NV_HOOK void __tsan_vptr_update(void **pointer, void *value)
{
    (void)value;
    NV_SEE_STORE(pointer, sizeof(*pointer));
}

NV_HOOK void __tsan_vptr_read(void **pointer)
{
    (void)pointer;
}

NV_HOOK void __tsan_read_range(void *address, size_t size_bytes)
{
    (void)address;
    (void)size_bytes;
}

NV_HOOK void __tsan_write_range(void *address, size_t size_bytes)
{
    NV_SEE_STORE(address, size_bytes);
}

#define DEFINE_READ(name)                                                                                              \
    void name(void *address);                                                                                          \
    NV_HOOK void name(void *address)                                                                                   \
    {                                                                                                                  \
        (void)address;                                                                                                 \
    }
#define DEFINE_WRITE(name, size)                                                                                       \
    void name(void *address);                                                                                          \
    NV_HOOK void name(void *address)                                                                                   \
    {                                                                                                                  \
        NV_SEE_STORE(address, size);                                                                                   \
    }
#define DEFINE(size)                                                                                                   \
    DEFINE_READ(__tsan_read##size)                                                                                     \
    DEFINE_READ(__tsan_unaligned_read##size)                                                                           \
    DEFINE_READ(__tsan_volatile_read##size)                                                                            \
    DEFINE_READ(__tsan_unaligned_volatile_read##size)                                                                  \
    DEFINE_WRITE(__tsan_write##size, size)                                                                             \
    DEFINE_WRITE(__tsan_unaligned_write##size, size)                                                                   \
    DEFINE_WRITE(__tsan_volatile_write##size, size)                                                                    \
    DEFINE_WRITE(__tsan_unaligned_volatile_write##size, size)                                                          \
    DEFINE_WRITE(__tsan_read_write##size, size)                                                                        \
    DEFINE_WRITE(__tsan_unaligned_read_write##size, size)

DEFINE(1)
DEFINE(2)
DEFINE(4)
DEFINE(8)
DEFINE(16)
