/* SPDX-License-Identifier: MIT */
/* What a program can tell the verifier about itself. In a run that is not verified each call is an empty function. */
#ifndef NVRTL_VERIFIER_H
#define NVRTL_VERIFIER_H

#include <nvrtl/types.h>

NVRTL_BEGIN

/*
 * Size bytes from Address, in a mapped file, are not meant to be durable (a lock word, a counter that recovery
 * rebuilds): no finding will name them. Source: nvrtl's own.
 */
NVRTL_API VOID NTAPI NvrtlIgnore(const VOID *Address, SIZE_T Size);

/* Note Text (UTF-8, cut at 255 bytes) in the report, with the place in the code that said it. Source: nvrtl's own. */
NVRTL_API VOID NTAPI NvrtlMark(const CHAR *Text);

NVRTL_END

#endif
