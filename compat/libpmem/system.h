/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the drop-in that the runtime has none of, in one table, as src/os/os.h has the others: a failure
 * is a negative errno.
 */
#ifndef NV_PMEM_SYSTEM_H
#define NV_PMEM_SYSTEM_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct nv_pmem_system {
    int (*status)(const char *path, struct stat *status);
    int (*status_of)(int file, struct stat *status);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*open_nameless)(const char *folder,
                         int flags); /* a new file without a name, which is never to have one (O_EXCL)
                                                            or may get one */
    void (*close)(int file);
    int (*resize)(int file, off_t size_bytes);
    int (*allocate)(int file, off_t size_bytes);
    int (*remove)(const char *path);
    /* Shared, for reading and writing, at `hint` or elsewhere; with MAP_SYNC where the file system has it. */
    int (*map)(void *hint, size_t size_bytes, int file, void **address);
    int (*unmap)(void *address, size_t size_bytes);
    /* Where as many bytes would fit now, aligned; NULL: it is not known. */
    void *(*free_place)(size_t size_bytes, size_t alignment);
    int (*device_dax_bytes)(dev_t device, size_t *size_bytes); /* -ENOTTY: it is no device DAX */
    int (*deep_flush)(dev_t device);                           /* -ENOTTY: likewise */
    int (*has_auto_flush)(void);                               /* 1: every region's platform saves the CPU's caches */
};

extern const struct nv_pmem_system *nv_pmem_system;
extern const struct nv_pmem_system nv_pmem_system_linux;

#endif
