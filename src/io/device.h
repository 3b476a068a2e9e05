/* SPDX-License-Identifier: MIT */
/*
 * Devices and drivers, as the stack keeps them behind what drivers see.
 *
 * A device is held by each request that it has, and by each call of its driver for one. To detach it means that new
 * requests pass it by, and to wait until nobody holds it. Those that come from a device above it, which knows of no
 * other, are handed on to what it was attached to.
 */
#ifndef NV_IO_DEVICE_H
#define NV_IO_DEVICE_H

#include <nvrtl/filter.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct nv_volume;

#define NV_STACK_SIZE_MAX 16 /* devices in a stack */

struct nv_driver {
    DRIVER_OBJECT shown;
    DRIVER_EXTENSION extension;
    _Atomic uint32_t references;
    struct nv_driver *next;   /* loaded, too */
    struct nv_volume *volume; /* the only one it hears of; NULL: all */
    UNICODE_STRING altitude;  /* where its minifilter belongs; empty: above all others */
    WCHAR name[40];
};

struct nv_device {
    DEVICE_OBJECT shown;
    struct nv_device *next;   /* of all of them */
    struct nv_volume *volume; /* whose stack it is in; NULL: none */
    struct nv_device *lower;  /* what it is attached to, or was: with a reference */
    _Atomic uint32_t references;
    _Atomic uint32_t holds;
    _Atomic bool detached;
    _Alignas(max_align_t) char extension[];
};

static inline struct nv_device *nv_device_of(PDEVICE_OBJECT shown)
{
    return (struct nv_device *)shown;
}

static inline struct nv_driver *nv_driver_of(PDRIVER_OBJECT shown)
{
    return (struct nv_driver *)shown;
}

/* A driver of the library's own, or one that is loaded: every major function is refused. NULL without memory. */
struct nv_driver *nv_driver_new(const char *name);
void nv_driver_reference(struct nv_driver *driver);
void nv_driver_release(struct nv_driver *driver);

void nv_device_reference(struct nv_device *device);
void nv_device_release(struct nv_device *device);

bool nv_device_has_upper(struct nv_device *device);

void nv_drivers_before_fork(void);
void nv_drivers_after_fork(void);

/* Around fork(). The child waits for no request that another thread had in the parent. */
void nv_device_before_fork(void);
void nv_device_after_fork(bool in_child);

/* Detaches and deletes what devices the driver left. */
void nv_device_remove_all(struct nv_driver *driver);

/* DriverEntry has returned. */
void nv_device_end_initializing(struct nv_driver *driver);

/* The highest device of the stack that the device is in, held. */
struct nv_device *nv_device_hold_top(struct nv_device *device);

/* The device, or what took its place when it was detached; held. */
struct nv_device *nv_device_hold(struct nv_device *device);
void nv_device_unhold(struct nv_device *device);

#endif
