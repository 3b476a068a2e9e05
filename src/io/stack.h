/* SPDX-License-Identifier: MIT */
/* The stack of a volume: the file system's device at its bottom, and who makes requests pass it. */
#ifndef NV_IO_STACK_H
#define NV_IO_STACK_H

#include "src/io/device.h"
#include "src/io/volume.h"

/* The file system's control device, which filters attach to so as to hear of volumes. NULL without memory. */
struct nv_device *nv_stack_control_device(void);

/* The volume's own device, at the bottom of its stack; made at the first call. NULL without memory. */
struct nv_device *nv_stack_base(struct nv_volume *volume);

/* A device or an instance is attached, or is not any more: requests take the stack while there is any. */
void nv_stack_attached(struct nv_volume *volume);
void nv_stack_detached(struct nv_volume *volume);

/* Around fork(). */
void nv_stack_before_fork(void);
void nv_stack_after_fork(void);
void nv_attachments_before_fork(void);
void nv_attachments_after_fork(void);

/* A volume is used for the first time: tells the filters that are there. */
NTSTATUS nv_stack_mount(struct nv_volume *volume);

#endif
