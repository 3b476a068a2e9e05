/* SPDX-License-Identifier: MIT */
/* Owns the log's layout: a page of its own, then events, each at the place that an atomic add gave it. */
#include "trace/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD_BYTES ((uint64_t)4096)
#define GIVEN_BACK_BYTES ((uint64_t)1 << 20)

struct nv_log {
    _Atomic uint64_t tail;       /* from the start of the mapping */
    _Atomic uint64_t given_back; /* the same; the supervisor's */
};

/* `payload_bytes` is set before `bytes`, and tells how far a record that was never committed reaches. */
#define BEGUN 0x80000000u

static uint32_t record_bytes(uint32_t payload_bytes)
{
    return (uint32_t)sizeof(struct nv_trace_event) + ((payload_bytes + 7) & ~7u);
}

static struct nv_trace_event *at(const struct nv_log *log, uint64_t offset)
{
    return (struct nv_trace_event *)((char *)(uintptr_t)log + offset);
}

int nv_log_new(void)
{
    int descriptor = memfd_create("nvrtl-log", MFD_CLOEXEC), error;
    struct nv_log *log;

    if (descriptor < 0)
        return -errno;
    log = ftruncate(descriptor, (off_t)NV_LOG_BYTES) ? NULL : nv_log_open(descriptor);
    if (!log) {
        error = errno;
        close(descriptor);
        return -error;
    }
    atomic_store(&log->tail, HEAD_BYTES);
    atomic_store(&log->given_back, HEAD_BYTES);
    nv_log_close(log);
    return descriptor;
}

struct nv_log *nv_log_open(int descriptor)
{
    void *log = mmap(NULL, NV_LOG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);

    return log == MAP_FAILED ? NULL : log;
}

void nv_log_close(struct nv_log *log)
{
    if (log)
        munmap(log, NV_LOG_BYTES);
}

struct nv_trace_event *nv_log_begin(struct nv_log *log, uint32_t payload_bytes)
{
    uint32_t bytes = record_bytes(payload_bytes);
    uint64_t offset = atomic_fetch_add_explicit(&log->tail, bytes, memory_order_relaxed);
    struct nv_trace_event *event;

    if (payload_bytes >= BEGUN - sizeof *event || offset > NV_LOG_BYTES - bytes)
        return NULL;
    event = at(log, offset);
    __atomic_store_n(&event->payload_bytes, payload_bytes | BEGUN, __ATOMIC_RELAXED);
    return event;
}

void nv_log_commit(struct nv_trace_event *event)
{
    uint32_t payload_bytes = event->payload_bytes & ~BEGUN;

    event->payload_bytes = payload_bytes;
    __atomic_store_n(&event->bytes, record_bytes(payload_bytes), __ATOMIC_RELEASE);
}

static uint64_t tail_of(const struct nv_log *log)
{
    return atomic_load_explicit(&log->tail, memory_order_acquire);
}

bool nv_log_full(const struct nv_log *log)
{
    return tail_of(log) > NV_LOG_BYTES;
}

/*
 * Where the record behind one that was not committed begins. A process may have died before it even wrote how long its
 * record is: then whatever looks like the next one is.
 */
static uint64_t behind(const struct nv_log *log, uint64_t offset)
{
    uint32_t begun = __atomic_load_n(&at(log, offset)->payload_bytes, __ATOMIC_RELAXED);

    if (begun & BEGUN)
        return offset + record_bytes(begun & ~BEGUN);
    for (offset += 8; offset + sizeof(struct nv_trace_event) <= tail_of(log); offset += 8) {
        const struct nv_trace_event *next = at(log, offset);

        if (next->kind && next->kind < NV_TRACE_KINDS && next->bytes == record_bytes(next->payload_bytes))
            return offset;
    }
    return tail_of(log);
}

const struct nv_trace_event *nv_log_next(const struct nv_log *log, uint64_t *cursor, bool over)
{
    uint64_t offset = *cursor ? *cursor : HEAD_BYTES, tail = tail_of(log);

    if (tail > NV_LOG_BYTES)
        tail = NV_LOG_BYTES;
    while (offset + sizeof(struct nv_trace_event) <= tail) {
        const struct nv_trace_event *event = at(log, offset);
        uint32_t bytes = __atomic_load_n(&event->bytes, __ATOMIC_ACQUIRE);

        if (bytes) {
            *cursor = offset + bytes;
            return event;
        }
        if (!over)
            break;
        offset = behind(log, offset);
    }
    return NULL;
}

void nv_log_give_back(struct nv_log *log, int descriptor, uint64_t cursor)
{
    uint64_t from = atomic_load(&log->given_back), to = cursor & ~(HEAD_BYTES - 1);

    if (to < from + GIVEN_BACK_BYTES)
        return;
    if (!fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)))
        atomic_store(&log->given_back, to);
}
