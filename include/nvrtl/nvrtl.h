/* SPDX-License-Identifier: MIT */
/* All of nvrtl. */
#ifndef NVRTL_NVRTL_H
#define NVRTL_NVRTL_H

#include <nvrtl/file.h>
#include <nvrtl/filter.h>
#include <nvrtl/kernel.h>
#include <nvrtl/minifilter.h>
#include <nvrtl/nvm.h>
#include <nvrtl/status.h>
#include <nvrtl/types.h>
#include <nvrtl/verifier.h>

#endif
