/* SPDX-License-Identifier: MIT */
/*
 * Makes a trace of what its standard input says, a line for each event: so tests need no run to have a trace.
 * usage: make-trace FILE
 *     folder OBJECT PATH            a folder at stake
 *     file OBJECT PARENT NAME       created; "initial" in front: it was there
 *     dir OBJECT PARENT NAME        likewise
 *     symlink OBJECT PARENT NAME TARGET
 *     link OBJECT PARENT NAME / unlink OBJECT PARENT NAME / rename OBJECT PARENT OTHER OLD NEW
 *     mode OBJECT OCTAL             with the type of the file
 *     write OBJECT OFFSET TEXT / store ... / changed ...    \xNN, \n and \\ in TEXT; *N behind: N times
 *     size OBJECT BYTES (or initial, too) / zero OBJECT OFFSET LENGTH
 *     map OBJECT ADDRESS OFFSET LENGTH / unmap likewise / flush OBJECT OFFSET LENGTH / drain OBJECT
 *     sync OBJECT / sync-folder OBJECT    a whole system call
 *     promise TEXT / place NUMBER FRAMES / at NUMBER        \t and \n in FRAMES; the place of the events that follow
 *     end STATUS WORD...
 */
#include "trace/file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX ((size_t)1 << 22)

static struct nv_trace_writer *writer;
static char text[TEXT_MAX];
static uint32_t place;

static void put(struct nv_trace_event event, const void *payload, size_t length)
{
    size_t bytes = (sizeof event + length + 7) & ~(size_t)7;
    struct nv_trace_event *whole = calloc(1, bytes);
    if (!whole)
        exit(1);
    event.bytes = (uint32_t)bytes;
    event.payload_bytes = (uint32_t)length;
    event.thread = 1;
    if (event.kind != NV_TRACE_PLACE)
        event.place = place;
    *whole = event;
    memcpy(whole + 1, payload, length);
    if (nv_trace_put(writer, whole))
        exit(1);
    free(whole);
}

/* The rest of a line, with what stands behind backslashes, into `text`. */
static size_t take_text(const char *from)
{
    size_t length = 0, times = 1;
    const char *star = strrchr(from, '*');
    if (star && star[1] >= '1' && star[1] <= '9')
        times = strtoul(star + 1, NULL, 10);
    const char *end = times > 1 ? star : from + strlen(from);
    for (; from < end; from++) {
        if (*from != '\\') {
            text[length++] = *from;
        } else if (*++from == 'x') {
            char hex[3] = {from[1], from[2], 0};
            text[length++] = (char)strtoul(hex, NULL, 16);
            from += 2;
        } else {
            text[length++] = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
        }
    }
    for (size_t i = 1; i < times && (i + 1) * length <= TEXT_MAX; i++)
        memcpy(text + i * length, text, length);
    return length * times;
}

static bool names(const char *kind, const char *rest, uint16_t flags)
{
    unsigned object, parent, other;
    char first[300], second[300] = "", both[600];
    int at = 0;
    if (sscanf(rest, "%u%n", &object, &at) != 1)
        return false;
    struct nv_trace_event event = {.object = object, .flags = flags};
    if (strcmp(kind, "folder") == 0 && sscanf(rest + at, "%299s", first) == 1) {
        event.kind = NV_TRACE_CREATE;
        event.offset = S_IFDIR | 0755;
        event.flags |= NV_TRACE_INITIAL;
        put(event, first, strlen(first) + 1);
        return true;
    }
    if (strcmp(kind, "rename") == 0 && sscanf(rest + at, "%u %u %299s %299s", &parent, &other, first, second) == 4) {
        event.kind = NV_TRACE_RENAME;
        event.parent = parent;
        event.other = other;
        memcpy(stpcpy(both, first) + 1, second, strlen(second) + 1);
        put(event, both, strlen(first) + strlen(second) + 2);
        return true;
    }
    int count = sscanf(rest + at, "%u %299s %299s", &parent, first, second);
    if (count < 2)
        return false;
    event.parent = parent;
    event.kind = strcmp(kind, "link") == 0     ? NV_TRACE_LINK
                 : strcmp(kind, "unlink") == 0 ? NV_TRACE_UNLINK
                                               : NV_TRACE_CREATE;
    if (event.kind == NV_TRACE_CREATE)
        event.offset = strcmp(kind, "dir") == 0       ? S_IFDIR | 0755
                       : strcmp(kind, "symlink") == 0 ? S_IFLNK | 0777
                                                      : S_IFREG | 0644;
    memcpy(stpcpy(both, first) + 1, second, strlen(second) + 1);
    put(event, both, strlen(first) + 1 + (count == 3 ? strlen(second) + 1 : 0));
    return true;
}

