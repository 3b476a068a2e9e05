/* SPDX-License-Identifier: MIT */
/* Owns what is watched, as far as this program or library knows it. Its constructor asks to be told. */
#include "compat/stores/hooks.h"

NVRTL_STORE_WATCH nv_hooks_watch;

__attribute__((constructor)) static void watch(void)
{
    NvrtlWatchStores(&nv_hooks_watch);
}
