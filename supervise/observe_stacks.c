/* SPDX-License-Identifier: MIT */
/*
 * Owns the places that recorded calls have in the ledger, and the unwinders of the program's processes; at the end, the
 * stacks of all places that the trace names go into it. Called when an event needs its place.
 */
#include "supervise/observer.h"
#include "supervise/target.h"
#include "supervise/unwind.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum { THREADS = 64, TABLE_SLOTS = 4 * NV_LEDGER_PLACES, SEEN = 1024 };

/* A stack that was unwound: as long as the same return addresses lie where they lay, it is the same. */
struct seen {
    struct nv_unwinder *unwinder;
    uint64_t instruction, stack;
    uint32_t place;
    size_t count;
    uint64_t at[NV_LEDGER_FRAMES], addresses[NV_LEDGER_FRAMES];
};

struct nv_stacks {
    struct known {
        pid_t thread, process;
        struct nv_unwinder *unwinder; /* of the process: several threads may have the same */
    } known[THREADS];
    size_t next;
    uint32_t table[TABLE_SLOTS]; /* places, by their frames */
    bool named[NV_LEDGER_PLACES];
    struct seen seen[SEEN];
};

/* ---- unwinders ---- */

static void forget(struct nv_stacks *stacks, struct known *known)
{
    struct nv_unwinder *unwinder = known->unwinder;

    *known = (struct known){0};
    for (size_t i = 0; i < THREADS; i++)
        if (stacks->known[i].unwinder == unwinder)
            return;
    for (size_t i = 0; i < SEEN; i++)
        if (stacks->seen[i].unwinder == unwinder)
            stacks->seen[i].unwinder = NULL;
    nv_unwinder_free(unwinder);
}

static struct known *find_thread(struct nv_stacks *stacks, pid_t thread)
{
    for (size_t i = 0; i < THREADS; i++)
        if (stacks->known[i].thread == thread)
            return &stacks->known[i];
    return NULL;
}

static struct nv_unwinder *find_unwinder(struct nv_stacks *stacks, pid_t thread)
{
    struct known *known = find_thread(stacks, thread);
    struct nv_unwinder *unwinder = NULL;
    long process;

    if (known)
        return known->unwinder;
    process = nv_target_status(thread, "Tgid:", 10);
    for (size_t i = 0; i < THREADS && !unwinder; i++)
        if (stacks->known[i].process == process)
            unwinder = stacks->known[i].unwinder;
    if (!unwinder)
        unwinder = nv_unwinder_new(thread);
    known = &stacks->known[stacks->next];
    stacks->next = (stacks->next + 1) % THREADS;
    if (known->unwinder && known->unwinder != unwinder)
        forget(stacks, known);
    *known = (struct known){unwinder ? thread : 0, unwinder ? (pid_t)process : 0, unwinder};
    return unwinder;
}

void nv_observe_forget_thread(struct nv_observer *observer, pid_t thread)
{
    struct known *known = observer->stacks ? find_thread(observer->stacks, thread) : NULL;

    if (known)
        forget(observer->stacks, known);
}

void nv_observe_forget_process(struct nv_observer *observer, pid_t process)
{
    for (size_t i = 0; observer->stacks && i < THREADS; i++)
        if (observer->stacks->known[i].process == process)
            forget(observer->stacks, &observer->stacks->known[i]);
}

void nv_observe_forget_stacks(struct nv_observer *observer)
{
    for (size_t i = 0; observer->stacks && i < THREADS; i++)
        if (observer->stacks->known[i].unwinder)
            forget(observer->stacks, &observer->stacks->known[i]);
    free(observer->stacks);
    observer->stacks = NULL;
}

/* ---- places ---- */

