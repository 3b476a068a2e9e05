/* SPDX-License-Identifier: MIT */
/*
 * Plays a trace, event by event, and compares what comes of it with the folder as the program left it: names, kinds,
 * modes, link targets, hard links, and every byte.
 *
 *   record_check TRACE FOLDER [KIND=COUNT | KIND>=COUNT | PROMISE TEXT | SEQUENCE N | STACK KIND FUNCTION |
 *                             ORDER KIND...]...
 *
 * Further words say how many events of a kind there are, which promises, how many writes of a number come in its order,
 * in which function all of a kind were made, and in which order all events come. FOLDER is `-` when it is not to be
 * compared: the power failed.
 */
#include "trace/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kinds[NV_TRACE_KINDS] = {
    "",      "CREATE", "LINK",    "UNLINK", "RENAME", "MODE",       "WRITE", "ZERO",    "SIZE",  "MAP",
    "UNMAP", "STORE",  "CHANGED", "FLUSH",  "DRAIN",  "SYNC_BEGIN", "SYNC",  "PROMISE", "PLACE", "END"};

struct object {
    unsigned mode;
    uint64_t size, room;
    uint8_t *bytes;
    char *target;
    ino_t inode; /* in the folder: 0 until it is met */
};

struct name {
    uint32_t parent, object;
    char *text;
};

static struct object *objects;
static struct name *names;
static size_t object_count, name_count, differences;

static void differs(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("record_check: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (++differences == 20)
        exit(1);
}

/* ---- playing ---- */

static struct object *object_of(uint32_t number)
{
    if (number >= object_count) {
        size_t count = (size_t)number * 2 + 16;

        objects = realloc(objects, count * sizeof *objects);
        memset(objects + object_count, 0, (count - object_count) * sizeof *objects);
        object_count = count;
    }
    return &objects[number];
}

static void grow(struct object *object, uint64_t size)
{
    if (size > object->room) {
        uint64_t room = size * 2 + 4096;

        object->bytes = realloc(object->bytes, room);
        memset(object->bytes + object->room, 0, room - object->room);
        object->room = room;
    }
    if (size > object->size)
        object->size = size;
}

/* Behind its end a file reads as zeros when it grows again. */
static void resize(struct object *object, uint64_t size)
{
    if (size < object->size)
        memset(object->bytes + size, 0, object->size - size);
    object->size = size < object->size ? size : object->size;
    grow(object, size);
}

/* A mapping's units may reach behind the file's end; it does not grow by them. */
static void put(struct object *object, const struct nv_trace_event *event, bool grows)
{
    uint64_t length = event->payload_bytes;

    if (grows)
        grow(object, event->offset + length);
    if (event->offset >= object->size)
        return;
    if (length > object->size - event->offset)
        length = object->size - event->offset;
    memcpy(object->bytes + event->offset, nv_trace_payload(event), length);
}

static size_t find(uint32_t parent, const char *text)
{
    size_t i = 0;

    while (i < name_count && (names[i].parent != parent || strcmp(names[i].text, text)))
        i++;
    return i;
}

static void add_name(uint32_t parent, const char *text, uint32_t object)
{
    names = realloc(names, (name_count + 1) * sizeof *names);
    names[name_count++] = (struct name){parent, object, strdup(text)};
}

static void remove_name(size_t i)
{
    free(names[i].text);
    names[i] = names[--name_count];
}

static void play_rename(const struct nv_trace_event *event)
{
    const char *old_name = nv_trace_payload(event), *new_name = old_name + strlen(old_name) + 1;
    size_t from = find(event->parent, old_name), to = find(event->other, new_name);

    if (event->flags & NV_TRACE_EXCHANGED) {
        names[from].object = names[to].object;
        names[to].object = event->object;
        return;
    }
    if (to < name_count)
        remove_name(to);
    remove_name(find(event->parent, old_name));
    add_name(event->other, new_name, event->object);
}

static void play_create(const struct nv_trace_event *event)
{
    struct object *object = object_of(event->object);
    const char *name = nv_trace_payload(event);

    object->mode = (unsigned)event->offset;
    if (S_ISLNK(object->mode))
        object->target = strdup(name + strlen(name) + 1);
    if (event->parent || S_ISDIR(object->mode))
        add_name(event->parent, name, event->object);
}

static void play(const struct nv_trace_event *event)
{
    struct object *object = object_of(event->object);

    switch (event->kind) {
    case NV_TRACE_CREATE:
        play_create(event);
        break;
    case NV_TRACE_LINK:
        add_name(event->parent, nv_trace_payload(event), event->object);
        break;
    case NV_TRACE_UNLINK:
        remove_name(find(event->parent, nv_trace_payload(event)));
        break;
    case NV_TRACE_RENAME:
        play_rename(event);
        break;
    case NV_TRACE_MODE:
        object->mode = (unsigned)event->offset;
        break;
    case NV_TRACE_WRITE:
        put(object, event, true);
        break;
    case NV_TRACE_STORE:
    case NV_TRACE_CHANGED:
        put(object, event, false);
        break;
    case NV_TRACE_ZERO:
        if (event->offset < object->size)
            memset(object->bytes + event->offset, 0,
                   event->length < object->size - event->offset ? event->length : object->size - event->offset);
        break;
    case NV_TRACE_SIZE:
        resize(object, event->length);
        break;
    default:
        break;
    }
}

/* ---- comparing ---- */

static void compare_bytes(const struct object *object, int folder, const char *name, const char *path)
{
    static uint8_t buffer[1 << 16];
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t at = 0;
    ssize_t got;

    if (fd < 0) {
        differs("%s: %s", path, strerror(errno));
        return;
    }
    while ((got = read(fd, buffer, sizeof buffer)) > 0 && at + (uint64_t)got <= object->size) {
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != object->bytes[at + (uint64_t)i]) {
                differs("%s: byte %lu is %02x, and %02x by the trace", path, at + (uint64_t)i, buffer[i],
                        object->bytes[at + (uint64_t)i]);
                close(fd);
                return;
            }
        at += (uint64_t)got;
    }
    close(fd);
}

