/* SPDX-License-Identifier: MIT */
/* Owns what is done around fork(), so that handles live on in the child. Called by libc. */
#include "src/io/device.h"
#include "src/io/fcb.h"
#include "src/io/minifilter.h"
#include "src/io/object.h"
#include "src/io/park.h"
#include "src/io/stack.h"
#include "src/io/view.h"
#include "src/io/volume.h"

#include <pthread.h>

/* Locks in the order in which the calls nest. */
static void before(void)
{
    nv_minifilters_before_fork();
    nv_drivers_before_fork();
    nv_stack_before_fork();
    nv_device_before_fork();
    nv_attachments_before_fork();
    nv_volume_before_fork();
    nv_fcb_before_fork();
    nv_view_before_fork();
    nv_object_before_fork();
}

static void after(bool in_child)
{
    nv_object_after_fork(in_child);
    nv_view_after_fork();
    nv_fcb_after_fork();
    nv_volume_after_fork(in_child);
    nv_attachments_after_fork();
    nv_device_after_fork(in_child);
    nv_stack_after_fork();
    nv_drivers_after_fork();
    nv_minifilters_after_fork(in_child);
    if (in_child)
        nv_park_after_fork();
}

static void after_in_parent(void)
{
    after(false);
}

static void after_in_child(void)
{
    after(true);
}

/* Behind the memory plane's: its locks are taken last, since calls of this plane go into that one. */
__attribute__((constructor(102))) static void start(void)
{
    (void)pthread_atfork(before, after_in_parent, after_in_child);
}
