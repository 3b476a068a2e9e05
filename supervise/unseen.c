/* SPDX-License-Identifier: MIT */
/* What the supervisor could not see, and so must not judge. The handlers of notifications call it. */
#include "supervise/supervisor.h"

void nv_be_blind(struct nv_supervisor *supervisor, const char *why)
{
    supervisor->image.blind = true;
    (void)nv_report_not_seen(supervisor->report, why);
}

void nv_not_followed(struct nv_supervisor *supervisor, struct nv_folder *folder, const struct statx *status,
                     const char *why)
{
    struct nv_object *object = nv_image_object(&supervisor->image, folder, status);

    if (object)
        object->unjudged = true;
    else
        supervisor->image.blind = true;
    (void)nv_report_not_seen(supervisor->report, why);
}
