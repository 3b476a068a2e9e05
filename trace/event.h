/* SPDX-License-Identifier: MIT */
/*
 * The one record of what a program did to its files and mapped regions: stores, flushes and drains, writes, names,
 * syncs and promises, in one order. The verifier in the program (verify/) and the supervisor (supervise/) tell of them;
 * the trace file keeps them, and the explorer of crash states (explore/) reads them. docs/TRACE.md describes the file.
 */
#ifndef NV_TRACE_EVENT_H
#define NV_TRACE_EVENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Objects are files, folders and symbolic links, numbered from 1 as the run meets them; a file keeps its number
 * whatever its names. Fields that a kind does not name are 0. "name" in a payload ends with a NUL.
 */
enum nv_trace_kind {
    /* Names. Each takes effect as a whole. */

    /*
     * object; parent; offset: mode with S_IFMT; payload: name, and a symbolic link's target. parent 0: a folder at
     * stake (name: its path), or a file without a name (name: empty).
     */
    NV_TRACE_CREATE = 1,
    /* object; parent; payload: name. */
    NV_TRACE_LINK,
    /* object; parent; payload: name. A folder's removal, too. */
    NV_TRACE_UNLINK,
    /*
     * object; parent: the old; other: the new; payload: old name, new name. What the new name stood for loses it or,
     * with NV_TRACE_EXCHANGED, takes the old one.
     */
    NV_TRACE_RENAME,
    /* object; offset: mode with S_IFMT. */
    NV_TRACE_MODE,

    /* Contents, by system calls. */

    /* object; offset; payload: the bytes. The file grows as far as they reach. */
    NV_TRACE_WRITE,
    /* object; offset; length: it reads as zeros from now on; the size stays. */
    NV_TRACE_ZERO,
    /* object; length: the new size. What is cut off is lost, what is new reads as zeros. */
    NV_TRACE_SIZE,

    /* Contents, by mappings. */

    /* object; address; offset; length; other: NVRTL_DOMAIN. A token's region begins. */
    NV_TRACE_MAP,
    /* object; address; offset; length. It ends. */
    NV_TRACE_UNMAP,
    /* object; offset; payload: the bytes that were stored, by one store (store level). */
    NV_TRACE_STORE,
    /*
     * object; offset; payload: whole lines as they are now, that changed since they were last told of, by any number of
     * stores (page level).
     */
    NV_TRACE_CHANGED,
    /* thread; object; offset; length: whole lines are written back, and not yet drained. */
    NV_TRACE_FLUSH,
    /*
     * thread; object, or 0: all. What this thread flushed of it, and with NV_TRACE_ALL_THREADS any thread, is durable
     * as it was when it was flushed.
     */
    NV_TRACE_DRAIN,

    /* System calls that make durable. What they promise holds for what came before NV_TRACE_SYNC_BEGIN. */

    /* thread. */
    NV_TRACE_SYNC_BEGIN,
    /*
     * thread, whose last NV_TRACE_SYNC_BEGIN it ends; object, or 0: everything; offset; length, UINT64_MAX: to the end.
     */
    NV_TRACE_SYNC,

    /* payload: a line of text, without a newline or NUL. From now on recovery must keep what it says. */
    NV_TRACE_PROMISE,

    /*
     * place; payload: the frames of a stack, innermost first, each a line of function, source, line number, module and
     * offset in it, separated by tabs; what is unknown is empty. Anywhere in the trace.
     */
    NV_TRACE_PLACE,
    /* length: the program's exit status as a shell tells it; payload: the program's words, each with a NUL. */
    NV_TRACE_END,
    NV_TRACE_KINDS
};

enum nv_trace_flag {
    NV_TRACE_INITIAL = 1,        /* it was there when the run began, and is durable */
    NV_TRACE_EXCHANGED = 2,      /* RENAME */
    NV_TRACE_ALL_THREADS = 4,    /* DRAIN */
    NV_TRACE_WORDS = 8,          /* STORE, CHANGED: any of its aligned 8-byte words may survive, not the first alone */
    NV_TRACE_DATA_ONLY = 16,     /* SYNC: fdatasync, msync: what is not needed to read the data need not be durable */
    NV_TRACE_FOLDER = 32,        /* SYNC: of a folder: its names */
    NV_TRACE_FAILED = 64,        /* SYNC, DRAIN: it failed, and promises nothing */
    NV_TRACE_ACKNOWLEDGED = 128, /* PROMISE: by --ack-fd; else by NvrtlMark */
};

/* As it lies in memory and in the trace file (little endian); the payload follows, padded to a multiple of 8 bytes. */
struct nv_trace_event {
    uint32_t bytes;         /* of header, payload and padding; 0 in the log: not ready (log.h) */
    uint32_t payload_bytes; /* without the padding */
    uint16_t kind;          /* enum nv_trace_kind */
    uint16_t flags;         /* enum nv_trace_flag */
    uint32_t thread;
    uint32_t place; /* number of a stack; 0: unknown */
    uint32_t object;
    uint32_t parent;
    uint32_t other;
    uint64_t offset;
    uint64_t length;
    uint64_t address;
};

static inline void *nv_trace_payload(const struct nv_trace_event *event)
{
    return (void *)(uintptr_t)(event + 1);
}

#endif
