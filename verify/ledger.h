/* SPDX-License-Identifier: MIT */
/*
 * What the verifier, inside the program, shares with the supervisor: the messages on the socket, and two kinds of
 * shared memory. Both survive the program, so that its end, however sudden, loses nothing of what it had said.
 *
 *   ledger   one a run: places in the code, misuse, broken expectations, marks, ignored ranges, regions, orders
 *   lines    one a file: a header, and records: for every page, and for each of its 64-byte lines
 *
 * All of it only grows; slots are taken by an atomic add, and `ready` is set last.
 *
 * A line of the durable image is written by the verifier, under the lock in its page's record, or by the supervisor,
 * which holds a range of the file. The verifier locks, then looks whether the range is held; the supervisor holds, then
 * waits for the locks in the range: so one of them sees the other. Whoever dies with a page locked is waited for only
 * so long (trace/patience.h).
 */
#ifndef NV_LEDGER_H
#define NV_LEDGER_H

#include "verify/activity.h"

/* The variable that names the socket: '@' and an abstract name. */
#define NV_VERIFIER_VARIABLE "NVRTL_VERIFIER"
/* In the same folder as the verifier; preloaded where flush instructions are to be seen. */
#define NV_TRAPS_LIBRARY "libnvrtl-traps.so"
/* The folder that libnvrtl-verifier.so is loaded from. */
#define NV_VERIFIER_PATH_VARIABLE "NVRTL_VERIFIER_PATH"

/* A page of its own, in front of the records. Written by the supervisor alone. */
#define NV_LINES_HEADER_BYTES ((uint64_t)4096)
struct nv_lines_header {
    _Atomic uint64_t reach_bytes; /* the durable file's size in whole pages: behind it, its mapping is not touched */
    _Atomic uint64_t held_from, held_to; /* no line of this range is written by a verifier */
};

/*
 * The record of one line of a file. Each flush is a version: `flushes` is the last one's, and `committed` is the newest
 * in the durable image: flushes != committed means that one is in flight. A sync of the file by a system call commits
 * the versions that were there when it began to read the line (the supervisor does), and so no older content is drained
 * over a newer one. Both change under the page's lock.
 */
struct nv_line_record {
    _Atomic uint16_t write_place; /* of the last write that was seen; 0: none */
    _Atomic uint16_t flush_place; /* of the last flush; 0: none */
    _Atomic uint32_t hash; /* nv_line_hash of what last went into flight; all that is flushed, when waste counts */
    _Atomic uint32_t flushes;
    _Atomic uint32_t committed;
    _Atomic uint64_t unnamed; /* store level: a bit for each byte that was stored, and that no flush has named since */
    _Atomic uint64_t told;    /* bytes that a flush has named since, and that are not durable by it yet */
};

#define NV_PAGE_BYTES ((uint64_t)4096)
#define NV_PAGE_LINES 64
#define NV_PAGE_ALL UINT64_MAX /* its lines */

/*
 * What holds for many lines of a page at once, so that to flush and drain it whole is to change one record. Sets of
 * lines have a bit for each. What a line's own record says of `committed` and the places counts when the line is in
 * neither set (verify/page.h).
 */
struct nv_page_record {
    _Atomic uint32_t lock;    /* it counts, too: each time it is locked its word is another, and none is 0 */
    _Atomic uint32_t passes;  /* to be added to every line's `flushes` and `committed` */
    _Atomic uint64_t whole;   /* lines whose last flush is committed, and was at `flush_place` */
    _Atomic uint64_t written; /* lines whose last write was at `write_place` */
    _Atomic uint64_t unnamed; /* lines that may have a bit in their own `unnamed` or `told` */
    _Atomic uint16_t flush_place;
    _Atomic uint16_t write_place;
    uint32_t unused;
    _Atomic uint64_t unseen_bytes; /* that came into the durable image, and of which nobody had told */
    uint64_t unused_too[2];
};

struct nv_page_records {
    struct nv_page_record page;
    struct nv_line_record lines[NV_PAGE_LINES];
};

/* Whether a version is newer than what the durable image has of the line; versions may wrap. */
static inline int nv_line_is_newer(uint32_t version, uint32_t committed)
{
    return (int32_t)(version - committed) > 0;
}

/* The hash kept in a record: the same function on both sides. */
static inline uint32_t nv_line_hash(const void *line)
{
    const unsigned char *bytes = (const unsigned char *)line;
    uint64_t sum = 0x9e3779b97f4a7c15u;

    for (int i = 0; i < 8; i++) {
        uint64_t word;

        __builtin_memcpy(&word, bytes + 8 * i, sizeof word);
        sum = (sum ^ word) * 0xff51afd7ed558ccdu;
        sum ^= sum >> 32;
    }
    return (uint32_t)sum;
}

/*
 * What never tears: an aligned word in a cache line, a sector on a disk. A power failure may leave some of several.
 */
#define NV_WORD_BYTES 8u
#define NV_SECTOR_BYTES 512u

#define NV_LEDGER_MODULES 256
#define NV_LEDGER_PLACES 65536 /* [0] means unknown */
#define NV_LEDGER_FRAMES 16
#define NV_LEDGER_EVENTS 4096
#define NV_LEDGER_MARKS 4096
#define NV_LEDGER_RANGES 65536
#define NV_LEDGER_ORDERS 4096
#define NV_LEDGER_SENTENCES 64

struct nv_ledger_frame {
    uint32_t module;
    uint64_t offset; /* address minus the module's load bias; of the call, not of the return */
};

struct nv_ledger_place {
    _Atomic uint32_t ready;
    uint32_t count;
    _Atomic uint32_t flushes, redundant; /* calls from here, when waste is looked for: all, and in vain */
    _Atomic uint32_t drains, needless;
    struct nv_ledger_frame frames[NV_LEDGER_FRAMES];
};

