/* SPDX-License-Identifier: MIT */
/* Looking into the program: its descriptors, its memory, its mappings. `thread` is a thread's number. */
#ifndef NV_TARGET_H
#define NV_TARGET_H

#include "supervise/image.h"

#include <sys/types.h>

int nv_target_statx(pid_t thread, int fd, struct statx *status);
/* The path that a descriptor was opened by, as the kernel tells it. */
int nv_target_fd_path(pid_t thread, int fd, char *path, size_t path_bytes);
/* Open the same file again, for reading: a descriptor of our own. */
int nv_target_reopen(pid_t thread, int fd);
/* The same open file: shares its position. */
int nv_target_duplicate(pid_t thread, int fd);
int nv_target_read(pid_t thread, uint64_t address, void *buffer, size_t length);
/* A string; -ENAMETOOLONG when it does not end in time. */
int nv_target_string(pid_t thread, uint64_t address, char *text, size_t text_bytes);
bool nv_target_has_fd(pid_t thread, int fd);
/* The number behind a field of /proc/PID/status ("Umask:", "Uid:"), in the base given; -1 when it cannot be read. */
long nv_target_status(pid_t thread, const char *field, int base);

struct nv_target_mapping {
    uint64_t start, end, offset, device, inode;
    bool shared;
};
/* Call `visit` for each mapping that overlaps [from, to). */
int nv_target_mappings(pid_t thread, uint64_t from, uint64_t to,
                       int (*visit)(void *context, const struct nv_target_mapping *mapping), void *context);

#endif