static bool contents(const char *kind, const char *rest)
{
    static const struct {
        const char *name;
        uint16_t kind;
    } kinds[] = {{"write", NV_TRACE_WRITE}, {"store", NV_TRACE_STORE}, {"changed", NV_TRACE_CHANGED}};
    unsigned object;
    uint64_t offset;
    int at = 0;
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(kind, kinds[i].name) != 0)
            continue;
        if (sscanf(rest, "%u %" SCNu64 "%n", &object, &offset, &at) != 2)
            return false;
        size_t length = take_text(rest + at + 1);
        put((struct nv_trace_event){.kind = kinds[i].kind, .object = object, .offset = offset}, text, length);
        return true;
    }
    return false;
}

static bool numbers(const char *kind, const char *rest, uint16_t flags)
{
    unsigned object = 0;
    uint64_t a = 0, b = 0, c = 0;
    int count =
        sscanf(rest, "%u %" SCNi64 " %" SCNi64 " %" SCNi64, &object, (int64_t *)&a, (int64_t *)&b, (int64_t *)&c);
    struct nv_trace_event event = {.object = object};
    bool maps = strcmp(kind, "map") == 0, unmaps = strcmp(kind, "unmap") == 0;
    if ((maps || unmaps) && count == 4) {
        event = (struct nv_trace_event){.kind = maps ? NV_TRACE_MAP : NV_TRACE_UNMAP,
                                        .object = object,
                                        .address = a,
                                        .offset = b,
                                        .length = c,
                                        .other = maps ? 2 : 0};
    } else if (strcmp(kind, "size") == 0 && count == 2) {
        event.kind = NV_TRACE_SIZE;
        event.length = a;
        event.flags = flags;
    } else if ((strcmp(kind, "zero") == 0 || strcmp(kind, "flush") == 0) && count == 3) {
        event.kind = *kind == 'z' ? NV_TRACE_ZERO : NV_TRACE_FLUSH;
        event.offset = a;
        event.length = b;
    } else if (strcmp(kind, "drain") == 0 && count == 1) {
        event.kind = NV_TRACE_DRAIN;
    } else if (strncmp(kind, "sync", 4) == 0 && count == 1) {
        put((struct nv_trace_event){.kind = NV_TRACE_SYNC_BEGIN}, "", 0);
        event.kind = NV_TRACE_SYNC;
        event.length = kind[4] ? 0 : UINT64_MAX;
        event.flags = kind[4] ? NV_TRACE_FOLDER : 0;
    } else {
        return false;
    }
    put(event, "", 0);
    return true;
}

static bool others(const char *kind, const char *rest)
{
    unsigned number = 0, mode = 0;
    int at = 0;
    if (strcmp(kind, "promise") == 0) {
        put((struct nv_trace_event){.kind = NV_TRACE_PROMISE}, rest, strlen(rest));
    } else if (strcmp(kind, "place") == 0 && sscanf(rest, "%u%n", &number, &at) == 1) {
        size_t length = take_text(rest + at + 1);
        put((struct nv_trace_event){.kind = NV_TRACE_PLACE, .place = number}, text, length);
    } else if (strcmp(kind, "at") == 0 && sscanf(rest, "%u", &place) == 1) {
        return true;
    } else if (strcmp(kind, "mode") == 0 && sscanf(rest, "%u %o", &number, &mode) == 2) {
        put((struct nv_trace_event){.kind = NV_TRACE_MODE, .object = number, .offset = mode}, "", 0);
    } else if (strcmp(kind, "end") == 0 && sscanf(rest, "%u%n", &number, &at) == 1) {
        char words[1024];
        size_t length = strlen(rest + at) ? strlen(rest + at) : 1;
        memcpy(words, rest + at + 1, length);
        for (size_t i = 0; i < length; i++)
            words[i] = words[i] == ' ' ? '\0' : words[i];
        put((struct nv_trace_event){.kind = NV_TRACE_END, .length = number}, words, length);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static char line[TEXT_MAX];
    if (argc != 2 || nv_trace_create(argv[1], &writer))
        return 2;
    while (fgets(line, sizeof line, stdin)) {
        char kind[32];
        int at = 0;
        uint16_t flags = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%31s%n", kind, &at) != 1 || *kind == '#')
            continue;
        char *rest = line + at + (line[at] == ' ');
        if (strcmp(kind, "initial") == 0) {
            flags = NV_TRACE_INITIAL;
            sscanf(rest, "%31s%n", kind, &at);
            rest += at;
        }
        if (!contents(kind, rest) && !numbers(kind, rest, flags) && !others(kind, rest) && !names(kind, rest, flags)) {
            fprintf(stderr, "make-trace: %s\n", line);
            return 1;
        }
    }
    return nv_trace_finish(writer) ? 1 : 0;
}