static uint32_t module_of(struct nv_ledger *ledger, const char *path)
{
    uint32_t known = atomic_load(&ledger->modules), slot;

    if (*path != '/' || strlen(path) >= sizeof ledger->module[0].path)
        return NV_LEDGER_MODULES;
    for (slot = 0; slot < known && slot < NV_LEDGER_MODULES; slot++)
        if (atomic_load(&ledger->module[slot].ready) && !strcmp(ledger->module[slot].path, path))
            return slot;
    slot = atomic_fetch_add(&ledger->modules, 1);
    if (slot >= NV_LEDGER_MODULES)
        return NV_LEDGER_MODULES;
    strcpy(ledger->module[slot].path, path);
    atomic_store(&ledger->module[slot].ready, 1);
    return slot;
}

static bool same_place(const struct nv_ledger_place *place, const struct nv_ledger_frame *frames, size_t count)
{
    if (place->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (place->frames[i].module != frames[i].module || place->frames[i].offset != frames[i].offset)
            return false;
    return true;
}

static uint32_t enter(struct nv_ledger *ledger, const struct nv_ledger_frame *frames, size_t count)
{
    uint32_t number = atomic_fetch_add(&ledger->places, 1) + 1;
    struct nv_ledger_place *place = &ledger->place[number % NV_LEDGER_PLACES];

    if (number >= NV_LEDGER_PLACES)
        return 0;
    memcpy(place->frames, frames, count * sizeof *frames);
    place->count = (uint32_t)count;
    atomic_store(&place->ready, 1);
    return number;
}

static uint32_t look_up(struct nv_stacks *stacks, struct nv_ledger *ledger, const struct nv_ledger_frame *frames,
                        size_t count)
{
    uint64_t hash = count;
    uint32_t *slot;

    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ frames[i].module) * 0x9e3779b97f4a7c15u;
        hash = (hash ^ frames[i].offset ^ hash >> 32) * 0xff51afd7ed558ccdu;
    }
    for (size_t i = (hash ^ hash >> 32) % TABLE_SLOTS;; i = (i + 1) % TABLE_SLOTS) {
        slot = &stacks->table[i];
        if (!*slot || same_place(&ledger->place[*slot], frames, count))
            break;
    }
    if (!*slot)
        *slot = enter(ledger, frames, count);
    return *slot;
}

static bool read_registers(pid_t thread, struct user_regs_struct *registers)
{
    struct iovec into = {registers, sizeof *registers};

    return !ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &into);
}

static struct seen *slot_of(struct nv_stacks *stacks, uint64_t instruction, uint64_t stack)
{
    uint64_t hash = (instruction ^ stack << 20) * 0x9e3779b97f4a7c15u;

    return &stacks->seen[hash >> 32 & (SEEN - 1)];
}

static bool is_seen(const struct seen *seen, pid_t thread)
{
    uint64_t words[NV_LEDGER_FRAMES];
    struct iovec own = {words, seen->count * sizeof *words}, theirs[NV_LEDGER_FRAMES];

    for (size_t i = 0; i < seen->count; i++)
        theirs[i] = (struct iovec){(void *)(uintptr_t)seen->at[i], sizeof *words};
    return (!seen->count ||
            process_vm_readv(thread, &own, 1, theirs, seen->count, 0) == (ssize_t)(seen->count * sizeof *words)) &&
           !memcmp(words, seen->addresses, seen->count * sizeof *words);
}

static void see(struct seen *seen, const struct nv_unwound *unwound, size_t count)
{
    seen->count = 0;
    for (size_t i = 1; i < count; i++) {
        if (!unwound[i].kept_at) {
            seen->unwinder = NULL;
            return;
        }
        seen->at[seen->count] = unwound[i].kept_at;
        seen->addresses[seen->count++] = unwound[i].address;
    }
}

