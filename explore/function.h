/* SPDX-License-Identifier: MIT */
/* A recovery function (--recover-fn), called in children of the recovery host (host.c). recover.c runs it. */
#ifndef NV_FUNCTION_H
#define NV_FUNCTION_H

#include "explore/recover.h"

struct nv_function;

/* Start the host, map what the program had mapped, load the library. NULL: one line in `error`. */
struct nv_function *nv_function_open(const struct nv_recover_options *options, const struct nv_stake *stake,
                                     char *error, size_t error_bytes);
void nv_function_close(struct nv_function *function);

/* These return 0 or a negative errno. */
int nv_function_base(struct nv_function *function, const struct nv_model *model, const struct nv_state *base);
int nv_function_run(struct nv_function *function, const struct nv_state *state, struct nv_ending *ending);
/* As nv_judge.reads. */
bool nv_function_reads(struct nv_function *function, const struct nv_read **reads, size_t *count);

#endif
