/* SPDX-License-Identifier: MIT */
/* Code that is compiled without hooks, as libraries are. */
#ifndef TEST_UNSEEN_WITHOUT_HOOKS_H
#define TEST_UNSEEN_WITHOUT_HOOKS_H

#include <stddef.h>

void store_without_hooks(char *at, size_t size_bytes);

#endif
