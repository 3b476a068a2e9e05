/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of mapped views, in the order of their addresses. Called when one is mapped, unmapped or flushed; what
 * is mapped there is the caller's business.
 */
#include "src/io/view.h"

#include "src/os/os.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything here */
static struct nv_view *views;
static size_t count;
static size_t room;

/* The number of views that begin at the address or before it. Under the lock. */
static size_t views_up_to(uintptr_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (views[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Under the lock. */
static struct nv_view *find(uintptr_t address)
{
    size_t before = views_up_to(address);
    return before > 0 && address < views[before - 1].end ? &views[before - 1] : NULL;
}

/* Under the lock. */
static bool make_room(void)
{
    size_t wanted = room ? room * 2 : 16;
    if (count < room)
        return true;
    struct nv_view *larger = nv_os->resize(views, wanted * sizeof(*larger));
    if (!larger)
        return false;
    views = larger;
    room = wanted;
    return true;
}

/* Under the lock. */
static void take_out(struct nv_view *view)
{
    size_t behind = count - (size_t)(view - views) - 1;
    memmove(view, view + 1, behind * sizeof(*view));
    if (--count == 0) {
        free(views);
        views = NULL;
        room = 0;
    }
}

bool nv_view_add(const struct nv_view *view)
{
    pthread_mutex_lock(&lock);
    bool has_room = make_room();
    if (has_room) {
        struct nv_view *place = &views[views_up_to(view->start)];
        memmove(place + 1, place, (count - (size_t)(place - views)) * sizeof(*place));
        *place = *view;
        count++;
    }
    pthread_mutex_unlock(&lock);
    return has_room;
}

bool nv_view_remove(uintptr_t address, struct nv_view *view)
{
    pthread_mutex_lock(&lock);
    struct nv_view *found = find(address);
    if (found) {
        *view = *found;
        take_out(found);
    }
    pthread_mutex_unlock(&lock);
    return found != NULL;
}

bool nv_view_find(uintptr_t address, struct nv_view *view)
{
    pthread_mutex_lock(&lock);
    struct nv_view *found = find(address);
    if (found) {
        *view = *found;
        nv_object_reference(&view->section->object);
    }
    pthread_mutex_unlock(&lock);
    return found != NULL;
}

size_t nv_view_count(void)
{
    pthread_mutex_lock(&lock);
    size_t result = count;
    pthread_mutex_unlock(&lock);
    return result;
}

void nv_view_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_view_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}
