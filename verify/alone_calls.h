/* SPDX-License-Identifier: MIT */
/*
 * What the preloaded library (alone/calls.c) tells the verifier of a run without a supervisor, which finds it by its
 * symbol. In any other run all of it stays NULL.
 */
#ifndef NV_VERIFY_ALONE_CALLS_H
#define NV_VERIFY_ALONE_CALLS_H

#include <stddef.h>

#define NV_ALONE_CALLS "nvrtl_alone_calls"

/* Each is called before the call that it is named after. */
struct nv_alone_calls {
    void (*sync_range)(const void *address, size_t size_bytes);
    void (*sync_file)(int descriptor);
    void (*unmap)(const void *address, size_t size_bytes);
    void (*exit)(int status);
};

#endif
