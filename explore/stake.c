/* SPDX-License-Identifier: MIT */
/* One pass over the events, with the names that folders have by then. */
#include "explore/stake.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place { /* where an object lies: its last name */
    uint32_t parent;
    uint32_t root; /* 1 + the number of the folder at stake that it is; 0: it is none */
    const char *name;
};

struct search {
    struct nv_stake *stake;
    char *const *globs;
    struct place *places;
    uint32_t *modes;
    bool several; /* files */
};

/* -- paths -- */

/* Below its folder at stake; false: of no such folder, or too long. */
static bool path_of(const struct search *search, uint32_t parent, const char *name, char *path, uint32_t *folder)
{
    char *at = path + PATH_MAX - 1;
    *at = '\0';
    for (size_t depth = 0; depth < search->stake->object_count; depth++) {
        size_t length = strlen(name);
        if (length + 1 > (size_t)(at - path) || parent >= search->stake->object_count)
            return false;
        at -= length;
        memcpy(at, name, length);
        const struct place *place = &search->places[parent];
        if (place->root) {
            *folder = place->root - 1;
            memmove(path, at, strlen(at) + 1);
            return true;
        }
        if (!place->name)
            return false;
        *--at = '/';
        name = place->name;
        parent = place->parent;
    }
    return false;
}

static bool matches(char *const *globs, const char *path)
{
    const char *slash = strrchr(path, '/');
    for (; *globs; globs++)
        if (!fnmatch(*globs, path, 0) || !fnmatch(*globs, slash ? slash + 1 : path, 0))
            return true;
    return false;
}

static int note_file(struct search *search, uint32_t parent, const char *name)
{
    struct nv_stake *stake = search->stake;
    char path[PATH_MAX];
    uint32_t folder;
    if (search->several || !path_of(search, parent, name, path, &folder) ||
        (*search->globs && !matches(search->globs, path)))
        return 0;
    if (!stake->file_path) {
        stake->file_path = strdup(path);
        stake->file_folder = folder;
        return stake->file_path ? 0 : -ENOMEM;
    }
    search->several = folder != stake->file_folder || strcmp(path, stake->file_path) != 0;
    return 0;
}

static int note_name(struct search *search, uint32_t object, uint32_t parent, const char *name)
{
    if (object >= search->stake->object_count)
        return 0;
    search->places[object].parent = parent;
    search->places[object].name = name;
    return S_ISREG(search->modes[object]) ? note_file(search, parent, name) : 0;
}

/* -- events -- */

