/* SPDX-License-Identifier: MIT */
/*
 * What the parts of rig-client share: a region of a mapped file, and the ways to make what is written there durable.
 * Only public headers are used.
 */
#ifndef RIG_CLIENT_H
#define RIG_CLIENT_H

#include <nvrtl/nvrtl.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGE ((size_t)4096)

#define PENDING_MAX 16

struct region {
    const char *path;
    int descriptor;
    char *base;
    size_t size_bytes; /* of the mapping: the file may be shorter */
    bool synchronous;  /* mapped with MAP_SYNC */
    PVOID token;
    HANDLE handle; /* of the descriptor */
    char *view;    /* of a section of the file; NULL until a way needs it */
    PVOID view_token;
    NV_MEMORY_RANGE pending[PENDING_MAX]; /* of the way "ranges": written, and not yet flushed */
    size_t pending_count;
};

/*
 * One way to make data durable: whatever was written is durable when finish has returned STATUS_SUCCESS. One that does
 * not promise this is there to see tests fail.
 */
struct way {
    const char *name;
    NTSTATUS (*write)(struct region *region, size_t offset, const void *data, size_t size_bytes);
    NTSTATUS (*finish)(struct region *region);
    bool promises;
    bool metadata; /* it promises the file's times, too: that takes more of a disk */
};

/* By number, from 0, NULL behind the last; by name, or the client ends. */
const struct way *way_at(size_t index);
const struct way *way_find(const char *name);

/* Ends the client, with what failed, unless all is well. */
void must(bool well, const char *what);

/* Opens (or makes) the file; region_map maps it and takes a token: with MAP_SYNC where the file has that. */
void region_open(struct region *region, const char *path);
void region_map(struct region *region, size_t size_bytes, bool synchronous);
void region_map_view(struct region *region); /* besides: of a section, with a token of its own */
void region_close(struct region *region);

/* The commands. Arguments begin behind the command's name; the result is the exit status. */
int command_write(int count, char **arguments);
int command_verify(int count, char **arguments);
int command_domain(int count, char **arguments);
int command_failing(int count, char **arguments);
int command_told_once(int count, char **arguments);
int command_shutdown(int count, char **arguments);

#endif
