/* SPDX-License-Identifier: MIT */
/*
 * Owns the map from stacks of this process to places in the ledger, and from loaded objects to its modules. Called by
 * engine.c and notes.c, through the cache that each thread has.
 */
#include "verify/places.h"
#include "verify/notes.h"
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

#define TABLE_SLOTS 131072 /* twice the places there can be */
#define STACK_FRAMES 48

struct object {
    uintptr_t address; /* looked for */
    uintptr_t bias;
    bool found;
    char path[PATH_MAX];
};

/* One stack, from the frame that returns to `place` on. */
struct stack {
    const void *place;
    int passed; /* frames before it: the interface's own */
    size_t count;
    void *addresses[NV_LEDGER_FRAMES]; /* that each returns to */
    uintptr_t above[NV_LEDGER_FRAMES]; /* the stack above each return address */
};

static struct {
    uint64_t hash;
    uint16_t id;
} table[TABLE_SLOTS];
static size_t table_used;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *data)
{
    struct stack *stack = data;
    void *address = (void *)_Unwind_GetIP(context);

    if (stack->count == 0 && address != stack->place)
        return ++stack->passed < STACK_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
    if (address == NULL)
        return _URC_END_OF_STACK;
    stack->addresses[stack->count] = address;
    stack->above[stack->count] = _Unwind_GetCFA(context);
    return ++stack->count < NV_LEDGER_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void unwind(struct stack *stack)
{
    _Unwind_Backtrace(step, stack);
    if (stack->count != 0)
        return;
    stack->addresses[0] = (void *)(uintptr_t)stack->place;
    stack->count = 1;
}

void nv_places_open(void)
{
    struct stack stack = {.place = &stack};

    unwind(&stack);
}

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct object *object = data;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;

        if (header->p_type != PT_LOAD || object->address < start || object->address - start >= header->p_memsz)
            continue;
        object->found = true;
        object->bias = info->dlpi_addr;
        if (info->dlpi_name != NULL)
            strncpy(object->path, info->dlpi_name, sizeof object->path - 1);
        return 1;
    }
    return 0;
}

/* The main program has no name there; others may have one that is good in the current folder only. */
static void complete_path(struct object *object)
{
    char whole[PATH_MAX];
    ssize_t length;

    if (object->path[0] == '/')
        return;
    if (object->path[0] != '\0') {
        if (realpath(object->path, whole) != NULL)
            strcpy(object->path, whole);
        return;
    }
    length = readlink("/proc/self/exe", object->path, sizeof object->path - 1);
    object->path[length > 0 ? length : 0] = '\0';
}

static void resolve_frame(void *address, struct nv_ledger_frame *frame)
{
    static struct object object; /* large; under the mutex */

    memset(&object, 0, sizeof object);
    object.address = (uintptr_t)address - 1; /* the call, not what follows it */
    dl_iterate_phdr(visit, &object);
    frame->module = NV_NOTES_NO_MODULE;
    frame->offset = object.address;
    if (!object.found)
        return;
    complete_path(&object);
    frame->module = nv_notes_module(object.path);
    if (frame->module != NV_NOTES_NO_MODULE)
        frame->offset = object.address - object.bias;
}

static uint16_t enter(void *const *addresses, size_t count)
{
    uint16_t id = nv_notes_place();
    struct nv_ledger_place *place;

    if (id == 0)
        return 0;
    place = &nv_notes_ledger()->place[id];
    for (size_t i = 0; i < count; i++)
        resolve_frame(addresses[i], &place->frames[i]);
    place->count = (uint32_t)count;
    atomic_store_explicit(&place->ready, 1, memory_order_release);
    return id;
}

static uint16_t look_up(void *const *addresses, size_t count)
{
    uint64_t hash = 0x9e3779b97f4a7c15u + count;
    size_t i;

    for (size_t k = 0; k < count; k++) {
        hash = (hash ^ (uintptr_t)addresses[k]) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    hash |= 1; /* 0 is an empty slot */
    for (i = hash / 2 % TABLE_SLOTS; table[i].hash != 0; i = (i + 1) % TABLE_SLOTS)
        if (table[i].hash == hash)
            return table[i].id;
    if (table_used == TABLE_SLOTS / 2)
        return 0;
    table[i].id = enter(addresses, count);
    table[i].hash = hash;
    table_used++;
    return table[i].id;
}

/*
 * Note where on the stack the callers' return addresses lie, so that a later look at the same words tells the same
 * stack without unwinding: right under what was the caller's of it. Where a CPU keeps them elsewhere, none is noted.
 */
static void note_callers(struct nv_thread_place *slot, const struct stack *stack)
{
    uintptr_t frame = (uintptr_t)slot->frame;

    slot->caller_count = 0;
    for (size_t i = 1; i < stack->count && i <= NV_THREAD_CALLERS; i++) {
        uintptr_t at_bytes = stack->above[i] - sizeof(uintptr_t) - frame;

        if (stack->above[i] <= frame || at_bytes > UINT32_MAX ||
            nv_place_word(slot->frame, at_bytes) != (uintptr_t)stack->addresses[i])
            return;
        slot->callers[i - 1] = (uintptr_t)stack->addresses[i];
        slot->at_bytes[i - 1] = (uint32_t)at_bytes;
        slot->caller_count++;
    }
}

uint16_t nv_place_find(struct nv_thread *thread, const void *place, const void *frame)
{
    struct nv_thread_place *slot = nv_place_slot(thread, place, frame);
    struct stack stack = {.place = place};
    int before = errno;

    if (thread->in_places || place == NULL)
        return 0;
    thread->in_places = true;
    unwind(&stack);
    slot->place = place;
    slot->frame = frame;
    note_callers(slot, &stack);
    pthread_mutex_lock(&mutex);
    slot->id = look_up(stack.addresses, stack.count);
    pthread_mutex_unlock(&mutex);
    thread->in_places = false;
    errno = before;
    return slot->id;
}

uint16_t nv_place_find_code(struct nv_thread *thread, const void *place)
{
    struct nv_thread_place *slot = nv_place_slot(thread, place, NULL);
    void *address = (void *)(uintptr_t)place;
    int before = errno;

    if (thread->in_places)
        return 0;
    thread->in_places = true;
    slot->place = place;
    slot->frame = NULL;
    slot->caller_count = 0;
    pthread_mutex_lock(&mutex);
    slot->id = look_up(&address, 1);
    pthread_mutex_unlock(&mutex);
    thread->in_places = false;
    errno = before;
    return slot->id;
}

void nv_places_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_places_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