static uint32_t unwind(struct nv_observer *observer, pid_t thread, struct nv_unwinder *unwinder,
                       const struct user_regs_struct *registers, struct seen *seen)
{
    struct nv_ledger *ledger = observer->supervisor->ledger;
    struct nv_ledger_frame frames[NV_LEDGER_FRAMES];
    struct nv_unwound unwound[NV_LEDGER_FRAMES];
    size_t count = nv_unwind_frames(unwinder, thread, registers, unwound, NV_LEDGER_FRAMES);

    memset(frames, 0, sizeof frames);
    for (size_t i = 0; i < count; i++)
        frames[i] = (struct nv_ledger_frame){module_of(ledger, unwound[i].module), unwound[i].offset};
    see(seen, unwound, count);
    return count ? look_up(observer->stacks, ledger, frames, count) : 0;
}

uint32_t nv_observe_place(struct nv_observer *observer, pid_t thread)
{
    struct user_regs_struct registers;
    struct nv_unwinder *unwinder;
    uint64_t instruction, stack;
    struct seen *seen;

    if (!observer->stacks)
        observer->stacks = calloc(1, sizeof *observer->stacks);
    unwinder = observer->stacks ? find_unwinder(observer->stacks, thread) : NULL;
    if (!unwinder || !read_registers(thread, &registers))
        return 0;
    nv_unwind_where(&registers, &instruction, &stack);
    seen = slot_of(observer->stacks, instruction, stack);
    if (seen->unwinder == unwinder && seen->instruction == instruction && seen->stack == stack && is_seen(seen, thread))
        return seen->place;
    *seen = (struct seen){.unwinder = unwinder, .instruction = instruction, .stack = stack};
    return seen->place = unwind(observer, thread, unwinder, &registers, seen);
}

/* ---- at the end ---- */

void nv_observe_note_place(struct nv_observer *observer, uint32_t place)
{
    if (place && place < NV_LEDGER_PLACES && !observer->stacks)
        observer->stacks = calloc(1, sizeof *observer->stacks);
    if (place && place < NV_LEDGER_PLACES && observer->stacks)
        observer->stacks->named[place] = true;
}

/* Tabs and newlines are between fields and frames. */
static void print_field(FILE *text, const char *field, char end)
{
    for (; field && *field; field++)
        putc(*field == '\t' || *field == '\n' ? ' ' : *field, text);
    putc(end, text);
}

static void print_frame(FILE *text, const struct nv_frame *frame)
{
    char line[16] = "";

    if (frame->line)
        snprintf(line, sizeof line, "%u", frame->line);
    print_field(text, frame->function, '\t');
    print_field(text, frame->source, '\t');
    print_field(text, line, '\t');
    print_field(text, frame->module && strcmp(frame->module, "?") ? frame->module : "", '\t');
    fprintf(text, "%lu\n", frame->offset);
}

static int tell_place(struct nv_observer *observer, uint32_t number, const struct nv_stack *stack)
{
    struct nv_trace_event *event;
    char *bytes = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&bytes, &length);

    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < stack->count; i++)
        print_frame(text, &stack->frames[i]);
    if (fclose(text)) {
        free(bytes);
        return -ENOMEM;
    }
    event = nv_observe_event(observer, NV_TRACE_PLACE, (uint32_t)length);
    if (event) {
        event->place = number;
        memcpy(nv_trace_payload(event), bytes, length);
        nv_observe_tell(observer, event);
    }
    free(bytes);
    return 0;
}

int nv_observe_places(struct nv_observer *observer)
{
    struct nv_symboliser *symboliser;
    int status = 0;

    if (!observer->stacks)
        return 0;
    symboliser = nv_symboliser_new();
    if (!symboliser)
        return -ENOMEM;
    for (uint32_t number = 1; number < NV_LEDGER_PLACES && !status; number++) {
        struct nv_stack stack = {0};

        if (!observer->stacks->named[number])
            continue;
        status = nv_judge_place(&stack, observer->supervisor->ledger, number) ? 0 : -ENOMEM;
        nv_symbolise(symboliser, &stack);
        if (!status)
            status = tell_place(observer, number, &stack);
        nv_stack_clear(&stack);
    }
    nv_symboliser_free(symboliser);
    return status;
}
