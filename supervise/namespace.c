/* SPDX-License-Identifier: MIT */
/*
 * Entering the namespaces in which a view can be mounted, and saying which setting forbids it. nv_run calls it first.
 */
#include "supervise/unshare.h"
#include "supervise/view.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

static int refuse(const struct nv_view_context *context, int number)
{
    nv_unshare_refused(number, context->error, context->error_bytes);
    return -1;
}

int nv_namespace_enter(struct nv_view_context *context)
{
    int number;

    context->image->keeps_owners = !geteuid();
    if (unshare(CLONE_NEWNS)) {
        if (errno != EPERM)
            return refuse(context, errno);
        context->image->keeps_owners = false;
        nv_live_list_fifos(&context->live);
        number = nv_unshare_as_user(CLONE_NEWNS);
        if (number)
            return refuse(context, number);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return refuse(context, errno);
    return 0;
}
