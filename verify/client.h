/* SPDX-License-Identifier: MIT */
/* The verifier's side of the socket: a question to the supervisor, its answer, the descriptors that come with it. */
#ifndef NV_VERIFY_CLIENT_H
#define NV_VERIFY_CLIENT_H

#include "nvrtl/types.h"
#include "verify/ledger.h"
#include <stdbool.h>
#include <stddef.h>

#define NV_CLIENT_DESCRIPTORS 2

/*
 * Remember where the supervisor listens: '@' and an abstract name. Without it, or where it cannot be reached, a system
 * call asks for the way (src/os/os.h).
 */
void nv_client_open(const char *name);

/*
 * Ask. The version is filled in here. On success `descriptors` holds `count` of them, to be closed by the caller; on
 * any other status none. STATUS_INSUFFICIENT_RESOURCES: the supervisor could not be reached, or its answer makes no
 * sense.
 */
NTSTATUS nv_client_ask(struct nv_verifier_request *request, struct nv_verifier_reply *reply, int *descriptors,
                       size_t count);

#endif
