/* SPDX-License-Identifier: MIT */
/* How much room there is for a view, and how much a folder would take. */
#ifndef NV_ROOM_H
#define NV_ROOM_H

#include <stdint.h>

/* Bytes of memory that this process may use at most: the machine's, or what its control groups leave it. */
uint64_t nv_room_memory(void);
/* Bytes free for a view: in that folder's file system, or (NULL) in memory. 0: not known. */
uint64_t nv_room_free(const char *scratch);

struct nv_measure {
    uint64_t bytes, files;         /* counted so far */
    uint64_t bytes_max, files_max; /* counting ends when one of them is exceeded */
};
/* Count what is below `name` in the folder `parent`. */
void nv_measure_folder(int parent, const char *name, struct nv_measure *measure);

#endif
