/* SPDX-License-Identifier: MIT */
/* IRPs, as the stack keeps them behind what drivers see. */
#ifndef NV_IO_IRP_H
#define NV_IO_IRP_H

#include "src/io/device.h"

struct nv_request;

#define NV_IRP_LOCATIONS_MAX 100 /* their number and one more is a CHAR */

enum nv_irp_kind {
    NV_IRP_REQUEST,     /* of a public function, which waits for it and has its memory */
    NV_IRP_SYNCHRONOUS, /* by IoBuildSynchronousFsdRequest: freed when it is complete */
    NV_IRP_DRIVER       /* its driver frees it */
};

/*
 * Each location's device is held from the time the request is sent to it until it is complete there, or sent on from
 * the same location.
 */
struct nv_irp {
    IRP shown;
    enum nv_irp_kind kind;
    KEVENT complete;            /* NV_IRP_REQUEST */
    struct nv_request *request; /* NV_IRP_REQUEST */
    IO_STACK_LOCATION *room;
    struct nv_device **held;
};

static inline struct nv_irp *nv_irp_of(PIRP shown)
{
    return (struct nv_irp *)shown;
}

/*
 * Fills in an IRP with so many locations, which are zeroed. `room` is for one more: it lies below the others,
 * for a driver that fills in the next location where there is none.
 */
void nv_irp_initialize(struct nv_irp *irp, enum nv_irp_kind kind, IO_STACK_LOCATION *room, struct nv_device **held,
                       CHAR count);

/* Sends it to a device that is held; the hold is the IRP's from then on. */
NTSTATUS nv_irp_send(struct nv_irp *irp, struct nv_device *device);

#endif
