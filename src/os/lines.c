/* SPDX-License-Identifier: MIT */
/* Owns the buffer between read(2) and the lines of a /proc file. Called by resolve.c and domain.c. */
#include "src/os/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A line has a path of at most 4095 bytes, of which each may be written as an escape of four. */
#define BUFFER_BYTES ((size_t)32768)

int nv_lines_open(struct nv_lines *lines, const char *path)
{
    *lines = (struct nv_lines){.descriptor = -1};
    lines->buffer = nv_os->resize(NULL, BUFFER_BYTES);
    if (!lines->buffer)
        return -ENOMEM;
    lines->descriptor = nv_os->open(path);
    if (lines->descriptor >= 0)
        return 0;
    free(lines->buffer);
    return lines->descriptor;
}

/* Moves the unread part to the front and reads more behind it. False at the end and on failure. */
static bool read_more(struct nv_lines *lines)
{
    size_t kept = lines->filled - lines->next;
    memmove(lines->buffer, lines->buffer + lines->next, kept);
    lines->next = 0;
    lines->filled = kept;
    if (kept >= BUFFER_BYTES - 1) {
        lines->error = -ENAMETOOLONG;
        return false;
    }
    ssize_t got = nv_os->read(lines->descriptor, lines->buffer + kept, BUFFER_BYTES - 1 - kept);
    if (got < 0)
        lines->error = (int)got;
    if (got <= 0)
        return false;
    lines->filled += (size_t)got;
    return true;
}

char *nv_lines_next(struct nv_lines *lines)
{
    size_t searched = 0;
    for (;;) {
        char *line = lines->buffer + lines->next;
        size_t left = lines->filled - lines->next;
        char *end = memchr(line + searched, '\n', left - searched);
        if (end) {
            *end = 0;
            lines->next += (size_t)(end - line) + 1;
            return line;
        }
        searched = left;
        if (!read_more(lines))
            break;
    }
    if (lines->error || lines->next == lines->filled)
        return NULL;
    lines->buffer[lines->filled] = 0; /* the last line may lack its newline */
    char *line = lines->buffer + lines->next;
    lines->next = lines->filled;
    return line;
}

void nv_lines_close(struct nv_lines *lines)
{
    nv_os->close(lines->descriptor);
    free(lines->buffer);
}