static void compare_folder(uint32_t number, int fd, const char *path);

static void compare_name(uint32_t parent, int folder, const char *name, const char *path)
{
    size_t i = find(parent, name);
    struct object *object = i < name_count ? object_of(names[i].object) : NULL;
    char target[PATH_MAX];
    struct stat status;
    ssize_t length;

    if (!object) {
        differs("%s: the trace does not know it", path);
        return;
    }
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW))
        return;
    if (status.st_mode != object->mode)
        differs("%s: its mode is %o, and %o by the trace", path, status.st_mode, object->mode);
    if (object->inode && object->inode != status.st_ino)
        differs("%s: it is another file than its other name's", path);
    object->inode = status.st_ino;
    if (S_ISREG(status.st_mode) && (uint64_t)status.st_size != object->size)
        differs("%s: it has %ld bytes, and %lu by the trace", path, (long)status.st_size, object->size);
    else if (S_ISREG(status.st_mode))
        compare_bytes(object, folder, name, path);
    if (S_ISLNK(status.st_mode)) {
        length = readlinkat(folder, name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (strcmp(target, object->target))
            differs("%s: it leads to %s, and to %s by the trace", path, target, object->target);
    }
    if (S_ISDIR(status.st_mode))
        compare_folder(names[i].object, openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
}

static void compare_folder(uint32_t number, int fd, const char *path)
{
    DIR *stream = fdopendir(fd);
    struct dirent *item;
    struct stat status;

    if (!stream) {
        differs("%s: %s", path, strerror(errno));
        return;
    }
    while ((item = readdir(stream))) {
        char below[PATH_MAX];

        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
            continue;
        snprintf(below, sizeof below, "%s/%s", path, item->d_name);
        compare_name(number, dirfd(stream), item->d_name, below);
    }
    for (size_t i = 0; i < name_count; i++)
        if (names[i].parent == number && fstatat(dirfd(stream), names[i].text, &status, AT_SYMLINK_NOFOLLOW))
            differs("%s/%s: the trace has it, and the folder has not", path, names[i].text);
    closedir(stream);
}

/* ---- what else is asked ---- */

static int kind_of(const char *text, size_t length)
{
    for (int kind = 1; kind < NV_TRACE_KINDS; kind++)
        if (strlen(kinds[kind]) == length && !strncmp(kinds[kind], text, length))
            return kind;
    return 0;
}

static void check_count(const struct nv_trace *trace, const char *text)
{
    size_t length = strcspn(text, "=>"), wanted = strtoul(text + length + strspn(text + length, "=>"), NULL, 10);
    bool least = text[length] == '>';
    int kind = kind_of(text, length);
    size_t count = 0;

    for (size_t i = 0; i < trace->event_count; i++)
        count += trace->events[i]->kind == kind && !(trace->events[i]->flags & NV_TRACE_INITIAL);
    if (!kind || (least ? count < wanted : count != wanted))
        differs("there are %zu events of the kind, instead of %s", count, text);
}

static void check_promise(const struct nv_trace *trace, const char *text)
{
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i]->kind == NV_TRACE_PROMISE && trace->events[i]->payload_bytes == strlen(text) &&
            !memcmp(nv_trace_payload(trace->events[i]), text, strlen(text)))
            return;
    differs("there is no promise: %s", text);
}

