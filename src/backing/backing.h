/* SPDX-License-Identifier: MIT */
/*
 * One object for each file that a token's pages come from, or that is open by a handle, shared by all of them: it knows
 * whether writing the file back has failed. Linux tells of a lost page once; this object makes every later flush fail
 * as well.
 */
#ifndef NV_BACKING_H
#define NV_BACKING_H

#include <nvrtl/types.h>
#include <stdbool.h>

struct nv_backing;
struct nv_extents;
struct nv_pages;

/* The object of the file (or folder, or device), with one reference more; NULL without memory. */
struct nv_backing *nv_backing_get(uint64_t device, uint64_t inode);

/*
 * Gives a reference back. An object without references goes, unless its file has failed: that is kept for later tokens.
 */
void nv_backing_put(struct nv_backing *backing);

/* The status of the first failure, or STATUS_SUCCESS. */
NTSTATUS nv_backing_failure(struct nv_backing *backing);

/*
 * Makes pages of a mapping durable. A failure is remembered, except STATUS_INVALID_PARAMETER: some of them are not
 * mapped any more. Any thread may call it, with any reference.
 */
NTSTATUS nv_backing_sync_pages(struct nv_backing *backing, const struct nv_pages *pages);

/* The same for all pages that the range touches, by msync. */
NTSTATUS nv_backing_sync(struct nv_backing *backing, char *start, size_t size_bytes);

/*
 * Whether to hold a descriptor of the file would make it cheaper to sync such pages; once it is true, nv_backing_keep
 * has to follow. The descriptor is not the program's, and is closed when the last reference is given back.
 */
bool nv_backing_wants_keeper(struct nv_backing *backing, const struct nv_extents *extents);

/* Where the kernel says that the file is mapped, and its path, which may lead elsewhere. */
struct nv_backing_place {
    const char *path;
    uintptr_t mapping_start;
    uintptr_t mapping_end;
};

/* NULL: it is not known. Where it does not succeed, pages are synced without. */
void nv_backing_keep(struct nv_backing *backing, const struct nv_backing_place *place);

enum nv_file_sync {
    NV_SYNC_ALL,   /* fsync */
    NV_SYNC_DATA,  /* fdatasync */
    NV_SYNC_WRITE, /* hands the data to the device: nothing is durable by it, but a failure is one */
    NV_SYNC_VOLUME /* syncfs: all files of the file system; the backing is nv_backing_get(device, NV_BACKING_VOLUME) */
};

/* Instead of an inode: the whole file system. No file has this number. */
#define NV_BACKING_VOLUME 0

/*
 * Makes the open file durable. A failure is remembered, except STATUS_INVALID_HANDLE and STATUS_INVALID_DEVICE_REQUEST:
 * the descriptor is none, or of something that cannot be synced. STATUS_VOLUME_DISMOUNTED: its device is gone, or its
 * file system was shut down. A file that has failed is refused with its failure. Any thread may call it, with any
 * reference.
 */
NTSTATUS nv_backing_sync_file(struct nv_backing *backing, int descriptor, enum nv_file_sync how);

void nv_backing_forget(struct nv_backing *backing);

/* The failure of some file of the device that has failed, or STATUS_SUCCESS; and to forget those of all of them. */
NTSTATUS nv_backing_failure_on(uint64_t device);
void nv_backing_forget_on(uint64_t device);

/* Around fork(): the child has no thread that could be in a sync. */
void nv_backing_before_fork(void);
void nv_backing_after_fork(int in_child);

/* How many objects there are. For tests. */
size_t nv_backing_count(void);

#endif
