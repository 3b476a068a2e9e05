/* SPDX-License-Identifier: MIT */
/*
 * A program's recovery as a function, for `nvrtl crash --recover-fn LIBRARY:FUNCTION`: it is called on each state in
 * which a power failure could have left the program's files, some thousand times a second.
 *
 * The library is loaded once, into a process of its own, and each call is made in a fork of that process. So a call may
 * do what it likes with memory: write to the state, crash, or not come back (--timeout); the next one sees nothing of
 * it. What it does to files of the system, it does. Its output is shown when it fails.
 */
#ifndef NVRTL_RECOVER_H
#define NVRTL_RECOVER_H

#include <nvrtl/types.h>

NVRTL_BEGIN

/* One file of the state. */
typedef struct _NVRTL_RECOVERY_FILE {
    const CHAR *Path; /* below the folder at stake; where there are several, with the folder's name in front */
    PVOID Address;    /* its first byte: where the program had mapped it, so that pointers in it hold; else anywhere */
    SIZE_T Size;      /* bytes; what is written to them is gone after the call */
} NVRTL_RECOVERY_FILE, *PNVRTL_RECOVERY_FILE;

/* The state: its regular files, by their paths; folders and links are not told of. */
typedef struct _NVRTL_RECOVERY_STATE {
    SIZE_T FileCount;
    const NVRTL_RECOVERY_FILE *Files;
    const CHAR *Promises; /* made before the power failed (NvrtlMark, --ack-fd): lines, each with its newline */
    SIZE_T PromisesSize;  /* bytes, without the NUL that follows them */
} NVRTL_RECOVERY_STATE, *PNVRTL_RECOVERY_STATE;

/*
 * What LIBRARY exports as FUNCTION. 0: the state is good, recovery keeps every promise; anything else is a failure, and
 * so is a signal. It must not unmap the files. A state that agrees with a judged one on all bytes that the function had
 * looked at is not judged again; so the result must follow from the state alone. Source: nvrtl's own.
 */
typedef LONG NTAPI NVRTL_RECOVERY_FUNCTION(const NVRTL_RECOVERY_STATE *State);

NVRTL_END

#endif
