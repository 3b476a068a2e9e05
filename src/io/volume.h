/* SPDX-License-Identifier: MIT */
/* A volume: one mounted file system, where requests for its files are sent and filters are attached. */
#ifndef NV_IO_VOLUME_H
#define NV_IO_VOLUME_H

#include "src/io/request.h"

#include <nvrtl/minifilter.h>
#include <stdatomic.h>
#include <stdbool.h>

struct nv_context;
struct nv_pass;

/* The first file of it is opened: the filters are told, by one thread; the others wait. */
enum nv_volume_state { NV_VOLUME_NEW, NV_VOLUME_MOUNTING, NV_VOLUME_MOUNTED };

struct nv_volume {
    struct nv_volume *next;
    uint64_t device;         /* as makedev() */
    _Atomic uint64_t mapped; /* as mappings of its files have it; 0 until it is asked for */
    /*
     * Where requests go: nv_driver_serve, until a filter is attached; then nv_stack_serve. Each request takes the stack
     * as it is when it is sent.
     */
    nv_request_function *_Atomic serve;
    _Atomic int state; /* enum nv_volume_state; changed under its park lock (park.h) */
    void *mounter;     /* the thread, while it is mounting */
    /* The stack's, under its locks. */
    PDEVICE_OBJECT shown; /* made when something is attached; else NULL */
    PDEVICE_OBJECT disk;  /* what it is mounted from, likewise */
    uint32_t attached;    /* devices and instances */
    bool refused;
    /* The minifilters', under their lock. */
    PFLT_INSTANCE instances; /* from the highest altitude down */
    struct nv_pass *passes;  /* requests that are on their way */
    uint64_t tickets;        /* given to them so far */
    struct nv_context *contexts;
};

/*
 * The volume of the device, made at its first use; it lives as long as the process. Filters have heard of it when this
 * returns. NULL without memory.
 */
struct nv_volume *nv_volume_get(uint64_t device);

/* The device number that the backings of its files have. The descriptor is of one of them. */
uint64_t nv_volume_mapped(struct nv_volume *volume, int descriptor);

/* Around fork(). */
void nv_volume_before_fork(void);
void nv_volume_after_fork(bool in_child);

/* All volumes, one after the other; NULL begins, and ends. */
struct nv_volume *nv_volume_next(const struct nv_volume *volume);

/* Sends a request to its file's volume. */
NTSTATUS nv_volume_send(struct nv_volume *volume, struct nv_request *request);

/* The driver: serves a request by system calls. */
NTSTATUS nv_driver_serve(struct nv_request *request);

/* The stack of filters: makes an IRP of the request, and waits for its end. */
NTSTATUS nv_stack_serve(struct nv_request *request);

#endif
