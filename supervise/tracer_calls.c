/* SPDX-License-Identifier: MIT */
/*
 * What system calls of the traced program do to watched files: those that map them, those that write them, and those
 * that would write into protected memory. tracer.c calls it where they begin and end.
 */
#include "supervise/target.h"
#include "supervise/tracer_parts.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, SMALL_BYTES = 4096, BUFFERS_MAX = 1024 };

/* ---- memory that calls write to ---- */

typedef void visit_buffer(struct nv_tracee *tracee, uint64_t from, uint64_t to, void *context);

/* Where a call has its buffer: an address and a size, an array of them, or a message that has one. */
static const struct buffers {
    int number;
    enum { BUFFER, ARRAY, MESSAGE } kind;
    int address, size;
} buffers[] = {
    {SYS_read, BUFFER, 1, 2},       {SYS_pread64, BUFFER, 1, 2},         {SYS_readv, ARRAY, 1, 2},
    {SYS_preadv, ARRAY, 1, 2},      {SYS_preadv2, ARRAY, 1, 2},          {SYS_recvfrom, BUFFER, 1, 2},
    {SYS_recvmsg, MESSAGE, 1, -1},  {SYS_getrandom, BUFFER, 0, 1},       {SYS_readlink, BUFFER, 1, 2},
    {SYS_getdents64, BUFFER, 1, 2}, {SYS_process_vm_readv, ARRAY, 1, 2}, {SYS_readlinkat, BUFFER, 2, 3},
};

static void each_of_array(struct nv_tracee *tracee, uint64_t address, uint64_t count, visit_buffer *visit,
                          void *context)
{
    for (uint64_t i = 0; i < count && i < BUFFERS_MAX; i++) {
        struct iovec part;

        if (nv_target_read(tracee->thread, address + i * sizeof part, &part, sizeof part))
            return;
        visit(tracee, (uint64_t)part.iov_base, (uint64_t)part.iov_base + part.iov_len, context);
    }
}

static void each_of_message(struct nv_tracee *tracee, uint64_t address, visit_buffer *visit, void *context)
{
    struct msghdr message;

    if (!nv_target_read(tracee->thread, address, &message, sizeof message))
        each_of_array(tracee, (uint64_t)message.msg_iov, message.msg_iovlen, visit, context);
}

/* Calls that only read what their arguments point to, or change what is mapped there. */
static bool only_reads(const struct nv_call *call)
{
    static const int numbers[] = {SYS_write,   SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2,
                                  SYS_sendto,  SYS_sendmsg,  SYS_msync,  SYS_munmap,  SYS_mprotect,
                                  SYS_madvise, SYS_mremap,   SYS_mmap};
    static const unsigned futexes = 1u << FUTEX_WAIT | 1u << FUTEX_WAKE | 1u << FUTEX_REQUEUE |
                                    1u << FUTEX_CMP_REQUEUE | 1u << FUTEX_WAIT_BITSET | 1u << FUTEX_WAKE_BITSET;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == call->number)
            return true;
    return call->number == SYS_futex && (futexes >> (call->arguments[1] & FUTEX_CMD_MASK & 31) & 1);
}

/* Of a call that is not in the table, whatever an argument may point to. */
static void each_buffer(struct nv_tracee *tracee, visit_buffer *visit, void *context)
{
    const uint64_t *arguments = tracee->call.arguments;

    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        const struct buffers *of = &buffers[i];

        if (of->number != tracee->call.number)
            continue;
        if (of->kind == BUFFER)
            visit(tracee, arguments[of->address], arguments[of->address] + arguments[of->size], context);
        else if (of->kind == ARRAY)
            each_of_array(tracee, arguments[of->address], arguments[of->size], visit, context);
        else
            each_of_message(tracee, arguments[of->address], visit, context);
        return;
    }
    for (size_t i = 0; i < 6 && !only_reads(&tracee->call); i++)
        if (nv_space_holds(tracee->space, arguments[i]))
            visit(tracee, arguments[i], arguments[i] + SMALL_BYTES, context);
}

static void open_buffer(struct nv_tracee *tracee, uint64_t from, uint64_t to, void *context)
{
    (void)context;
    if (nv_space_open(tracee->space, from, to))
        tracee->call.opened = true;
}

static void close_buffer(struct nv_tracee *tracee, uint64_t from, uint64_t to, void *store)
{
    nv_space_close(tracee->space, from, to);
    nv_space_stored(tracee->space, from, to, store);
}

void nv_call_begins(struct nv_tracer *tracer, struct nv_tracee *tracee)
{
    if (tracee->space->count)
        each_buffer(tracee, open_buffer, NULL);
    tracer->open_calls += tracee->call.opened;
    nv_call_names_begin(tracer, tracee);
}

/* ---- mappings ---- */

