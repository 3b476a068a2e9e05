/* SPDX-License-Identifier: MIT */
/*
 * Owns the places where threads sleep, found by an object's address. Called by the events and locks that drivers use,
 * and by whoever waits for the end of requests.
 */
#include "src/io/park.h"

#include "src/io/thread.h"

#include <pthread.h>
#include <stddef.h>

/* On the stack of the thread that sleeps. */
struct sleeper {
    struct sleeper *next;
    const void *object;
    void *thread;
    bool released;
    pthread_cond_t woken;
};

#define BUCKETS 64

static struct bucket {
    pthread_mutex_t lock;
    struct sleeper *first; /* who came first comes first */
} buckets[BUCKETS] = {[0 ... BUCKETS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static struct bucket *bucket_of(const void *object)
{
    return &buckets[((uintptr_t)object * (uintptr_t)0x9E3779B97F4A7C15u) >> 58];
}

void nv_park_lock(const void *object)
{
    pthread_mutex_lock(&bucket_of(object)->lock);
}

void nv_park_unlock(const void *object)
{
    pthread_mutex_unlock(&bucket_of(object)->lock);
}

void *nv_park_self(void)
{
    return &nv_io_thread;
}

/* Takes the sleeper out, and wakes it. */
static void release(struct sleeper **link)
{
    struct sleeper *sleeper = *link;
    *link = sleeper->next;
    sleeper->released = true;
    pthread_cond_signal(&sleeper->woken);
}

static struct sleeper **find(struct bucket *bucket, const void *object)
{
    struct sleeper **link = &bucket->first;
    while (*link && (*link)->object != object)
        link = &(*link)->next;
    return link;
}

static void sleep_until(struct bucket *bucket, struct sleeper *sleeper, const struct nv_deadline *deadline)
{
    int error = 0;
    while (!sleeper->released && error == 0)
        error = deadline ? pthread_cond_clockwait(&sleeper->woken, &bucket->lock, deadline->clock, &deadline->time)
                         : pthread_cond_wait(&sleeper->woken, &bucket->lock);
}

bool nv_park_wait(const void *object, const struct nv_deadline *deadline)
{
    struct bucket *bucket = bucket_of(object);
    struct sleeper sleeper = {.object = object, .thread = nv_park_self()};
    struct sleeper **link = &bucket->first;
    int cancellable;
    pthread_cond_init(&sleeper.woken, NULL);
    while (*link)
        link = &(*link)->next;
    *link = &sleeper;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellable);
    sleep_until(bucket, &sleeper, deadline);
    pthread_setcancelstate(cancellable, &cancellable);
    if (!sleeper.released) {
        for (link = &bucket->first; *link != &sleeper; link = &(*link)->next)
            ;
        *link = sleeper.next;
    }
    pthread_cond_destroy(&sleeper.woken);
    return sleeper.released;
}

void *nv_park_release(const void *object)
{
    struct sleeper **link = find(bucket_of(object), object);
    if (!*link)
        return NULL;
    void *thread = (*link)->thread;
    release(link);
    return thread;
}

void nv_park_release_all(const void *object)
{
    while (nv_park_release(object))
        ;
}

void nv_park_after_fork(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        pthread_mutex_init(&buckets[i].lock, NULL);
        buckets[i].first = NULL;
    }
}
