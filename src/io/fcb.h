/* SPDX-License-Identifier: MIT */
/*
 * A file control block: what all handles of one file in this process have in common. Its address is the FsContext of
 * their file objects.
 */
#ifndef NV_IO_FCB_H
#define NV_IO_FCB_H

#include <nvrtl/file.h>
#include <stdatomic.h>
#include <stdbool.h>

struct nv_fcb {
    struct nv_fcb *next; /* in its bucket */
    uint64_t device;
    uint64_t inode; /* 0: the volume itself */
    size_t references;
    /* Handles, and what they were opened for and share. Handles without access to data are in the first alone. */
    size_t handles;
    size_t sharers;
    size_t readers, writers, deleters;
    size_t read_shared, write_shared, delete_shared;
    _Atomic bool delete_pending;
    /*
     * The name is durable when name_durable is 1 more than names_given: how often the file got a name by one of the
     * handles, when it was created and at each renaming. Whoever names a file counts, the flush does the rest
     * (entry.h).
     */
    _Atomic uint32_t names_given;
    _Atomic uint32_t name_durable;
};

/* The file's, with one reference more; NULL without memory. */
struct nv_fcb *nv_fcb_get(uint64_t device, uint64_t inode);
void nv_fcb_put(struct nv_fcb *fcb);

/*
 * A handle more, with this access and sharing. STATUS_SHARING_VIOLATION: another handle's do not go with them.
 * STATUS_DELETE_PENDING: the file goes with its last handle.
 */
NTSTATUS nv_fcb_open(struct nv_fcb *fcb, ACCESS_MASK access, ULONG share);

/* The handle is closed. True: it was the last one, and the file is to be deleted. */
bool nv_fcb_close(struct nv_fcb *fcb, ACCESS_MASK access, ULONG share);

/* Does this process have the file open? */
bool nv_fcb_is_open(uint64_t device, uint64_t inode);

/* How many there are. For tests. */
size_t nv_fcb_count(void);

/* Around fork(). */
void nv_fcb_before_fork(void);
void nv_fcb_after_fork(void);

#endif
