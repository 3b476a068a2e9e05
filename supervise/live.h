/* SPDX-License-Identifier: MIT */
/* Which sockets and fifos somebody uses: a copy of them would be another. */
#ifndef NV_LIVE_H
#define NV_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct nv_live_node {
    uint64_t device, inode;
};

struct nv_live_list {
    struct nv_live_node *nodes;
    size_t count;
    bool made;
    bool uncertain; /* there are more, and there is no telling which */
};

struct nv_live {
    struct nv_live_list sockets; /* that are bound; the device is not known */
    struct nv_live_list fifos;   /* that are open, or being opened */
};

/* List open fifos now: from a user namespace nobody's descriptors can be seen. */
void nv_live_list_fifos(struct nv_live *live);
/* Somebody is bound to it. */
bool nv_live_socket(struct nv_live *live, const struct stat *status);
/* Somebody has it open, or waits for somebody else to open it. */
bool nv_live_fifo(struct nv_live *live, const struct stat *status);
void nv_live_free(struct nv_live *live);

#endif
