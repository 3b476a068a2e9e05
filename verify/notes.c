/* SPDX-License-Identifier: MIT */
/*
 * Owns this process's writing into the ledger, which other processes of the run write too: slots are taken by an atomic
 * add. Called by seam.c, places.c and engine.c.
 */
#include "verify/notes.h"
#include <pthread.h>
#include <string.h>
#include <time.h>

#define RECENT 256

/* Ranges told lately, so that a program that takes the same tokens again and again does not fill the ledger. */
struct recent {
    struct {
        uint32_t file;
        uint64_t offset, end;
    } range[RECENT];
    size_t next;
};

static struct nv_ledger *ledger;
static struct recent regions, ignored;
static uint32_t events[NV_LEDGER_EVENTS]; /* the slots that this process took */
static size_t event_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void nv_notes_open(struct nv_ledger *opened)
{
    ledger = opened;
}

struct nv_ledger *nv_notes_ledger(void)
{
    return ledger;
}

void nv_notes_lost(void)
{
    atomic_fetch_add_explicit(&ledger->lost, 1, memory_order_relaxed);
}

/* A slot of one of the arrays; `room` of it, and a loss told, where there is none. */
static uint32_t take(_Atomic uint32_t *taken, uint32_t room)
{
    uint32_t slot = atomic_load_explicit(taken, memory_order_relaxed);

    if (slot < room)
        slot = atomic_fetch_add_explicit(taken, 1, memory_order_relaxed);
    if (slot < room)
        return slot;
    nv_notes_lost();
    return room;
}

