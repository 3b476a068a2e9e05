/* SPDX-License-Identifier: MIT */
/* The driver's functions, one for each major function that it serves. */
#ifndef NV_IO_DRIVER_H
#define NV_IO_DRIVER_H

#include "src/io/file.h"
#include "src/io/path.h"
#include "src/io/request.h"

#include <stdbool.h>

NTSTATUS nv_driver_create(struct nv_request *request);
NTSTATUS nv_driver_cleanup(struct nv_request *request);
NTSTATUS nv_driver_close(struct nv_request *request);
NTSTATUS nv_driver_read(struct nv_request *request);
NTSTATUS nv_driver_write(struct nv_request *request);
NTSTATUS nv_driver_query_information(struct nv_request *request);
NTSTATUS nv_driver_set_information(struct nv_request *request);
NTSTATUS nv_driver_query_volume_information(struct nv_request *request);
NTSTATUS nv_driver_flush(struct nv_request *request);

/* Whether files of this kind take this IRP_MN_* of a flush. */
bool nv_flush_is_for(enum nv_file_kind kind, UCHAR minor);

/*
 * The path at which the file is open: the one that the kernel knows it by, if that still leads to it. A negative errno.
 */
int nv_driver_path(const struct nv_file *file, char path[NV_PATH_BYTES]);

/* Takes that name away. A negative errno. */
int nv_driver_unlink(struct nv_file *file);

/* Serves IRP_MJ_SET_INFORMATION with FileRenameInformation. */
NTSTATUS nv_driver_rename(struct nv_request *request);

#endif
