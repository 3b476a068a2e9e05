/* SPDX-License-Identifier: MIT */
/*
 * Owns what is mapped where in an address space, of watched files, and which of its pages are protected: by a
 * userfaultfd of the program, which the tracer takes from it. The mappings themselves stay as the program made them, to
 * all who ask the kernel. Called by the rest of the tracer.
 */
#include "supervise/target.h"
#include "supervise/tracer_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM /* Linux 5.19 */
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

enum { PAGE = 4096, GATE_BYTES = 16384 };

/* ---- finding the way in ---- */

struct gate {
    pid_t thread;
    uint64_t address;
};

/* Two bytes that are a system call instruction, wherever they lie in it. */
static int find_gate(void *context, const struct nv_target_mapping *mapping)
{
    static const uint8_t instruction[] = {0x0f, 0x05};
    struct gate *gate = context;
    uint8_t code[GATE_BYTES], *found;
    size_t length = mapping->end - mapping->start < GATE_BYTES ? (size_t)(mapping->end - mapping->start) : GATE_BYTES;

    if (strncmp(mapping->path, "[vdso]", 6) != 0 || nv_target_read(gate->thread, mapping->start, code, length))
        return 0;
    found = memmem(code, length, instruction, sizeof instruction);
    if (found)
        gate->address = mapping->start + (uint64_t)(found - code);
    return 1;
}

struct nv_space *nv_space_new(pid_t thread)
{
    struct nv_space *space = calloc(1, sizeof *space);
    struct gate gate = {.thread = thread};

    if (!space)
        return NULL;
    (void)nv_target_mappings(thread, 0, UINT64_MAX, find_gate, &gate);
    space->users = 1;
    space->faults = -1;
    space->gate = gate.address;
    return space;
}

struct nv_space *nv_space_copy(const struct nv_space *space)
{
    struct nv_space *copy = malloc(sizeof *copy);

    if (!copy)
        return NULL;
    *copy = (struct nv_space){.users = 1, .faults = -1, .gate = space->gate, .count = space->count};
    copy->mappings = calloc(space->count + 1, sizeof *copy->mappings);
    if (!copy->mappings) {
        free(copy);
        return NULL;
    }
    if (space->count)
        memcpy(copy->mappings, space->mappings, space->count * sizeof *copy->mappings);
    return copy;
}

void nv_space_drop(struct nv_space *space)
{
    if (!space || --space->users)
        return;
    if (space->faults >= 0)
        close(space->faults);
    nv_unwinder_free(space->unwinder);
    free(space->mappings);
    free(space);
}

/* ---- protection ---- */

/* A fault becomes a SIGBUS, which the tracer sees before the program does. */
static int prepare(int faults)
{
    struct uffdio_api api = {.api = UFFD_API,
                             .features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
                                         UFFD_FEATURE_WP_HUGETLBFS_SHMEM};

    return ioctl(faults, UFFDIO_API, &api) ? -errno : 0;
}

static int take_faults(struct nv_tracee *tracee)
{
    int64_t theirs;
    int own;

    if (!tracee->space->gate)
        return -ENOSYS;
    theirs = nv_tracee_call(tracee, SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY, 0, 0);
    if (theirs < 0)
        return (int)theirs;
    own = nv_target_duplicate(tracee->thread, (int)theirs);
    (void)nv_tracee_call(tracee, SYS_close, (uint64_t)theirs, 0, 0);
    return own;
}

static bool can_protect(struct nv_tracer *tracer, struct nv_tracee *tracee)
{
    struct nv_space *space = tracee->space;
    int own, status;

    if (space->faults >= 0 || space->refused)
        return !space->refused;
    own = take_faults(tracee);
    status = own < 0 ? own : prepare(own);
    space->refused = status < 0;
    if (!status)
        space->faults = own;
    else if (own >= 0)
        close(own);
    if (status)
        nv_tracer_complain(tracer, "stores into pages cannot be trapped", -status);
    return !space->refused;
}

/* Of the part of a mapping, each page that holds watched bytes. Returns whether there is one. */
static bool set_pages(const struct nv_space *space, const struct nv_space_mapping *mapping, uint64_t from, uint64_t to,
                      bool protect)
{
    uint64_t at = from > mapping->start ? from & ~(uint64_t)(PAGE - 1) : mapping->start, page;
    uint64_t end = to < mapping->end ? (to + PAGE - 1) & ~(uint64_t)(PAGE - 1) : mapping->end;
    uint64_t shift = mapping->start - mapping->offset;
    bool any = false;

    for (; at < end && nv_watched_next(mapping->file, at - shift, end - shift, &page); at = page + shift + PAGE) {
        struct uffdio_writeprotect set = {.range = {.start = page + shift, .len = PAGE},
                                          .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0};

        while (ioctl(space->faults, UFFDIO_WRITEPROTECT, &set) && errno == EAGAIN)
            continue;
        any = true;
    }
    return any;
}

