/* SPDX-License-Identifier: MIT */
/*
 * The reference model: files, names and lines, as a program sees them (the view) and as a power failure would leave
 * them (the durable image). Plain data, so that a copy of it is an assignment. Written from the design, not from the
 * supervisor.
 */
#ifndef NV_TEST_MODEL_H
#define NV_TEST_MODEL_H

#include "tests/verified/operation.h"

#include <nvrtl/nvm.h>
#include <stdbool.h>

#define MODEL_INODES 40
#define MODEL_NAMES 80
#define MODEL_FILE_BYTES ((size_t)16384)
#define MODEL_LINE ((size_t)64)
#define MODEL_BLOCK ((size_t)4096)
#define MODEL_LINES (MODEL_FILE_BYTES / MODEL_LINE)
#define MODEL_FLIGHT 4096
#define MODEL_REGIONS 64

struct model_line {
    uint32_t flushes, committed;
    uint8_t flushed[MODEL_LINE]; /* content at the last flush */
};

struct model_inode {
    bool used, folder;
    bool durable_exists; /* with a name, or (posix) without */
    bool was_named;      /* it has had a durable name */
    bool new_metadata;
    bool sync_when_named;
    bool has_token;
    size_t reached; /* as far as the verifier has asked for the file */
    size_t view_size, durable_size;
    bool synced[MODEL_FILE_BYTES / MODEL_BLOCK]; /* a sync has brought other bytes to this block */
    uint8_t view[MODEL_FILE_BYTES], durable[MODEL_FILE_BYTES];
    struct model_line lines[MODEL_LINES];
};

struct model_name {
    bool used;
    int parent, inode;
    char name[16];
};

/* A flushed line that no drain has committed. */
struct model_flight {
    int owner; /* a thread (cpu-cache), or an inode (page-cache) */
    int inode;
    size_t line;
    uint32_t version;
    uint8_t content[MODEL_LINE];
};

struct model_slot {
    bool used;
    int inode;
    size_t offset, length;
};

struct model_region {
    int inode;
    size_t offset, length;
};

struct model {
    bool posix;
    NVRTL_DOMAIN domain;
    struct model_inode inodes[MODEL_INODES]; /* [0] is the folder itself */
    struct model_name view[MODEL_NAMES], durable[MODEL_NAMES];
    struct model_flight flight[MODEL_FLIGHT];
    size_t flight_count;
    struct model_slot slots[OPERATION_SLOTS];
    bool thread_files[OPERATION_THREADS][MODEL_INODES]; /* page-cache: flushed by the thread since its default drain */
    struct model_region regions[MODEL_REGIONS];
    size_t region_count;
};

void model_init(struct model *model, bool posix, NVRTL_DOMAIN domain);
/* A file that is there before the run, in both images. */
void model_add_file(struct model *model, const char *path, uint64_t seed, size_t size);
void model_apply(struct model *model, const struct operation *operation);
/* What eADR saves at the power failure. */
void model_persist_caches(struct model *model);

/* The inode of a path ("." is the folder itself), or -1. */
int model_find(const struct model *model, const char *path);
int model_parent(const struct model *model, const char *path, const char **name);
struct model_name *model_entry(struct model_name *names, int parent, const char *name);
/* The path of a name in one of the two tables; false when its folder has none there. */
bool model_path(const struct model_name *names, const struct model_name *entry, char *path, size_t path_bytes);
size_t model_link_count(const struct model_name *names, int inode);

/* model_sync.c: what system calls make durable */
void model_sync_names(struct model *model);
void model_sync_folder(struct model *model, int folder);
void model_sync_file(struct model *model, int inode, bool data_only, size_t from, size_t to);
void model_sync_range(struct model *model, int inode, size_t from, size_t to);
void model_sync_everything(struct model *model);

/* model_lines.c: what tokens make durable */
void model_token(struct model *model, const struct operation *operation);
void model_memory(struct model *model, const struct operation *operation);
/* How many lines a thread or file may still flush before the model is full. */
size_t model_flight_room(const struct model *model);

/* model_findings.c: what the report must say at the end, now */
struct model_finding {
    char file[64];
    char rule[24];
    char severity[12];
    size_t offset, total; /* of the first differing range; of all */
};
#define MODEL_FINDINGS 128
size_t model_findings(const struct model *model, struct model_finding *findings);

#endif