static const struct nv_trace_event *place_of(const struct nv_trace *trace, const struct nv_trace_event *event)
{
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i]->kind == NV_TRACE_PLACE && event->place && trace->events[i]->place == event->place)
            return trace->events[i];
    return NULL;
}

static bool has_function(const struct nv_trace_event *place, const char *function)
{
    const char *line = nv_trace_payload(place), *end = line + place->payload_bytes;

    while (line < end) {
        if (!strncmp(line, function, strlen(function)) && line[strlen(function)] == '\t')
            return true;
        line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
    }
    return false;
}

/* All events of the kind have a stack with that function. */
static void check_stacks(const struct nv_trace *trace, const char *text, const char *function)
{
    int kind = kind_of(text, strlen(text));

    for (size_t i = 0; i < trace->event_count; i++) {
        const struct nv_trace_event *event = trace->events[i], *place = place_of(trace, event);

        if (event->kind != kind || (event->flags & NV_TRACE_INITIAL))
            continue;
        if (!place)
            differs("event %zu, a %s, has no stack", i, text);
        else if (!has_function(place, function))
            differs("event %zu, a %s, is not of %s but of:\n%.*s", i, text, function, (int)place->payload_bytes,
                    (char *)nv_trace_payload(place));
    }
}

/* Writes of "seq N" come in the order of their numbers, up to the last. */
static void check_sequence(const struct nv_trace *trace, int last)
{
    int next = 0, number;
    char text[32];

    for (size_t i = 0; i < trace->event_count; i++) {
        const struct nv_trace_event *event = trace->events[i];

        if (event->kind != NV_TRACE_WRITE || event->payload_bytes >= sizeof text)
            continue;
        snprintf(text, sizeof text, "%.*s", (int)event->payload_bytes, (const char *)nv_trace_payload(event));
        if (sscanf(text, "seq %d", &number) != 1)
            continue;
        if (number != next)
            differs("event %zu writes %d, instead of %d", i, number, next);
        next = number + 1;
    }
    if (next != last)
        differs("%d is the last that was written, instead of %d", next - 1, last - 1);
}

/* The words, up to the end, are kinds: all events of the run but PLACE and END, in their order. */
static void check_order(const struct nv_trace *trace, char **words)
{
    for (size_t i = 0; i < trace->event_count; i++) {
        const struct nv_trace_event *event = trace->events[i];

        if ((event->flags & NV_TRACE_INITIAL) || event->kind == NV_TRACE_PLACE || event->kind == NV_TRACE_END)
            continue;
        if (!*words || strcmp(*words, kinds[event->kind])) {
            differs("event %zu is %s, instead of %s", i, kinds[event->kind], *words ? *words : "none");
            return;
        }
        words++;
    }
    if (*words)
        differs("there is no %s at the end", *words);
}

/* Every sync has a beginning, in its thread. */
static void check_syncs(const struct nv_trace *trace)
{
    for (size_t i = 0; i < trace->event_count; i++) {
        size_t k = i;

        if (trace->events[i]->kind != NV_TRACE_SYNC)
            continue;
        while (k &&
               (trace->events[k]->kind != NV_TRACE_SYNC_BEGIN || trace->events[k]->thread != trace->events[i]->thread))
            k--;
        if (!k)
            differs("event %zu is a sync that did not begin", i);
    }
}

int main(int argc, char **argv)
{
    struct nv_trace *trace;
    char error[512];
    int fd;

    if (argc < 3)
        return 2;
    if (nv_trace_load(argv[1], &trace, error, sizeof error)) {
        fprintf(stderr, "record_check: %s\n", error);
        return 1;
    }
    for (size_t i = 0; i < trace->event_count; i++)
        play(trace->events[i]);
    fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < name_count && fd >= 0; i++)
        if (!names[i].parent && !strcmp(names[i].text, argv[2]))
            compare_folder(names[i].object, fd, argv[2]);
    check_syncs(trace);
    if (fd < 0 && strcmp(argv[2], "-"))
        differs("%s: %s", argv[2], strerror(errno));
    for (int i = 3; i < argc; i++)
        if (!strcmp(argv[i], "PROMISE"))
            check_promise(trace, argv[++i]);
        else if (!strcmp(argv[i], "SEQUENCE"))
            check_sequence(trace, atoi(argv[++i]));
        else if (!strcmp(argv[i], "STACK")) {
            check_stacks(trace, argv[i + 1], argv[i + 2]);
            i += 2;
        } else if (!strcmp(argv[i], "ORDER")) {
            check_order(trace, argv + i + 1);
            break;
        } else
            check_count(trace, argv[i]);
    nv_trace_free(trace);
    return differences ? 1 : 0;
}
