/* SPDX-License-Identifier: MIT */
/*
 * Objects that handles stand for, and the handles. A handle is a slot and a generation, as a token is: garbage, closed
 * and doubly closed ones are recognised without a lock and without following them.
 */
#ifndef NV_IO_OBJECT_H
#define NV_IO_OBJECT_H

#include <nvrtl/file.h>
#include <stdatomic.h>

struct nv_object;

struct nv_object_type {
    const char *name;
    void (*closed)(struct nv_object *object);  /* its last handle is closed; references may live on */
    void (*destroy)(struct nv_object *object); /* its last reference is gone */
};

/* The head of every object. */
struct nv_object {
    const struct nv_object_type *type;
    _Atomic uint32_t references; /* one is held by all handles together */
    _Atomic uint32_t handles;
};

/* A new handle with the granted access. The object's reference is the handle's from then on, if this succeeds. */
NTSTATUS nv_handle_open(struct nv_object *object, ACCESS_MASK granted, HANDLE *handle);

/*
 * The handle's object with one reference more, and the access the handle was granted. `type` NULL: of any type.
 * STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH, for the pseudo-handles too.
 */
NTSTATUS nv_handle_reference(HANDLE handle, const struct nv_object_type *type, struct nv_object **object,
                             ACCESS_MASK *granted);

/* STATUS_INVALID_HANDLE: it was no live handle. Pseudo-handles are closed with success, and go on working. */
NTSTATUS nv_handle_close(HANDLE handle);

void nv_object_reference(struct nv_object *object);
void nv_object_release(struct nv_object *object);

#endif
