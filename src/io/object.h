/* SPDX-License-Identifier: MIT */
/*
 * Objects that handles stand for, and the handles. A handle is a slot and a generation, as a token is: garbage, closed
 * and doubly closed ones are recognised without a lock and without following them. An object has one handle at most;
 * its references are counted in the handle's slot, which is never unmapped, so that a lookup may race with a close.
 */
#ifndef NV_IO_OBJECT_H
#define NV_IO_OBJECT_H

#include <nvrtl/file.h>
#include <stdatomic.h>
#include <stdbool.h>

struct nv_object;
struct nv_object_slot;

struct nv_object_type {
    const char *name;
    void (*closed)(struct nv_object *object);  /* its handle is closed; references may live on */
    void (*destroy)(struct nv_object *object); /* its last reference is gone */
    /* NULL: it cannot be waited for. `timeout` as NtWaitForSingleObject has it, and it may be read. */
    NTSTATUS (*wait)(struct nv_object *object, bool alertable, const LARGE_INTEGER *timeout);
    /* NULL: nothing to do. In the child of a fork: no other thread is there, whatever it was doing with the object. */
    void (*forked)(struct nv_object *object);
};

/* The head of every object. */
struct nv_object {
    const struct nv_object_type *type;
    struct nv_object_slot *slot;
    HANDLE handle;
    ACCESS_MASK granted; /* to its handle; set before that is opened */
};

/*
 * Makes the rest of an object one with a slot, and one reference: the caller's. STATUS_INSUFFICIENT_RESOURCES: no slot
 * is left.
 */
NTSTATUS nv_object_begin(struct nv_object *object, const struct nv_object_type *type);

/* From now on the object's handle is live, with the access granted. The caller's reference is the handle's. */
HANDLE nv_handle_open(struct nv_object *object, ACCESS_MASK granted);

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

/* How many objects there are. For tests. */
uint32_t nv_object_count(void);

/* Around fork(). */
void nv_object_before_fork(void);
void nv_object_after_fork(bool in_child);

#endif