static void has_mapped(struct nv_tracer *tracer, struct nv_tracee *tracee, uint64_t address)
{
    const uint64_t *arguments = tracee->call.arguments;
    uint64_t kind = arguments[3] & MAP_TYPE, end = address + ((arguments[1] + PAGE - 1) & ~(uint64_t)(PAGE - 1));
    struct nv_space_mapping mapping = {.start = address, .end = end, .offset = arguments[5]};

    nv_space_unmap(tracee->space, address, end);
    if (arguments[2] & PROT_EXEC)
        nv_unwinder_refresh(tracee->space->unwinder);
    if ((arguments[3] & MAP_ANONYMOUS) || (kind != MAP_SHARED && kind != MAP_SHARED_VALIDATE))
        return;
    mapping.file = nv_watch_file(tracer->watch, tracee->thread, (int)arguments[4]);
    if (mapping.file)
        nv_space_map(tracer, tracee, &mapping);
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static void has_moved(struct nv_tracer *tracer, struct nv_tracee *tracee, uint64_t to)
{
    const uint64_t *arguments = tracee->call.arguments;
    struct nv_space_mapping from = {.start = arguments[0], .end = arguments[0] + whole_pages(arguments[1])};

    nv_space_move(tracer, tracee, &from, whole_pages(arguments[2]), to);
}

/* ---- files ---- */

/* Of an open file, as it is now; negative: it has none. */
static int64_t position(pid_t thread, int fd)
{
    char path[64], line[64];
    int64_t at = -1;
    FILE *stream;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)thread, fd);
    stream = fopen(path, "re");
    if (!stream)
        return -1;
    if (fgets(line, sizeof line, stream) && !strncmp(line, "pos:", 4))
        at = strtoll(line + 4, NULL, 10);
    fclose(stream);
    return at;
}

/* Which descriptor a call writes to, and which argument is the offset there: -1: none, and if NEXT, a pointer to it. */
enum { POINTER = 16 };
static const struct writes {
    int number, descriptor, offset;
} writes[] = {
    {SYS_write, 0, -1},   {SYS_writev, 0, -1},   {SYS_pwrite64, 0, 3},         {SYS_pwritev, 0, 3},
    {SYS_pwritev2, 0, 3}, {SYS_sendfile, 0, -1}, {SYS_splice, 2, POINTER + 3}, {SYS_copy_file_range, 2, POINTER + 3},
};

/* Where the written bytes end. A position, or an offset behind a pointer, is behind them already. */
static int64_t end_of_write(const struct nv_tracee *tracee, const struct writes *of, int64_t written)
{
    const uint64_t *arguments = tracee->call.arguments;
    int fd = (int)arguments[of->descriptor];
    int64_t end;

    if (of->offset < 0 || (of->offset < POINTER && (int64_t)arguments[of->offset] < 0)) /* as for pwritev2 */
        return position(tracee->thread, fd);
    if (of->offset < POINTER)
        return (int64_t)arguments[of->offset] + written;
    if (!arguments[of->offset - POINTER])
        return position(tracee->thread, fd);
    return nv_target_read(tracee->thread, arguments[of->offset - POINTER], &end, sizeof end) ? -1 : end;
}

static void has_written(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct writes *of, int64_t written,
                        struct nv_store *store)
{
    int fd = (int)tracee->call.arguments[of->descriptor];
    struct nv_watched *file = nv_watch_file(tracer->watch, tracee->thread, fd);
    int64_t end = file ? end_of_write(tracee, of, written) : -1;

    if (end >= written)
        nv_watched_written(file, (uint64_t)(end - written), (uint64_t)end, store);
}

static void note_write(struct nv_tracer *tracer, struct nv_tracee *tracee, int64_t written, struct nv_store *store)
{
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        if (writes[i].number == tracee->call.number)
            has_written(tracer, tracee, &writes[i], written, store);
}

/* ---- */

void nv_call_ends(struct nv_tracer *tracer, struct nv_tracee *tracee, int64_t result)
{
    const uint64_t *arguments = tracee->call.arguments;
    struct nv_place_of of = {.tracer = tracer, .tracee = tracee};
    struct nv_store store = {.place = nv_place_of, .context = &of};
    bool failed = result < 0 && result > -PAGE;

    if (!tracee->call.opened && failed)
        return;
    if (ptrace(PTRACE_GETREGS, tracee->thread, 0, &of.registers))
        return;
    of.registers.rip -= 2;     /* the instruction that made the call */
    if (tracee->call.opened) { /* another thread may have stored there meanwhile, unseen */
        each_buffer(tracee, close_buffer, tracee->space->users == 1 && tracer->open_calls == 1 ? &store : NULL);
        tracer->open_calls--;
    }
    if (failed)
        return;
    nv_call_names_end(tracer, tracee, &store);
    if (tracee->call.number == SYS_mmap)
        has_mapped(tracer, tracee, (uint64_t)result);
    else if (tracee->call.number == SYS_munmap)
        nv_space_unmap(tracee->space, arguments[0], arguments[0] + whole_pages(arguments[1]));
    else if (tracee->call.number == SYS_mremap)
        has_moved(tracer, tracee, (uint64_t)result);
    else if (result > 0)
        note_write(tracer, tracee, result, &store);
}
