/* SPDX-License-Identifier: MIT */
/* What a token is bound to: which file, and where in it, each address of the region lies. */
#ifndef NV_VERIFY_BINDING_H
#define NV_VERIFY_BINDING_H

#include "src/nvm/seam.h"
#include "verify/files.h"

struct nv_binding_part {
    uintptr_t start; /* the part reaches to the start of the next one; the first is good from 0, the last to the end */
    struct nv_file *file; /* NULL: not at stake */
    uint64_t shift;       /* offset in the file = address + shift */
};

struct nv_binding {
    struct nv_binding *next;
    size_t count;
    struct nv_binding_part parts[];
};

/*
 * The binding for these segments; *at_stake tells whether any file of them is. Bindings are interned and immortal: a
 * token freed in one thread while another uses it is the program's fault, and must not become the verifier's crash.
 */
NTSTATUS nv_binding_get(const struct nv_segment *segments, size_t count, const struct nv_binding **binding,
                        bool *at_stake);

/* The part that `address` lies in, and where the part ends. */
static inline const struct nv_binding_part *nv_binding_part(const struct nv_binding *binding, uintptr_t address,
                                                            uintptr_t *end)
{
    size_t i = 0;

    while (i + 1 < binding->count && binding->parts[i + 1].start <= address)
        i++;
    *end = i + 1 < binding->count ? binding->parts[i + 1].start : UINTPTR_MAX;
    return &binding->parts[i];
}

void nv_binding_before_fork(void);
void nv_binding_after_fork(void);

#endif