/* Kinds of event besides those of enum nv_refusal and nv_misuse. */
enum nv_ledger_event_kind {
    NV_EVENT_NOT_DURABLE = 32,  /* NvrtlExpectDurable, and it is not */
    NV_EVENT_OUT_OF_ORDER = 33, /* NvrtlExpectOrder, and the second became durable before the first */
    NV_EVENT_TORN = 34,         /* NvrtlExpectOrder, and the second became durable in parts */
    NV_EVENT_SPLIT = 36,        /* an atomic store into two lines (or, on a disk, sectors) */
    NV_EVENT_DRAIN_FAILED = 35, /* the drain that was to fail, of this file; no misuse */
};

/* Misuse or a broken expectation, one record for each kind and place. */
struct nv_ledger_event {
    _Atomic uint32_t ready;
    uint32_t kind; /* enum nv_refusal, nv_misuse or nv_ledger_event_kind */
    uint32_t place;
    _Atomic uint32_t count;
    uint64_t token, address, size_bytes;
    uint32_t file;   /* of the token, where the range was outside a live one; 0: none */
    uint64_t offset; /* in the file; of an expectation alone */
    char function[64];
};

struct nv_ledger_mark {
    _Atomic uint32_t ready;
    uint32_t place;
    uint64_t at_ns; /* as in events of the activity */
    char text[256];
};

/* A range of a file: ignored (NvrtlIgnore), or of a token. */
struct nv_ledger_range {
    _Atomic uint32_t ready;
    uint32_t file; /* the id in nv_verifier_reply */
    uint64_t offset, length_bytes;
};

/* NvrtlExpectOrder: when `then` changes in the durable image, `first` is durable. */
struct nv_ledger_order {
    _Atomic uint32_t ready;
    uint32_t place;
    struct nv_ledger_range first, then;
};

struct nv_ledger {
    uint32_t domain;          /* NVRTL_DOMAIN that tokens simulate; set by the supervisor */
    _Atomic uint32_t libpmem; /* the drop-in is at work in some process */
    _Atomic uint32_t stores;  /* stores are seen: some part of the program has hooks */
    uint32_t performance;     /* flushes and drains in vain are looked for; set by the supervisor */
    uint32_t records;         /* calls are recorded in `activity`; set by the supervisor */
    uint32_t traces;          /* events are appended to the log (trace/log.h); set by the supervisor */
    uint64_t began_ns;        /* CLOCK_MONOTONIC, when it started the program: from there times count */
    uint64_t fail_sync;       /* the sync, or page-cache drain, that is to fail; 0: none; set by the supervisor */
    _Atomic uint64_t syncs;   /* begun so far, when one is to fail */
    _Atomic uint64_t tokens;
    _Atomic uint32_t modules, places, events, marks, ignored, regions,
        orders;            /* slots taken (may exceed the arrays: then lost) */
    _Atomic uint32_t lost; /* records for which there was no room */
    _Atomic uint32_t sentences;
    struct {
        _Atomic uint32_t ready;
        char text[252];
    } sentence[NV_LEDGER_SENTENCES]; /* what a process could not see */
    struct {
        _Atomic uint32_t ready;
        char path[1020];
    } module[NV_LEDGER_MODULES];
    struct nv_ledger_event event[NV_LEDGER_EVENTS];
    struct nv_ledger_mark mark[NV_LEDGER_MARKS];
    struct nv_ledger_range ignore[NV_LEDGER_RANGES];
    struct nv_ledger_range region[NV_LEDGER_RANGES];
    struct nv_ledger_order order[NV_LEDGER_ORDERS];
    struct nv_ledger_place place[NV_LEDGER_PLACES];
    struct nv_activity activity;
};

/* Requests on the socket (SOCK_SEQPACKET), one reply each. */
enum nv_verifier_request_kind {
    NV_VERIFIER_HELLO = 1,   /* reply: one descriptor, the ledger (sizeof(struct nv_ledger)) */
    NV_VERIFIER_FILE = 2,    /* reply: two descriptors, the durable file (read and write) and its lines */
    NV_VERIFIER_NAME = 3,    /* reply: the file's number alone; nothing becomes durable by asking */
    NV_VERIFIER_COMPARE = 4, /* reply: where in [offset, end) of file `file` the images differ first */
    NV_VERIFIER_SHADOW = 5,  /* reply: two descriptors, the view (read only) and its shadow (trace/shadow.h) */
    NV_VERIFIER_LOG = 6,     /* reply: one descriptor, the log (trace/log.h) */
};

struct nv_verifier_request {
    uint32_t version; /* NV_SEAM_VERSION */
    uint32_t kind;
    uint64_t device, inode; /* of the mapping, as /proc/self/maps tells it */
    uint64_t end;           /* lines, or the shadow, are needed for so many bytes; of what is compared */
    uint64_t offset;        /* of what is compared */
    uint32_t file;          /* of which something is compared */
};

struct nv_verifier_reply {
    int32_t status;  /* NTSTATUS; descriptors come with success alone */
    uint32_t file;   /* a number for the file, from 1 */
    uint32_t object; /* its number in the trace; of NV_VERIFIER_SHADOW */
    uint64_t offset; /* of the first byte that differs; NV_VERIFIER_EQUAL: none does */
};

#define NV_VERIFIER_EQUAL UINT64_MAX

/* status when the file is not at stake in this run (NV_VERIFIER_FILE): the token is bound as without a verifier. */
#define NV_VERIFIER_NOT_AT_STAKE ((int32_t)0xC00000BB) /* STATUS_NOT_SUPPORTED */

#endif
