/* SPDX-License-Identifier: MIT */
/* Stores that nobody is told of. Called by client.c. */
#include "tests/unseen/without_hooks.h"

void store_without_hooks(char *at, size_t size_bytes)
{
    volatile char *byte = at;

    while (size_bytes--)
        *byte++ = 'w';
}
