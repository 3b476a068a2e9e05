/* SPDX-License-Identifier: MIT */
/*
 * A request's parameters in the three forms that they have: a request, an IRP's stack location, a minifilter's block.
 */
#ifndef NV_IO_PARAMETERS_H
#define NV_IO_PARAMETERS_H

#include "src/io/request.h"

#include <nvrtl/minifilter.h>

/* `security` holds what the location of a create points to. */
void nv_parameters_to_irp(const struct nv_request *request, PIRP irp, PIO_STACK_LOCATION location,
                          IO_SECURITY_CONTEXT *security);

/* Sets what a location says in a request, and leaves the rest of that. */
void nv_parameters_from_irp(struct nv_request *request, const IRP *irp, const IO_STACK_LOCATION *location);

void nv_parameters_to_block(const struct nv_request *request, FLT_IO_PARAMETER_BLOCK *block,
                            IO_SECURITY_CONTEXT *security);
void nv_parameters_from_block(struct nv_request *request, const FLT_IO_PARAMETER_BLOCK *block);

#endif
