/* SPDX-License-Identifier: MIT */
/* Which sockets and fifos somebody uses: a copy of them would be another. */
#ifndef NV_LIVE_H
#define NV_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct nv_live {
    char **sockets; /* last parts of the paths that are bound */
    size_t socket_count;
    struct nv_live_fifo {
        uint64_t device, inode;
    } * fifos; /* that are open */
    size_t fifo_count;
    bool sockets_listed, fifos_listed;
    bool uncertain; /* some fifo is being opened, or memory was short: each may be in use */
};

/* List open fifos now: from a user namespace nobody's descriptors can be seen. */
void nv_live_list_fifos(struct nv_live *live);
/* Somebody is bound to a path that ends in that name. */
bool nv_live_socket(struct nv_live *live, const char *name);
/* Somebody has it open, or waits for somebody else to open it. */
bool nv_live_fifo(struct nv_live *live, const struct stat *status);
void nv_live_free(struct nv_live *live);

#endif
