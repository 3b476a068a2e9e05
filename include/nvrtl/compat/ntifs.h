/* SPDX-License-Identifier: MIT */
/* For sources in the style of a file system filter: what ntddk.h has, and the macros of file systems. */
#ifndef NVRTL_COMPAT_NTIFS_H
#define NVRTL_COMPAT_NTIFS_H

#include "ntddk.h"

#ifndef FlagOn
#define FlagOn(flags, single) ((flags) & (single))
#endif
#ifndef BooleanFlagOn
#define BooleanFlagOn(flags, single) ((BOOLEAN)(((flags) & (single)) != 0))
#endif
#ifndef SetFlag
#define SetFlag(flags, single) ((flags) |= (single))
#endif
#ifndef ClearFlag
#define ClearFlag(flags, single) ((flags) &= ~(single))
#endif

#define FsRtlEnterFileSystem() KeEnterCriticalRegion()
#define FsRtlExitFileSystem() KeLeaveCriticalRegion()

#endif