static bool set_range(const struct nv_space *space, uint64_t from, uint64_t to, bool protect)
{
    bool any = false;

    for (size_t i = 0; i < space->count && space->faults >= 0; i++)
        if (space->mappings[i].start < to && space->mappings[i].end > from)
            any |= set_pages(space, &space->mappings[i], from, to, protect);
    return any;
}

bool nv_space_open(const struct nv_space *space, uint64_t from, uint64_t to)
{
    return set_range(space, from, to, false);
}

void nv_space_close(const struct nv_space *space, uint64_t from, uint64_t to)
{
    (void)set_range(space, from, to, true);
}

/* What cannot be written by anyone need not be protected, and is refused. */
static void protect(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct nv_space_mapping *mapping)
{
    struct uffdio_register range = {.range = {.start = mapping->start, .len = mapping->end - mapping->start},
                                    .mode = UFFDIO_REGISTER_MODE_WP};

    if (can_protect(tracer, tracee) && !ioctl(tracee->space->faults, UFFDIO_REGISTER, &range))
        (void)set_pages(tracee->space, mapping, mapping->start, mapping->end, true);
}

void nv_space_protect_all(struct nv_tracer *tracer, struct nv_tracee *tracee)
{
    for (size_t i = 0; i < tracee->space->count; i++)
        protect(tracer, tracee, &tracee->space->mappings[i]);
}

/* ---- mappings ---- */

static bool add(struct nv_space *space, const struct nv_space_mapping *mapping)
{
    struct nv_space_mapping *grown = realloc(space->mappings, (space->count + 1) * sizeof *grown);

    if (!grown)
        return false;
    space->mappings = grown;
    grown[space->count++] = *mapping;
    return true;
}

void nv_space_unmap(struct nv_space *space, uint64_t from, uint64_t to)
{
    for (size_t i = space->count; i-- > 0;) {
        struct nv_space_mapping whole = space->mappings[i], rest = whole;

        if (whole.start >= to || whole.end <= from)
            continue;
        space->mappings[i] = space->mappings[--space->count];
        if (whole.start < from) {
            rest.end = from;
            (void)add(space, &rest); /* there was room for one */
        }
        if (whole.end > to) {
            rest = whole;
            rest.start = to;
            rest.offset = whole.offset + (to - whole.start);
            (void)add(space, &rest);
        }
    }
}

void nv_space_map(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct nv_space_mapping *mapping)
{
    if (!add(tracee->space, mapping))
        nv_tracer_complain(tracer, "a mapping cannot be followed", ENOMEM);
    else
        protect(tracer, tracee, mapping);
}

void nv_space_move(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct nv_space_mapping *from,
                   uint64_t to_bytes, uint64_t to)
{
    struct nv_space *space = tracee->space;
    struct nv_space_mapping moved = {0};

    for (size_t i = 0; i < space->count; i++)
        if (space->mappings[i].start <= from->start && space->mappings[i].end > from->start)
            moved = space->mappings[i];
    nv_space_unmap(space, from->start, from->end);
    nv_space_unmap(space, to, to + to_bytes);
    if (!moved.file)
        return;
    moved.offset += from->start - moved.start;
    moved.start = to;
    moved.end = to + to_bytes;
    nv_space_map(tracer, tracee, &moved);
}

const struct nv_space_mapping *nv_space_watched(const struct nv_space *space, uint64_t address)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct nv_space_mapping *mapping = &space->mappings[i];
        uint64_t at = (address & ~(uint64_t)(PAGE - 1)) - mapping->start + mapping->offset, page;

        if (mapping->start <= address && address < mapping->end)
            return nv_watched_next(mapping->file, at, at + PAGE, &page) ? mapping : NULL;
    }
    return NULL;
}

bool nv_space_holds(const struct nv_space *space, uint64_t address)
{
    for (size_t i = 0; i < space->count; i++)
        if (space->mappings[i].start <= address && address < space->mappings[i].end)
            return true;
    return false;
}

void nv_space_stored(const struct nv_space *space, uint64_t from, uint64_t to, struct nv_store *store)
{
    for (size_t i = 0; i < space->count; i++) {
        const struct nv_space_mapping *mapping = &space->mappings[i];
        uint64_t at = from > mapping->start ? from : mapping->start, end = to < mapping->end ? to : mapping->end;

        if (at < end)
            nv_watched_stored(mapping->file, at - mapping->start + mapping->offset,
                              end - mapping->start + mapping->offset, store);
    }
}
