/* SPDX-License-Identifier: MIT */
/*
 * The memory plane's seam: how a token is bound to an engine, and who hears of misuse (of the file plane's, too).
 *
 * The runtime calls through one table, nv_seam. By default the table binds a token to the engine of its memory's
 * persistence domain. In a verified run it is the verifier's table, put in place before main(); nothing in the runtime
 * asks which it is.
 */
#ifndef NV_SEAM_H
#define NV_SEAM_H

#include <nvrtl/nvm.h>
#include <nvrtl/stores.h>
#include <stdbool.h>

#define NV_SEAM_VERSION 3u
#define NV_LINE_BYTES ((size_t)64)
#define NV_VERIFIER_LIBRARY "libnvrtl-verifier.so"
#define NV_VERIFIER_ENTRY "nvrtl_verifier_seam"

/* One mapping (or the part of it that a token covers), as the kernel tells it. */
struct nv_segment {
    char *start;
    char *end;
    uint64_t offset; /* of start in the file, bytes */
    uint64_t device; /* as makedev() */
    uint64_t inode;
    char *mapping_start; /* the whole of it, of which a token may cover a part */
    char *mapping_end;
    NVRTL_DOMAIN domain;
    char path[4096]; /* as /proc/self/maps tells it; empty if none */
    char reason[160];
};

struct nv_engine;
struct nv_os;

/* What a token stands for. Copied out of its slot at each call, so an engine may keep no pointer to it. */
struct nv_region {
    const struct nv_engine *engine;
    char *base;
    size_t size_bytes;
    void *context; /* the engine's */
    /*
     * Bound for one call with FLUSH_NV_MEMORY_DEFAULT_TOKEN: its release (at once, or after the thread's drain when it
     * has a context and something was flushed) is no end of a token.
     */
    bool for_one_call;
};

/*
 * An engine makes a region durable, in its own way. `place` is the return address of the public function, for reports.
 * Ranges have been checked to lie inside the region, flags to be known. Errors are NTSTATUS; page-cache is the only
 * domain to have any.
 */
struct nv_engine {
    const char *name;
    NVRTL_DOMAIN domain;
    const char *(*write_back_name)(void);
    /* clang-format off */
    NTSTATUS (*flush)(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                      const void *place);
    NTSTATUS (*flush_ranges)(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                             uint32_t flags, const void *place);
    NTSTATUS (*drain)(const struct nv_region *region, const void *place);
    NTSTATUS (*write)(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                      uint32_t flags, const void *place);
    NTSTATUS (*fill)(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                     uint32_t flags, const void *place);
    /* clang-format on */
    NTSTATUS (*forget_failure)(const struct nv_region *region);
    void (*release)(const struct nv_region *region, const void *place); /* the token is gone; frees the context */
};

/* Why a call was refused; every refusal is STATUS_INVALID_PARAMETER to the caller. */
enum nv_refusal {
    NV_REFUSED_TOKEN,   /* no live token */
    NV_REFUSED_RANGE,   /* not inside the token's range */
    NV_REFUSED_FLAGS,   /* an unknown flag */
    NV_REFUSED_POINTER, /* a NULL where memory must be */
    /* The drop-in libpmem refuses nothing; it tells of these. */
    NV_REFUSED_MEMORY, /* memory that is not persistent, by a function that is for persistent memory */
    NV_REFUSED_DEVICE, /* it was not made durable, and the function has no status to say so */
};

/* What a driver or filter did wrong in a call that was served all the same. Numbered behind the refusals. */
enum nv_misuse {
    NV_MISUSE_LEVEL = 16, /* a flush above the IRQL that it is for, or with special kernel APCs disabled */
    NV_MISUSE_REENTRY,    /* a Zw or Nt flush from a minifilter's callback, which sends it through the whole stack */
};

struct nv_seam {
    uint32_t version;
    bool verified;
    bool forced;         /* the domain does not follow the memory */
    NVRTL_DOMAIN domain; /* that is simulated for what is at stake, in a verified run */
    /*
     * Set region->engine and ->context; base and size are set, and lie in the segments, which are adjacent and in
     * order.
     */
    NTSTATUS (*bind)(struct nv_region *region, const struct nv_segment *segments, size_t count);
    /* A drain with the default token: what this thread flushed with it. No place: the end of another call. */
    NTSTATUS (*drain_default)(const void *place);
    /* Misuse. Returns the status that the caller gets. */
    /* clang-format off */
    NTSTATUS (*refuse)(enum nv_refusal why, const char *function, PVOID token, const void *address, size_t size_bytes,
                       const void *place);
    /* clang-format on */
    void (*misuse)(enum nv_misuse why, const char *function, const void *place);
    /* What cannot be seen in this process: a sentence, for the report. */
    void (*tell)(const char *sentence);
    /* The drop-in libpmem calls the engines in this process. */
    void (*announce_libpmem)(void);
    void (*ignore)(const void *address, size_t size_bytes);
    void (*mark)(const char *text, const void *place);
    /* Lines are written back by the program itself. False: the instruction is to be executed. */
    bool (*see_write_back)(const void *address, size_t size_bytes, bool ordered, const void *place);
    void (*see_fence)(void);
    /* The program's hooks see its stores: where those are of interest, and one of them. */
    void (*watch_stores)(NVRTL_STORE_WATCH *watch);
    void (*see_store)(const void *address, size_t size_bytes, const void *place);
    /* It was atomic, and lies in two lines. */
    void (*see_split)(const void *address, size_t size_bytes, const void *place);
    void (*expect_durable)(const void *address, size_t size_bytes, const void *place);
    void (*expect_order)(const NV_MEMORY_RANGE *first, const NV_MEMORY_RANGE *then, const void *place);
    /* A private mapping there is the verifier's, in the place of a shared one of the same file. */
    bool (*is_view)(const void *address);
    /* Between both calls a region that is released and bound again has not ended. */
    void (*group)(bool begins);
};

/* The table in force. Written once, by the library's constructor. */
extern const struct nv_seam *nv_seam;

/* What the runtime lends to the verifier: the table that it replaces, and the means to look things up. */
struct nv_runtime {
    uint32_t version;
    const struct nv_seam *plain;
    /* The segments under [address, +size), as RtlGetNonVolatileToken finds them. Caller frees *segments with free(). */
    NTSTATUS (*resolve)(const void *address, size_t size_bytes, struct nv_segment **segments, size_t *count);
    /* Copies out the region of a live token; false for everything else, whatever its bits. May be NULL. */
    bool (*find)(PVOID token, struct nv_region *region);
    /* The IRQL that the calling thread has put itself at. */
    uint8_t (*irql)(void);
    /* The runtime's own system calls, for a run in which nobody else hears of them. May be NULL. */
    const struct nv_os **os;
};

/* The verifier library's one exported function. NULL: it cannot serve, and the runtime goes on with its own table. */
typedef const struct nv_seam *nv_verifier_entry(const struct nv_runtime *runtime);

#endif
