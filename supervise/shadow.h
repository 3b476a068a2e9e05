/* SPDX-License-Identifier: MIT */
/* The shadows of files: what the events of a recorded run have told of their content so far (trace/shadow.h). */
#ifndef NV_SUPERVISE_SHADOW_H
#define NV_SUPERVISE_SHADOW_H

#include "supervise/image.h"

/*
 * The file has a shadow from now on, that reaches `end` or farther. Whoever tells of a file's content calls this before
 * it does so for the first time: the shadow begins with what is durable then. 0 or a negative errno.
 */
int nv_shadow_provide(struct nv_image *image, struct nv_object *object, uint64_t end);
/* The same, of a file of whose content in the view all has been told. */
int nv_shadow_begin(struct nv_object *object, int view, uint64_t end);
void nv_shadow_forget(struct nv_object *object);

#endif
