/* SPDX-License-Identifier: MIT */
/*
 * Owns what each thread has: its flight and its cache of places. Made on first use, freed when the thread ends: what it
 * never drained is then never durable, as on the machine. Called by engine.c, places.c and fork.c.
 */
#include "verify/thread.h"
#include "verify/pending.h"
#include <pthread.h>
#include <sys/mman.h>

__thread struct nv_thread *nv_thread_state;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void destroy(void *state)
{
    struct nv_thread *thread = state;

    nv_pending_end(thread);
    nv_thread_state = NULL;
    nv_flight_free(&thread->flight);
    munmap(thread, sizeof *thread);
}

static void make_key(void)
{
    pthread_key_create(&key, destroy);
}

struct nv_thread *nv_thread_create(void)
{
    struct nv_thread *thread = mmap(NULL, sizeof *thread, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (thread == MAP_FAILED)
        return NULL;
    pthread_once(&once, make_key);
    pthread_setspecific(key, thread);
    nv_thread_state = thread;
    return thread;
}

void nv_thread_after_fork(void)
{
    if (nv_thread_state == NULL)
        return;
    nv_flight_clear(&nv_thread_state->flight);
    nv_thread_state->file_count = 0;
    nv_thread_state->in_places = false;
    nv_thread_state->telling = nv_thread_state->flushed = false;
    nv_thread_state->number = 0;
}
