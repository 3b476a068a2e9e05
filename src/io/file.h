/* SPDX-License-Identifier: MIT */
/* A file object: what NtCreateFile opens and a FILE_OBJECT shows of it to filters. */
#ifndef NV_IO_FILE_H
#define NV_IO_FILE_H

#include "src/backing/backing.h"
#include "src/io/fcb.h"
#include "src/io/object.h"

#include <nvrtl/filter.h>
#include <pthread.h>
#include <stdbool.h>

struct nv_volume;
struct nv_context;

enum nv_file_kind { NV_FILE_DATA, NV_FILE_DIRECTORY, NV_FILE_VOLUME, NV_FILE_PIPE, NV_FILE_TERMINAL, NV_FILE_OTHER };

struct nv_file {
    struct nv_object object;
    FILE_OBJECT shown; /* to filters */
    enum nv_file_kind kind;
    struct nv_volume *volume;
    struct nv_backing *backing; /* shared with tokens; NULL where nothing can be flushed */
    struct nv_fcb *fcb;         /* shared with other handles of the file; NULL until the driver has opened it */
    int descriptor;             /* -1 until then */
    WCHAR *name;                /* what shown.FileName was made in */
    _Atomic ULONG options;      /* FileModeInformation changes some */
    USHORT share;
    bool is_counted; /* in the fcb, until its handle is closed */
    bool is_direct;  /* O_DIRECT */
    bool is_stream;  /* has no offsets */
    bool writable;   /* the descriptor is: the file system cannot be mounted for reading only while it is open */
    pthread_mutex_t position_lock; /* of shown.CurrentByteOffset */
    struct nv_context *contexts;   /* minifilters', under their lock; gone when the file is closed */
};

extern const struct nv_object_type nv_file_type;

/* A file object that nothing is open by, with one reference. */
NTSTATUS nv_file_new(struct nv_file **file);

/* The handle's file, with one reference more, and the access granted to the handle. */
static inline NTSTATUS nv_file_reference(HANDLE handle, struct nv_file **file, ACCESS_MASK *granted)
{
    return nv_handle_reference(handle, &nv_file_type, (struct nv_object **)(void *)file, granted);
}

static inline void nv_file_release(struct nv_file *file)
{
    nv_object_release(&file->object);
}

/* NtCreateFile's synchronous handles have a position, and are locked while a request is made. */
static inline bool nv_file_is_synchronous(const struct nv_file *file)
{
    return file->options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT);
}

static inline struct nv_file *nv_file_of(FILE_OBJECT *shown)
{
    return (struct nv_file *)(void *)((char *)shown - offsetof(struct nv_file, shown));
}

#endif
