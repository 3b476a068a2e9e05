/* SPDX-License-Identifier: MIT */
/* Goes through a trace once, with the names and kinds of its objects as they were then. The loader calls it. */
#include "trace/check.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FLAGS_ALL 0xffu
#define PATH_BYTES_MAX 4096u

struct object {
    uint32_t mode;     /* 0: it was not created yet */
    uint32_t parent;   /* of a folder with a name */
    uint32_t children; /* of a folder */
    uint32_t names;
    bool root;
};

struct name {
    struct name *next;
    const char *text;
    uint32_t parent, object;
};

struct check {
    const struct nv_trace *trace;
    const struct nv_trace_event *event;
    struct object *objects;
    struct name **buckets;
    size_t bucket_count;
    size_t object_count;
};

/* NULL, or what is wrong with the event. */
typedef const char *checker(struct check *check);

static const char out_of_memory[] = "out of memory";

/* ---- objects and names ---- */

static struct object *object_of(struct check *check, uint32_t number)
{
    return number && number < check->object_count && check->objects[number].mode ? &check->objects[number] : NULL;
}

static struct object *folder_of(struct check *check, uint32_t number)
{
    struct object *folder = object_of(check, number);

    return folder && S_ISDIR(folder->mode) && (folder->root || folder->names) ? folder : NULL;
}

static struct name **find(struct check *check, uint32_t parent, const char *text)
{
    uint64_t hash = parent;
    struct name **link;

    for (const char *at = text; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    hash ^= hash >> 32;
    for (link = &check->buckets[hash % check->bucket_count]; *link; link = &(*link)->next)
        if ((*link)->parent == parent && !strcmp((*link)->text, text))
            break;
    return link;
}

static const char *add_name(struct check *check, uint32_t parent, const char *text, uint32_t number)
{
    struct name **link = find(check, parent, text), *name;
    struct object *object = &check->objects[number];

    if (*link)
        return "that name is taken";
    if (S_ISDIR(object->mode) && object->names)
        return "a folder has one name alone";
    name = malloc(sizeof *name);
    if (!name)
        return out_of_memory;
    *name = (struct name){.text = text, .parent = parent, .object = number};
    *link = name;
    object->names++;
    object->parent = S_ISDIR(object->mode) ? parent : 0;
    check->objects[parent].children++;
    return NULL;
}

static void remove_name(struct check *check, struct name **link)
{
    struct name *name = *link;

    check->objects[name->object].names--;
    check->objects[name->parent].children--;
    *link = name->next;
    free(name);
}

/* Whether the folder is this one or lies below it. */
static bool lies_below(const struct check *check, uint32_t folder, uint32_t above)
{
    if (!S_ISDIR(check->objects[above].mode))
        return false;
    while (folder && folder != above)
        folder = check->objects[folder].parent;
    return folder == above;
}

/* ---- payloads ---- */

/* The text at *at, which moves behind it. NULL: it does not end. */
static const char *next_text(const struct check *check, size_t *at)
{
    const char *text = (const char *)nv_trace_payload(check->event) + *at;
    size_t room = check->event->payload_bytes - *at, length = strnlen(text, room);

    *at += length + 1;
    return length < room ? text : NULL;
}

static bool is_name(const char *text)
{
    return text && *text && strlen(text) <= NAME_MAX && !strchr(text, '/') && strcmp(text, ".") && strcmp(text, "..");
}

/* A name alone. NULL: it is none. */
static const char *only_name(const struct check *check)
{
    size_t at = 0;
    const char *name = next_text(check, &at);

    return is_name(name) && at == check->event->payload_bytes ? name : NULL;
}

static bool range_fits(uint64_t offset, uint64_t length)
{
    return offset <= NV_TRACE_SIZE_MAX && length <= NV_TRACE_SIZE_MAX - offset;
}

static struct object *file_of(struct check *check)
{
    struct object *object = object_of(check, check->event->object);

