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

/*
 * Size bytes from Address, in a mapped file, are durable by now: written, flushed and drained, or synced. In a verified
 * run it is looked whether they are; where they are not, that is the finding broken-expectation, and the program goes
 * on. Memory that is no mapping of a file at stake is never durable, and no finding. Source: nvrtl's own.
 */
NVRTL_API VOID NTAPI NvrtlExpectDurable(const VOID *Address, SIZE_T Size);

/*
 * From now on: whenever a change of the ThenSize bytes from Then becomes durable, the FirstSize bytes from First are
 * durable already, as they are in memory at that time. So is published what recovery must be able to trust: the payload
 * first, then the flag, count or pointer that makes it count. One drain or sync that makes both durable has no order
 * between them. Where a verified run sees the order broken, that is the finding broken-expectation; where the bytes
 * from Then become durable in parts that a power failure could separate (several aligned words of 8 bytes, or several
 * sectors of a disk), it is torn-publish. Both lie in mapped files, and are remembered by their place in the file.
 * Source: nvrtl's own.
 */
NVRTL_API VOID NTAPI NvrtlExpectOrder(const VOID *First, SIZE_T FirstSize, const VOID *Then, SIZE_T ThenSize);

NVRTL_END

#endif
