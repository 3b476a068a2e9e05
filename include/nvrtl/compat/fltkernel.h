/* SPDX-License-Identifier: MIT */
/* For minifilters: what ntifs.h has, and the filter manager. Installed as fltKernel.h, too. */
#ifndef NVRTL_COMPAT_FLTKERNEL_H
#define NVRTL_COMPAT_FLTKERNEL_H

#include "ntifs.h"
#include <nvrtl/minifilter.h>

#define FLTAPI NTAPI
#define FLT_ASSERT(e) NT_ASSERT(e)
#define FLT_ASSERTMSG(message, e) NT_ASSERT(e)

#define _Flt_CompletionContext_Outptr_
#define _Flt_ConnectionCookie_Outptr_

#endif
