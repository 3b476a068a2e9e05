/* SPDX-License-Identifier: MIT */
/*
 * Owns the order in which the verifier's locks are taken around a fork, so that the child finds all of it whole; what
 * is in flight stays the parent's. Called by the C library.
 */
#include "verify/fork.h"
#include "verify/alone.h"
#include "verify/alone_files.h"
#include "verify/binding.h"
#include "verify/notes.h"
#include "verify/places.h"
#include "verify/stores.h"
#include "verify/tell.h"
#include "verify/traced.h"
#include <pthread.h>

/* In the order in which calls nest: a place takes notes. */
static void before(void)
{
    nv_alone_before_fork();
    nv_traced_before_fork();
    nv_tell_before_fork();
    nv_files_before_fork();
    nv_binding_before_fork();
    nv_stores_before_fork();
    nv_places_before_fork();
    nv_notes_before_fork();
    nv_alone_files_before_fork();
}

static void after(bool child)
{
    nv_alone_files_after_fork();
    nv_notes_after_fork();
    nv_places_after_fork();
    nv_stores_after_fork();
    nv_binding_after_fork();
    nv_files_after_fork(child);
    nv_tell_after_fork(child);
    nv_traced_after_fork();
    nv_alone_after_fork(child);
}

static void in_parent(void)
{
    after(false);
}

static void in_child(void)
{
    nv_thread_after_fork();
    after(true);
}

bool nv_fork_open(void)
{
    return pthread_atfork(before, in_parent, in_child) == 0;
}
