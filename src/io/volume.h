/* SPDX-License-Identifier: MIT */
/* A volume: one mounted file system, where requests for its files are sent and filters are attached. */
#ifndef NV_IO_VOLUME_H
#define NV_IO_VOLUME_H

#include "src/io/request.h"

#include <stdatomic.h>

struct nv_volume {
    struct nv_volume *next;
    uint64_t device; /* as makedev() */
    /*
     * Where requests go: nv_driver_serve, until a filter is attached; then nv_stack_serve. Each request takes the stack
     * as it is when it is sent.
     */
    nv_request_function *_Atomic serve;
    PDEVICE_OBJECT shown; /* made by the stack when something is attached; else NULL */
};

/* The volume of the device, made at its first use; it lives as long as the process. NULL without memory. */
struct nv_volume *nv_volume_get(uint64_t device);

/* Around fork(). */
void nv_volume_before_fork(void);
void nv_volume_after_fork(void);

/* Sends a request to its file's volume. */
NTSTATUS nv_volume_send(struct nv_volume *volume, struct nv_request *request);

/* The driver: serves a request by system calls. */
NTSTATUS nv_driver_serve(struct nv_request *request);

/* The stack of filters: makes an IRP of the request, and waits for its end. */
NTSTATUS nv_stack_serve(struct nv_request *request);

#endif
