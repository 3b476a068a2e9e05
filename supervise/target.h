/* SPDX-License-Identifier: MIT */
/*
 * Looking into the program: its descriptors, its memory, its mappings. `thread` is a thread's number. Functions return
 * 0, or what they say, or a negative errno, or NV_HIDDEN.
 */
#ifndef NV_TARGET_H
#define NV_TARGET_H

#include "supervise/image.h"

#include <sys/types.h>

/* The kernel does not let the supervisor look into the program. No errno: the program must not hear of it. */
enum { NV_HIDDEN = -5000 };

/* -EBADF: it is no descriptor, or one of a path only (O_PATH). */
int nv_target_statx(pid_t thread, int fd, struct statx *status);
/* The path that a descriptor was opened by, as the kernel tells it. */
int nv_target_fd_path(pid_t thread, int fd, char *path, size_t path_bytes);
/* The position of a descriptor, and its flags. */
int nv_target_position(pid_t thread, int fd, uint64_t *position, uint64_t *flags);
/* Open the same file again, for reading: a descriptor of our own. */
int nv_target_reopen(pid_t thread, int fd);
/* The same open file: shares its position. */
int nv_target_duplicate(pid_t thread, int fd);
/* Numbers from here on cannot be descriptors of the program. */
int nv_target_fd_limit(pid_t thread, int otherwise);
/* As many of the bytes as there are; never 0. */
ssize_t nv_target_read_some(pid_t thread, uint64_t address, void *buffer, size_t length);
int nv_target_read(pid_t thread, uint64_t address, void *buffer, size_t length);
/* A string; -ENAMETOOLONG when it does not end in time. */
int nv_target_string(pid_t thread, uint64_t address, char *text, size_t text_bytes);
bool nv_target_has_fd(pid_t thread, int fd);
/* The number behind a field of /proc/PID/status ("Umask:", "Uid:"), in the base given; -1 when it cannot be read. */
long nv_target_status(pid_t thread, const char *field, int base);
/* The last number of the line: in the innermost namespace, where the line lists them. */
long nv_target_status_last(pid_t thread, const char *field);
/* All numbers of the line; -E2BIG when there are more. */
int nv_target_status_list(pid_t thread, const char *field, int base, uint64_t *numbers, size_t numbers_max);

struct nv_target_mapping {
    uint64_t start, end, offset, device, inode;
    bool shared;
    const char *path; /* with a newline; what is no file has none, or another word */
};
/* Call `visit` for each mapping that overlaps [from, to). */
int nv_target_mappings(pid_t thread, uint64_t from, uint64_t to,
                       int (*visit)(void *context, const struct nv_target_mapping *mapping), void *context);

#endif
