/* SPDX-License-Identifier: MIT */
/* The flags table of nvm.h: what has to follow the stores of a write or a fill. Asked by every engine. */
#ifndef NV_FLAGS_H
#define NV_FLAGS_H

#include <nvrtl/nvm.h>
#include <stdbool.h>

#define NV_FLUSH_FLAGS ((ULONG)FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN)
#define NV_WRITE_FLAGS ((ULONG)(WRITE_NV_MEMORY_FLAG_PERSIST | WRITE_NV_MEMORY_FLAG_NO_DRAIN))

/* Each includes the one before. */
enum nv_effect { NV_STORE, NV_FLUSH, NV_DRAIN };

static inline enum nv_effect nv_flush_effect(uint32_t flags)
{
    return flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN ? NV_FLUSH : NV_DRAIN;
}

static inline enum nv_effect nv_write_effect(uint32_t flags)
{
    uint32_t how = flags & WRITE_NV_MEMORY_FLAG_PERSIST;
    if (how == 0)
        return NV_STORE;
    return how != WRITE_NV_MEMORY_FLAG_PERSIST && (flags & WRITE_NV_MEMORY_FLAG_NO_DRAIN) ? NV_FLUSH : NV_DRAIN;
}

static inline enum nv_effect nv_fill_effect(uint32_t flags)
{
    uint32_t how = flags & FILL_NV_MEMORY_FLAG_PERSIST;
    if (how == 0)
        return NV_STORE;
    return how == FILL_NV_MEMORY_FLAG_FLUSH && (flags & FILL_NV_MEMORY_FLAG_NO_DRAIN) ? NV_FLUSH : NV_DRAIN;
}

#endif
