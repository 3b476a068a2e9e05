/* SPDX-License-Identifier: MIT */
/*
 * The file plane's seam: one request for one file, made by a public function, served by a volume.
 *
 * A request lives on its maker's stack. A volume without filters hands it straight to the driver; one with filters
 * makes an IRP of it, lets that pass the stack, and the driver at the bottom serves the same request.
 */
#ifndef NV_IO_REQUEST_H
#define NV_IO_REQUEST_H

#include <nvrtl/filter.h>

struct nv_file;
struct nv_path;

struct nv_request {
    UCHAR major;       /* IRP_MJ_* */
    UCHAR minor;       /* IRP_MN_*, of a flush */
    UCHAR stack_flags; /* SL_* */
    struct nv_file *file;
    union {
        struct {
            ACCESS_MASK access; /* generic rights are mapped; MAXIMUM_ALLOWED is the driver's to replace */
            ULONG disposition;
            ULONG options;
            USHORT attributes;
            USHORT share;
            const struct nv_path *path; /* NULL: the open descriptor has none that can be named */
            int descriptor;             /* to be taken over, and then -1; -1 from the beginning: the path is opened */
        } create;
        struct {
            PVOID buffer;
            ULONG length;    /* bytes */
            LONGLONG offset; /* bytes; or -1 end of file, -2 the file object's position: resolved by the driver */
        } transfer;
        struct {
            ULONG class;
            PVOID buffer;
            ULONG length; /* bytes */
        } information;    /* of the file, or of its volume */
    } of;
    ULONG_PTR information; /* out: as IO_STATUS_BLOCK's */
};

/* Serves a request to its end. */
typedef NTSTATUS nv_request_function(struct nv_request *request);

#endif
