/* SPDX-License-Identifier: MIT */
/*
 * The stack that a request for a file passes: IRPs, devices, drivers, legacy filters and minifilters.
 *
 * Only what a filter of flush, read, write, open and close may touch is here, with the names, types and values of
 * wdm.h, ntifs.h and fltkernel.h; the layout of the structures is nvrtl's own.
 */
#ifndef NVRTL_FILTER_H
#define NVRTL_FILTER_H

#include <nvrtl/file.h>

NVRTL_BEGIN

/* Major functions, and the minor ones of a flush: one of them, not a mask. Not the numbers of FLUSH_FLAGS_*. */
#define IRP_MJ_CREATE 0x00
#define IRP_MJ_CLOSE 0x02
#define IRP_MJ_READ 0x03
#define IRP_MJ_WRITE 0x04
#define IRP_MJ_QUERY_INFORMATION 0x05
#define IRP_MJ_SET_INFORMATION 0x06
#define IRP_MJ_FLUSH_BUFFERS 0x09
#define IRP_MJ_QUERY_VOLUME_INFORMATION 0x0a
#define IRP_MJ_CLEANUP 0x12
#define IRP_MJ_MAXIMUM_FUNCTION 0x1b
#define IRP_MN_FLUSH_AND_PURGE 0x01
#define IRP_MN_FLUSH_DATA_ONLY 0x02
#define IRP_MN_FLUSH_NO_SYNC 0x03
#define IRP_MN_FLUSH_DATA_SYNC_ONLY 0x04
#define SL_FORCE_ASYNCHRONOUS 0x01

typedef struct _DEVICE_OBJECT DEVICE_OBJECT, *PDEVICE_OBJECT;

/* An open file, as filters see it. */
typedef struct _FILE_OBJECT {
    PDEVICE_OBJECT DeviceObject; /* the volume's */
    PVOID FsContext;             /* the same for all file objects of one file */
    PVOID FsContext2;
    BOOLEAN ReadAccess;
    BOOLEAN WriteAccess;
    BOOLEAN DeleteAccess;
    BOOLEAN SharedRead;
    BOOLEAN SharedWrite;
    BOOLEAN SharedDelete;
    ULONG Flags;
    UNICODE_STRING FileName; /* from the volume's root on */
    LARGE_INTEGER CurrentByteOffset;
} FILE_OBJECT, *PFILE_OBJECT;

NVRTL_END

#endif