    return object && S_ISREG(object->mode) ? object : NULL;
}

/* ---- names ---- */

static const char *check_create(struct check *check)
{
    const struct nv_trace_event *event = check->event;
    uint32_t mode = (uint32_t)event->offset, type = mode & S_IFMT;
    size_t at = 0;
    const char *name = next_text(check, &at);
    const char *target = S_ISLNK(mode) ? next_text(check, &at) : "-";

    if (!event->object || event->object >= check->object_count || check->objects[event->object].mode)
        return "its object is there already, or out of bounds";
    if (event->offset > (S_IFMT | 07777u) || !type)
        return "its mode is none";
    if (!name || !target || !*target || at != event->payload_bytes || strlen(target) >= PATH_BYTES_MAX)
        return "its name is none";
    check->objects[event->object] = (struct object){.mode = mode};
    if (!event->parent && S_ISDIR(mode)) {
        check->objects[event->object].root = true;
        return *name == '/' && strlen(name) < PATH_BYTES_MAX ? NULL : "a folder at stake has an absolute path";
    }
    if (!event->parent)
        return *name ? "a file without a folder has no name" : NULL;
    if (!folder_of(check, event->parent) || !is_name(name))
        return "its name is none";
    return add_name(check, event->parent, name, event->object);
}

static const char *check_link(struct check *check)
{
    const char *name = only_name(check);
    struct object *object = object_of(check, check->event->object);

    if (!object || S_ISDIR(object->mode) || !folder_of(check, check->event->parent) || !name)
        return "its object, folder or name is none";
    return add_name(check, check->event->parent, name, check->event->object);
}

static const char *check_unlink(struct check *check)
{
    const char *name = only_name(check);
    struct name **link = name ? find(check, check->event->parent, name) : NULL;

    if (!link || !*link || (*link)->object != check->event->object)
        return "there is no such name";
    if (check->objects[check->event->object].children)
        return "the folder is not empty";
    remove_name(check, link);
    return NULL;
}

static const char *check_exchange(struct check *check, struct name *from, struct name *to)
{
    uint32_t object = from->object;

    if (!to || to->object == object)
        return "there is nothing to exchange it with";
    if (lies_below(check, to->parent, object) || lies_below(check, from->parent, to->object))
        return "a folder would lie in itself";
    from->object = to->object;
    to->object = object;
    if (S_ISDIR(check->objects[object].mode))
        check->objects[object].parent = to->parent;
    if (S_ISDIR(check->objects[from->object].mode))
        check->objects[from->object].parent = from->parent;
    return NULL;
}

static const char *check_replaced(struct check *check, struct name **to, uint32_t by)
{
    struct object *replaced = &check->objects[(*to)->object];

    if ((*to)->object == by)
        return "both names are of one file";
    if (!S_ISDIR(replaced->mode) != !S_ISDIR(check->objects[by].mode))
        return "a folder replaces no file, nor a file a folder";
    if (replaced->children)
        return "the folder that it replaces is not empty";
    remove_name(check, to);
    return NULL;
}

static const char *check_rename(struct check *check)
{
    const struct nv_trace_event *event = check->event;
    size_t at = 0;
    const char *old_name = next_text(check, &at), *new_name = old_name ? next_text(check, &at) : NULL, *wrong = NULL;
    struct name **from, **to;

    if (!is_name(old_name) || !is_name(new_name) || at != event->payload_bytes || !folder_of(check, event->other))
        return "its folder or name is none";
    from = find(check, event->parent, old_name);
    to = find(check, event->other, new_name);
    if (!*from || (*from)->object != event->object)
        return "there is no such name";
    if (event->flags & NV_TRACE_EXCHANGED)
        return check_exchange(check, *from, *to);
    if (lies_below(check, event->other, event->object))
        return "a folder would lie in itself";
    if (*to)
        wrong = check_replaced(check, to, event->object);
    if (wrong)
        return wrong;
    remove_name(check, find(check, event->parent, old_name));
    return add_name(check, event->other, new_name, event->object);
}

static const char *check_mode(struct check *check)
{
    struct object *object = object_of(check, check->event->object);

    if (!object || check->event->offset > (S_IFMT | 07777u) ||
        (check->event->offset & S_IFMT) != (object->mode & S_IFMT))
        return "its object or mode is none";
    return NULL;
}

/* ---- contents ---- */

static const char *check_bytes(struct check *check)
{
    if (!file_of(check) || !range_fits(check->event->offset, check->event->payload_bytes))
        return "it is of no file, or behind any end";
    return NULL;
}

static const char *check_range(struct check *check)
{
    if (!file_of(check) || !range_fits(check->event->offset, check->event->length))
        return "it is of no file, or behind any end";
    return NULL;
}

static const char *check_size(struct check *check)
{
    return file_of(check) && check->event->length <= NV_TRACE_SIZE_MAX ? NULL : "it is of no file, or too large";
}

static const char *check_drain(struct check *check)
{
    return !check->event->object || file_of(check) ? NULL : "it is of no file";
}

static const char *check_sync(struct check *check)
{
    const struct nv_trace_event *event = check->event;

    if (event->object && !object_of(check, event->object))
        return "its object is none";
    if (event->length != UINT64_MAX && !range_fits(event->offset, event->length))
        return "it is behind any end";
    return event->offset <= NV_TRACE_SIZE_MAX ? NULL : "it is behind any end";
}

/* ---- others ---- */

static const char *check_nothing(struct check *check)
{
    (void)check;
    return NULL;
}

static const char *check_promise(struct check *check)
{
    const char *text = nv_trace_payload(check->event);
    size_t length = check->event->payload_bytes;

    return memchr(text, 0, length) || memchr(text, '\n', length) ? "it is no line" : NULL;
}

static const char *check_place(struct check *check)
{
    const char *text = nv_trace_payload(check->event);
    size_t length = check->event->payload_bytes;

    if (!check->event->place || memchr(text, 0, length))
        return "it is no stack";
    return !length || text[length - 1] == '\n' ? NULL : "it is no stack";
}

static const char *check_end(struct check *check)
{
    const char *text = nv_trace_payload(check->event);

    return !check->event->payload_bytes || !text[check->event->payload_bytes - 1] ? NULL : "its last word does not end";
}

static checker *const checkers[NV_TRACE_KINDS] = {
    [NV_TRACE_CREATE] = check_create, [NV_TRACE_LINK] = check_link,       [NV_TRACE_UNLINK] = check_unlink,
    [NV_TRACE_RENAME] = check_rename, [NV_TRACE_MODE] = check_mode,       [NV_TRACE_WRITE] = check_bytes,
    [NV_TRACE_ZERO] = check_range,    [NV_TRACE_SIZE] = check_size,       [NV_TRACE_MAP] = check_range,
    [NV_TRACE_UNMAP] = check_range,   [NV_TRACE_STORE] = check_bytes,     [NV_TRACE_CHANGED] = check_bytes,
    [NV_TRACE_FLUSH] = check_range,   [NV_TRACE_DRAIN] = check_drain,     [NV_TRACE_SYNC_BEGIN] = check_nothing,
    [NV_TRACE_SYNC] = check_sync,     [NV_TRACE_PROMISE] = check_promise, [NV_TRACE_PLACE] = check_place,
    [NV_TRACE_END] = check_end,
};

static const char *check_event(struct check *check)
{
    const struct nv_trace_event *event = check->event;

    if (!event->kind || event->kind >= NV_TRACE_KINDS)
        return "there is no such kind";
    if (event->flags & ~FLAGS_ALL)
        return "there are no such flags";
    return checkers[event->kind](check);
}

static int check_all(struct check *check, char *error, size_t error_bytes)
{
    for (size_t i = 0; i < check->trace->event_count; i++) {
        const char *wrong;

        check->event = check->trace->events[i];
        wrong = check_event(check);
        if (wrong == out_of_memory)
            return -ENOMEM;
        if (wrong) {
            snprintf(error, error_bytes, "event %zu, of kind %u, is wrong: %s", i, check->event->kind, wrong);
            return -EINVAL;
        }
    }
    return 0;
}

static void free_names(struct check *check)
{
    for (size_t i = 0; check->buckets && i < check->bucket_count; i++)
        for (struct name *name = check->buckets[i], *next; name; name = next) {
            next = name->next;
            free(name);
        }
    free(check->buckets);
}

int nv_trace_check(const struct nv_trace *trace, char *error, size_t error_bytes)
{
    struct check check = {.trace = trace, .object_count = trace->event_count + 1, .bucket_count = 1};
    int status = -ENOMEM;

    while (check.bucket_count < trace->event_count && check.bucket_count < 1 << 20)
        check.bucket_count *= 2;
    check.objects = calloc(check.object_count, sizeof *check.objects);
    check.buckets = calloc(check.bucket_count, sizeof(struct name *));
    if (check.objects && check.buckets)
        status = check_all(&check, error, error_bytes);
    free_names(&check);
    free(check.objects);
    return status;
}