static void copy_text(char *to, size_t room, const char *from)
{
    size_t length = strnlen(from, room);

    if (length == room) {
        length--;
        while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
            length--; /* not within a character */
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

void nv_notes_tell(const char *sentence)
{
    uint32_t known = atomic_load_explicit(&ledger->sentences, memory_order_acquire), slot;

    for (slot = 0; slot < known && slot < NV_LEDGER_SENTENCES; slot++)
        if (atomic_load_explicit(&ledger->sentence[slot].ready, memory_order_acquire) != 0 &&
            strcmp(ledger->sentence[slot].text, sentence) == 0)
            return;
    slot = take(&ledger->sentences, NV_LEDGER_SENTENCES);
    if (slot == NV_LEDGER_SENTENCES)
        return;
    copy_text(ledger->sentence[slot].text, sizeof ledger->sentence[slot].text, sentence);
    atomic_store_explicit(&ledger->sentence[slot].ready, 1, memory_order_release);
}

uint16_t nv_notes_place(void)
{
    uint32_t slot = take(&ledger->places, NV_LEDGER_PLACES - 1);

    return slot < NV_LEDGER_PLACES - 1 ? (uint16_t)(slot + 1) : 0;
}

uint32_t nv_notes_module(const char *path)
{
    uint32_t known = atomic_load_explicit(&ledger->modules, memory_order_acquire), slot;

    if (strlen(path) >= sizeof ledger->module[0].path)
        return NV_NOTES_NO_MODULE;
    for (slot = 0; slot < known && slot < NV_LEDGER_MODULES; slot++)
        if (atomic_load_explicit(&ledger->module[slot].ready, memory_order_acquire) != 0 &&
            strcmp(ledger->module[slot].path, path) == 0)
            return slot;
    slot = take(&ledger->modules, NV_LEDGER_MODULES);
    if (slot == NV_LEDGER_MODULES)
        return NV_NOTES_NO_MODULE;
    copy_text(ledger->module[slot].path, sizeof ledger->module[slot].path, path);
    atomic_store_explicit(&ledger->module[slot].ready, 1, memory_order_release);
    return slot;
}

/* Whether the range is news; if so, it is remembered. */
static bool remember(struct recent *recent, uint32_t file, uint64_t offset, uint64_t end)
{
    for (size_t i = 0; i < RECENT; i++)
        if (recent->range[i].file == file && recent->range[i].offset <= offset && end <= recent->range[i].end)
            return false;
    recent->range[recent->next].file = file;
    recent->range[recent->next].offset = offset;
    recent->range[recent->next].end = end;
    recent->next = (recent->next + 1) % RECENT;
    return true;
}

static void tell_range(struct recent *recent, struct nv_ledger_range *ranges, _Atomic uint32_t *taken,
                       const struct nv_ledger_range *range)
{
    uint32_t slot;
    bool news;

    pthread_mutex_lock(&mutex);
    news = remember(recent, range->file, range->offset, range->offset + range->length_bytes);
    pthread_mutex_unlock(&mutex);
    if (!news)
        return;
    slot = take(taken, NV_LEDGER_RANGES);
    if (slot == NV_LEDGER_RANGES)
        return;
    ranges[slot].file = range->file;
    ranges[slot].offset = range->offset;
    ranges[slot].length_bytes = range->length_bytes;
    atomic_store_explicit(&ranges[slot].ready, 1, memory_order_release);
}

void nv_notes_region(uint32_t file, uint64_t offset, uint64_t length_bytes)
{
    struct nv_ledger_range range = {.file = file, .offset = offset, .length_bytes = length_bytes};

    tell_range(&regions, ledger->region, &ledger->regions, &range);
}

void nv_notes_ignore(uint32_t file, uint64_t offset, uint64_t length_bytes)
{
    struct nv_ledger_range range = {.file = file, .offset = offset, .length_bytes = length_bytes};

    tell_range(&ignored, ledger->ignore, &ledger->ignored, &range);
}

static bool same_range(const struct nv_ledger_range *left, const struct nv_ledger_range *right)
{
    return left->file == right->file && left->offset == right->offset && left->length_bytes == right->length_bytes;
}

static bool is_known_order(const struct nv_ledger_range *first, const struct nv_ledger_range *then)
{
    uint32_t known = atomic_load_explicit(&ledger->orders, memory_order_acquire);

    for (uint32_t i = 0; i < known && i < NV_LEDGER_ORDERS; i++) {
        const struct nv_ledger_order *order = &ledger->order[i];

        if (atomic_load_explicit(&order->ready, memory_order_acquire) != 0 && same_range(&order->first, first) &&
            same_range(&order->then, then))
            return true;
    }
    return false;
}

void nv_notes_order(const struct nv_ledger_range *first, const struct nv_ledger_range *then, uint16_t place)
{
    struct nv_ledger_order *order;
    uint32_t slot;

    if (is_known_order(first, then))
        return;
    slot = take(&ledger->orders, NV_LEDGER_ORDERS);
    if (slot == NV_LEDGER_ORDERS)
        return;
    order = &ledger->order[slot];
    order->place = place;
    order->first = *first;
    order->then = *then;
    atomic_store_explicit(&order->ready, 1, memory_order_release);
}

uint64_t nv_notes_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - ledger->began_ns;
}

void nv_notes_mark(const char *text, uint16_t place)
{
    uint32_t slot = take(&ledger->marks, NV_LEDGER_MARKS);

    if (slot == NV_LEDGER_MARKS)
        return;
    ledger->mark[slot].place = place;
    ledger->mark[slot].at_ns = nv_notes_now_ns();
    copy_text(ledger->mark[slot].text, sizeof ledger->mark[slot].text, text);
    atomic_store_explicit(&ledger->mark[slot].ready, 1, memory_order_release);
}

static struct nv_ledger_event *find_event(uint32_t kind, const char *function, uint16_t place)
{
    for (size_t i = 0; i < event_count; i++) {
        struct nv_ledger_event *event = &ledger->event[events[i]];

        if (event->kind == kind && event->place == place &&
            strncmp(event->function, function, sizeof event->function - 1) == 0)
            return event;
    }
    return NULL;
}

bool nv_notes_event_again(uint32_t kind, const char *function, uint16_t place)
{
    struct nv_ledger_event *event;

    pthread_mutex_lock(&mutex);
    event = find_event(kind, function, place);
    if (event != NULL)
        atomic_fetch_add_explicit(&event->count, 1, memory_order_relaxed);
    pthread_mutex_unlock(&mutex);
    return event != NULL;
}

void nv_notes_event(uint32_t kind, const char *function, uint16_t place, const void *token,
                    const struct nv_ledger_range *range, const void *address)
{
    struct nv_ledger_event *event;
    uint32_t slot;

    if (nv_notes_event_again(kind, function, place))
        return;
    slot = take(&ledger->events, NV_LEDGER_EVENTS);
    if (slot == NV_LEDGER_EVENTS)
        return;
    event = &ledger->event[slot];
    event->kind = kind;
    event->place = place;
    event->token = (uintptr_t)token;
    event->address = (uintptr_t)address;
    event->size_bytes = range->length_bytes;
    event->file = range->file;
    event->offset = range->offset;
    copy_text(event->function, sizeof event->function, function);
    atomic_store_explicit(&event->count, 1, memory_order_relaxed);
    atomic_store_explicit(&event->ready, 1, memory_order_release);
    pthread_mutex_lock(&mutex);
    events[event_count++] = slot;
    pthread_mutex_unlock(&mutex);
}

void nv_notes_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_notes_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
