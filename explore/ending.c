/* SPDX-License-Identifier: MIT */
/* Owns the words for how a recovery ended, and the reading of its output. */
#include "explore/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void keep(struct nv_ending *ending, const char *bytes, size_t length)
{
    if (length >= NV_OUTPUT_BYTES) {
        bytes += length - NV_OUTPUT_BYTES;
        length = NV_OUTPUT_BYTES;
    }
    size_t room = NV_OUTPUT_BYTES - length, old = ending->output_bytes < room ? ending->output_bytes : room;
    memmove(ending->output, ending->output + ending->output_bytes - old, old);
    memcpy(ending->output + old, bytes, length);
    ending->output_bytes = old + length;
}

void nv_ending_read(struct nv_ending *ending, int descriptor)
{
    char bytes[4096];
    /* Not for ever: who writes without end is to be timed out. */
    for (int i = 0; i < 16; i++) {
        ssize_t got = read(descriptor, bytes, sizeof bytes);
        if (got <= 0)
            return;
        keep(ending, bytes, (size_t)got);
    }
}

void nv_ending_text(const struct nv_ending *ending, double timeout_seconds, char *text, size_t text_bytes)
{
    if (ending->kind == NV_ENDED_TIMEOUT)
        snprintf(text, text_bytes, "did not end within %g s", timeout_seconds);
    else if (ending->kind == NV_ENDED_SIGNAL)
        snprintf(text, text_bytes, "died of signal %d (%s)", ending->number, strsignal(ending->number));
    else
        snprintf(text, text_bytes, "ended with status %d", ending->number);
}

int nv_ending_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) ? -errno : 0;
}