static int on_root(struct search *search, const struct nv_trace_event *event, const char *path)
{
    struct nv_stake *stake = search->stake;
    char **grown = reallocarray(stake->folders, stake->folder_count + 2, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    stake->folders = grown;
    grown[stake->folder_count] = strdup(path);
    grown[stake->folder_count + 1] = NULL;
    if (!grown[stake->folder_count])
        return -ENOMEM;
    search->places[event->object].root = (uint32_t)++stake->folder_count;
    return 0;
}

static int on_create(struct search *search, const struct nv_trace_event *event)
{
    const char *name = nv_trace_payload(event);
    if (event->object >= search->stake->object_count)
        return 0;
    search->modes[event->object] = (uint32_t)event->offset;
    if (event->parent)
        return note_name(search, event->object, event->parent, name);
    return S_ISDIR(event->offset) && *name ? on_root(search, event, name) : 0;
}

static int on_rename(struct search *search, const struct nv_trace_event *event)
{
    const char *old_name = nv_trace_payload(event), *new_name = old_name + strlen(old_name) + 1;
    return note_name(search, event->object, event->other, new_name);
}

static void on_map(struct nv_stake_object *object, const struct nv_trace_event *event)
{
    uint64_t end = event->offset + event->length;
    if (event->address < event->offset || end < object->mapped_bytes)
        return;
    object->address = event->address - event->offset;
    object->mapped_bytes = end;
}

static int on_end(struct nv_stake *stake, const struct nv_trace_event *event)
{
    const char *word = nv_trace_payload(event), *end = word + event->payload_bytes;
    size_t count = 0;
    stake->exit_status = (int)event->length;
    if (stake->program)
        return 0;
    stake->program = calloc(event->payload_bytes + 1, sizeof *stake->program);
    if (!stake->program)
        return -ENOMEM;
    for (; word < end; word += strlen(word) + 1) {
        stake->program[count] = strndup(word, (size_t)(end - word));
        if (!stake->program[count++])
            return -ENOMEM;
    }
    return 0;
}

static void reach(const struct search *search, const struct nv_trace_event *event, uint64_t end)
{
    if (event->object < search->stake->object_count && end > search->stake->objects[event->object].extent_bytes)
        search->stake->objects[event->object].extent_bytes = end;
}

static int take(struct search *search, const struct nv_trace_event *event)
{
    struct nv_stake *stake = search->stake;
    switch (event->kind) {
    case NV_TRACE_CREATE:
        return on_create(search, event);
    case NV_TRACE_LINK:
        return note_name(search, event->object, event->parent, nv_trace_payload(event));
    case NV_TRACE_RENAME:
        return on_rename(search, event);
    case NV_TRACE_SIZE:
        reach(search, event, event->length);
        return 0;
    case NV_TRACE_STORE:
    case NV_TRACE_CHANGED:
        *(event->kind == NV_TRACE_STORE ? &stake->stores : &stake->pages) = true;
        reach(search, event, event->offset + event->payload_bytes);
        return 0;
    case NV_TRACE_WRITE:
        reach(search, event, event->offset + event->payload_bytes);
        return 0;
    case NV_TRACE_MAP:
        if (event->object < stake->object_count)
            on_map(&stake->objects[event->object], event);
        return 0;
    case NV_TRACE_PLACE:
        stake->places[event->place] = event;
        return 0;
    case NV_TRACE_END:
        return on_end(stake, event);
    default:
        return 0;
    }
}

static void count_numbers(struct nv_stake *stake, const struct nv_trace *trace)
{
    for (size_t i = 0; i < trace->event_count; i++) {
        const struct nv_trace_event *event = trace->events[i];
        if (event->object >= stake->object_count)
            stake->object_count = (size_t)event->object + 1;
        if (event->kind == NV_TRACE_PLACE && event->place >= stake->place_count)
            stake->place_count = (size_t)event->place + 1;
    }
}

int nv_stake_find(struct nv_stake *stake, const struct nv_trace *trace, char *const *globs)
{
    struct search search = {.stake = stake, .globs = globs};
    *stake = (struct nv_stake){.here = getcwd(NULL, 0)};
    count_numbers(stake, trace);
    stake->objects = calloc(stake->object_count + 1, sizeof *stake->objects);
    stake->places = calloc(stake->place_count + 1, sizeof *stake->places);
    stake->folders = calloc(1, sizeof *stake->folders);
    search.places = calloc(stake->object_count + 1, sizeof *search.places);
    search.modes = calloc(stake->object_count + 1, sizeof *search.modes);
    bool ok = stake->objects && stake->places && stake->folders && search.places && search.modes;
    int error = ok ? 0 : -ENOMEM;
    for (size_t i = 0; !error && i < trace->event_count; i++)
        error = take(&search, trace->events[i]);
    if (search.several) {
        free(stake->file_path);
        stake->file_path = NULL;
    }
    free(search.places);
    free(search.modes);
    if (error)
        nv_stake_free(stake);
    return error;
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
}

void nv_stake_free(struct nv_stake *stake)
{
    free_texts(stake->folders);
    free_texts(stake->program);
    free(stake->here);
    free(stake->file_path);
    free(stake->objects);
    free(stake->places);
    *stake = (struct nv_stake){0};
}
