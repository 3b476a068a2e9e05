/* SPDX-License-Identifier: MIT */
/*
 * Ranges that may differ, the writes that are under way, and who else may have a file open. watched.c fills it, and
 * content.c asks it.
 */
#include "supervise/hints.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { RANGES_MAX = 4096, TOLD_MAX = 1 << 16 };
/* Whole blocks. */
#define END_OF_ALL (UINT64_MAX & ~(NV_BLOCK_BYTES - 1))

struct nv_hint {
    int watch; /* inotify's number; negative: not known who may write */
    bool gone; /* it has lost its last name: our descriptor is not to keep its memory */
    struct nv_ranges ranges;
};

/* A write that was told of, and may not be made yet. */
struct under_way {
    pid_t thread;
    struct nv_object *object;
    struct nv_range range;
    bool positionless; /* it begins where the file's position then is */
};

/* The same, not looked at yet. */
struct told {
    pid_t thread;
    uint64_t device, inode;
    struct nv_range range;
};

struct nv_hints {
    int notify;
    bool some_gone;
    uint64_t near_bytes;
    struct nv_object **watched; /* by inotify's numbers */
    size_t watched_count;
    struct under_way *under_way;
    size_t under_way_count, under_way_capacity;
    pthread_mutex_t lock; /* of what was told */
    struct told *told;
    size_t told_count, told_capacity;
};

/* ---- ranges ---- */

/* Room for one more. */
static bool grow(struct nv_ranges *ranges)
{
    size_t capacity = ranges->capacity ? ranges->capacity * 2 : 16;
    struct nv_range *grown;

    if (ranges->count < ranges->capacity)
        return true;
    grown = realloc(ranges->items, capacity * sizeof *grown);
    if (!grown)
        return false;
    ranges->items = grown;
    ranges->capacity = capacity;
    return true;
}

/* The first range that ends at or behind an offset. */
static size_t first_at(const struct nv_ranges *ranges, uint64_t offset)
{
    size_t low = 0, high = ranges->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ranges->items[middle].to < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Too many, or no memory: the next neighbour takes it in, with all between. */
static void take_into_neighbour(struct nv_ranges *ranges, size_t at, uint64_t from, uint64_t to)
{
    if (at < ranges->count)
        ranges->items[at].from = from;
    else
        ranges->items[at - 1].to = to;
}

/* False: no memory for the first one. */
static bool add(struct nv_ranges *ranges, uint64_t from, uint64_t to)
{
    size_t at = first_at(ranges, from), end = at;

    while (end < ranges->count && ranges->items[end].from <= to) {
        from = ranges->items[end].from < from ? ranges->items[end].from : from;
        to = ranges->items[end].to > to ? ranges->items[end].to : to;
        end++;
    }
    if (end > at) {
        ranges->items[at] = (struct nv_range){from, to};
        memmove(ranges->items + at + 1, ranges->items + end, (ranges->count - end) * sizeof *ranges->items);
        ranges->count -= end - at - 1;
        return true;
    }
    if (ranges->count && (ranges->count >= RANGES_MAX || !grow(ranges))) {
        take_into_neighbour(ranges, at, from, to);
        return true;
    }
    if (!grow(ranges))
        return false;
    memmove(ranges->items + at + 1, ranges->items + at, (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = (struct nv_range){from, to};
    ranges->count++;
    return true;
}

static struct nv_range whole_blocks(uint64_t from, uint64_t to)
{
    to = to >= END_OF_ALL ? END_OF_ALL : (to + NV_BLOCK_BYTES - 1) & ~(NV_BLOCK_BYTES - 1);
    return (struct nv_range){from & ~(NV_BLOCK_BYTES - 1), to};
}

/* Without memory there is no telling. */
static void add_to(struct nv_object *object, uint64_t from, uint64_t to)
{
    struct nv_range range = whole_blocks(from, to);

    if (range.from < range.to && !add(&object->hint->ranges, range.from, range.to))
        object->hint->watch = -1;
}

static void take_told(struct nv_image *image);

/* ---- who may write ---- */

int nv_hints_open(struct nv_image *image, uint64_t near_bytes)
{
    struct nv_hints *hints = calloc(1, sizeof *hints);

    if (!hints)
        return -ENOMEM;
    hints->near_bytes = near_bytes;
    pthread_mutex_init(&hints->lock, NULL);
    hints->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (hints->notify < 0) {
        free(hints);
        return -errno;
    }
    image->hints = hints;
    return 0;
}

void nv_hints_close(struct nv_image *image)
{
    for (struct nv_object *object = image->objects; object; object = object->next)
        if (object->hint) {
            free(object->hint->ranges.items);
            free(object->hint);
            object->hint = NULL;
        }
    if (!image->hints)
        return;
    close(image->hints->notify);
    free(image->hints->watched);
    free(image->hints->under_way);
    free(image->hints->told);
    free(image->hints);
    image->hints = NULL;
}

bool nv_hint_is_good(const struct nv_object *object)
{
    return object->hint && object->hint->watch >= 0;
}

void nv_hint_end(struct nv_image *image, struct nv_object *object)
{
    struct nv_hints *hints = image->hints;

    for (size_t i = 0; hints && !object && i < hints->watched_count; i++)
        if (hints->watched[i])
            nv_hint_end(image, hints->watched[i]);
    if (!hints || !object || !nv_hint_is_good(object))
        return;
    (void)inotify_rm_watch(hints->notify, object->hint->watch);
    hints->watched[object->hint->watch] = NULL;
    object->hint->watch = -1;
    object->hint->ranges.count = 0;
}

static bool note_watch(struct nv_hints *hints, int watch, struct nv_object *object)
{
    if ((size_t)watch >= hints->watched_count) {
        size_t count = ((size_t)watch + 64) * 2;
        struct nv_object **grown = realloc(hints->watched, count * sizeof(struct nv_object *));

        if (!grown)
            return false;
        memset(grown + hints->watched_count, 0, (count - hints->watched_count) * sizeof(struct nv_object *));
        hints->watched = grown;
        hints->watched_count = count;
    }
    hints->watched[watch] = object;
    return true;
}

/* From here on every open is told. */
static bool watch(struct nv_hints *hints, struct nv_object *object, int fd)
{
    char path[64];
    int number;

    if (!object->hint && !(object->hint = calloc(1, sizeof *object->hint)))
        return false;
    object->hint->watch = -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    number = inotify_add_watch(hints->notify, path, IN_OPEN | IN_ATTRIB);
    if (number < 0)
        return false;
    if (!note_watch(hints, number, object)) {
        (void)inotify_rm_watch(hints->notify, number);
        return false;
    }
    object->hint->watch = number;
    object->hint->ranges.count = 0;
    return true;
}

static void note_attributes(struct nv_image *image, struct nv_object *object)
{
    struct stat status;

    if (object->view < 0 || fstat(object->view, &status) || status.st_nlink)
        return;
    nv_hint_end(image, object);
    object->hint->gone = image->hints->some_gone = true;
}

static void close_gone(struct nv_image *image)
{
    for (struct nv_object *object = image->objects; object && image->hints->some_gone; object = object->next)
        if (object->hint && object->hint->gone) {
            nv_object_forget_descriptors(image, object);
            object->hint->gone = false;
        }
    image->hints->some_gone = false;
}

static void read_events(struct nv_image *image, const struct nv_object *own)
{
    struct nv_hints *hints = image->hints;
    char buffer[4096] __attribute__((aligned(8)));
    ssize_t got;

    while ((got = read(hints->notify, buffer, sizeof buffer)) > 0)
        for (char *at = buffer; at < buffer + got;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            struct nv_object *object =
                event->wd >= 0 && (size_t)event->wd < hints->watched_count ? hints->watched[event->wd] : NULL;

            if (event->mask & IN_Q_OVERFLOW)
                nv_hint_end(image, NULL);
            else if (object && (event->mask & IN_ATTRIB))
                note_attributes(image, object);
            else if (object && (object != own || !(event->mask & IN_OPEN)))
                nv_hint_end(image, object);
            at += sizeof *event + event->len;
        }
}

void nv_hints_notice(struct nv_image *image)
{
    if (!image->hints)
        return;
    take_told(image);
    read_events(image, NULL);
}

void nv_hints_skip_own(struct nv_image *image, const struct nv_object *object)
{
    if (image->hints)
        read_events(image, object);
}

/*
 * A lease for writing is given to the only one who has the file open, however others have it. Who opens it meanwhile
 * waits until it is given back, and we are sent SIGIO.
 */
static bool is_alone(int own)
{
    struct sigaction before;
    bool alone;

    if (sigaction(SIGIO, &(struct sigaction){.sa_handler = SIG_IGN}, &before))
        return false;
    alone = !fcntl(own, F_SETLEASE, F_WRLCK);
    if (alone)
        (void)fcntl(own, F_SETLEASE, F_UNLCK);
    (void)sigaction(SIGIO, &before, NULL);
    (void)fcntl(own, F_SETOWN, 0); /* the descriptor becomes the program's */
    return alone;
}

/* The view stays open, as any open of ours would be told like another's. */
static bool keep_view(struct nv_image *image, struct nv_object *object, int own)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%d", own);
    nv_hints_notice(image);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    nv_hints_skip_own(image, object);
    if (fd >= 0)
        nv_object_adopt_view(image, object, fd);
    return fd >= 0;
}

bool nv_hint_begin(struct nv_image *image, struct nv_object *object, int own)
{
    if (!image->hints || object->excluded || object->verifier_file)
        return false;
    nv_object_forget_descriptors(image, object);
    if (!watch(image->hints, object, own))
        return false;
    if (!is_alone(own) || !keep_view(image, object, own) || !nv_hint_is_good(object)) {
        nv_hint_end(image, object);
        return false;
    }
    add_to(object, 0, UINT64_MAX);
    return nv_hint_is_good(object);
}

void nv_hints_begin_all(struct nv_image *image)
{
    size_t count = 0;

    for (struct nv_object *object = image->objects; image->hints && object; object = object->next) {
        int view;

        if (!S_ISREG(object->type) || object->excluded || object->folder->upper >= 0 ||
            count >= image->descriptors_max / 4 ||
            object->durable_bytes < (image->hints->near_bytes ? NV_HINT_LARGE_BYTES : 0))
            continue;
        view = nv_object_view(image, object);
        if (view >= 0 && watch(image->hints, object, view))
            count++;
    }
}

/* ---- writes ---- */

void nv_hint_all(struct nv_object *object)
{
    if (nv_hint_is_good(object))
        add_to(object, 0, UINT64_MAX);
}

void nv_hint_add(struct nv_object *object, uint64_t from, uint64_t to)
{
    if (nv_hint_is_good(object))
        add_to(object, from, to);
}

static void note_under_way(struct nv_image *image, const struct under_way *write)
{
    struct nv_hints *hints = image->hints;

    if (hints->under_way_count == hints->under_way_capacity) {
        size_t capacity = hints->under_way_capacity * 2 + 16;
        struct under_way *grown = realloc(hints->under_way, capacity * sizeof *grown);

        if (!grown) {
            nv_hint_end(image, write->object);
            return;
        }
        hints->under_way = grown;
        hints->under_way_capacity = capacity;
    }
    hints->under_way[hints->under_way_count++] = *write;
}

static void pass(struct nv_hints *hints, pid_t thread)
{
    for (size_t i = 0; i < hints->under_way_count;)
        if (hints->under_way[i].thread == thread)
            hints->under_way[i] = hints->under_way[--hints->under_way_count];
        else
            i++;
}

bool nv_hints_tell(struct nv_hints *hints, pid_t thread, uint64_t device, uint64_t inode, uint64_t from, uint64_t to)
{
    bool room = true;

    pthread_mutex_lock(&hints->lock);
    if (hints->told_count == hints->told_capacity) {
        size_t capacity = hints->told_capacity * 2 + 64;
        struct told *grown = capacity > TOLD_MAX ? NULL : realloc(hints->told, capacity * sizeof *grown);

        room = grown != NULL;
        hints->told = room ? grown : hints->told;
        hints->told_capacity = room ? capacity : hints->told_capacity;
    }
    if (room)
        hints->told[hints->told_count++] = (struct told){thread, device, inode, {from, to}};
    pthread_mutex_unlock(&hints->lock);
    return room;
}

/* In the order in which it was told: a thread's next write passes its last. */
static void take_told(struct nv_image *image)
{
    struct nv_hints *hints = image->hints;

    pthread_mutex_lock(&hints->lock);
    for (size_t i = 0; i < hints->told_count; i++) {
        const struct told *told = &hints->told[i];
        struct nv_object *object = nv_image_find(image, told->device, told->inode);

        pass(hints, told->thread);
        if (object)
            nv_hint_write(image, object, told->thread, told->range.from, told->range.to);
    }
    hints->told_count = 0;
    pthread_mutex_unlock(&hints->lock);
}

void nv_hints_passed(struct nv_image *image, pid_t thread)
{
    if (!image->hints)
        return;
    take_told(image);
    read_events(image, NULL);
    close_gone(image);
    pass(image->hints, thread);
}

void nv_hint_write(struct nv_image *image, struct nv_object *object, pid_t thread, uint64_t from, uint64_t to)
{
    if (!nv_hint_is_good(object))
        return;
    add_to(object, from, to);
    note_under_way(image, &(struct under_way){thread, object, {from, to}, false});
}

static uint64_t sum(uint64_t left, uint64_t right)
{
    return left + right < left ? UINT64_MAX : left + right;
}

/* Each of several may come behind all the others. */
void nv_hint_write_on(struct nv_image *image, struct nv_object *object, pid_t thread, uint64_t from, uint64_t length)
{
    struct nv_hints *hints = image->hints;
    uint64_t to = sum(from, length);

    if (!nv_hint_is_good(object))
        return;
    for (size_t i = 0; i < hints->under_way_count; i++) {
        struct under_way *other = &hints->under_way[i];

        if (other->object != object || !other->positionless)
            continue;
        to = sum(to, other->range.to - other->range.from);
        other->range.to = sum(other->range.to, length);
        add_to(object, other->range.from, other->range.to);
    }
    add_to(object, from, to);
    note_under_way(image, &(struct under_way){thread, object, {from, to}, true});
}

/* ---- syncs ---- */

static void add_under_way(const struct nv_hints *hints, struct nv_object *object)
{
    for (size_t i = 0; i < hints->under_way_count; i++)
        if (hints->under_way[i].object == object)
            add_to(object, hints->under_way[i].range.from, hints->under_way[i].range.to);
}

/* Leaves out what lies in [from, to), a range of whole blocks, and adds it to `out` if that is not NULL. */
static int cut_out(struct nv_ranges *ranges, uint64_t from, uint64_t to, struct nv_ranges *out)
{
    struct nv_ranges kept = {0};
    bool enough = true;

    for (size_t i = 0; i < ranges->count && enough; i++) {
        struct nv_range range = ranges->items[i];
        uint64_t inside = range.from > from ? range.from : from, end = range.to < to ? range.to : to;

        if (inside >= end) {
            enough = add(&kept, range.from, range.to);
            continue;
        }
        if (range.from < inside)
            enough = add(&kept, range.from, inside);
        if (enough && range.to > end)
            enough = add(&kept, end, range.to);
        if (enough && out)
            enough = add(out, inside, end);
    }
    if (!enough) {
        free(kept.items);
        return -ENOMEM;
    }
    free(ranges->items);
    *ranges = kept;
    return 0;
}

int nv_hint_take(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to, struct nv_ranges *taken)
{
    struct nv_range range = whole_blocks(from, to);
    uint64_t near = whole_blocks(0, 2 * image->hints->near_bytes).to;
    int status;

    *taken = (struct nv_ranges){0};
    status = cut_out(&object->hint->ranges, range.from, range.to, taken);
    if (!status && range.from < near && !add(taken, range.from, range.to < near ? range.to : near))
        status = -ENOMEM;
    if (status) {
        nv_hint_give_back(object, taken);
        free(taken->items);
        *taken = (struct nv_ranges){0};
        return status;
    }
    add_under_way(image->hints, object);
    return 0;
}

void nv_hint_give_back(struct nv_object *object, const struct nv_ranges *taken)
{
    for (size_t i = 0; i < taken->count && nv_hint_is_good(object); i++)
        add_to(object, taken->items[i].from, taken->items[i].to);
}

void nv_hint_is_equal(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to)
{
    struct nv_range range = whole_blocks(from, to);

    if (!nv_hint_is_good(object))
        return;
    (void)cut_out(&object->hint->ranges, range.from, range.to, NULL);
    add_under_way(image->hints, object);
}

bool nv_hint_covers(const struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to)
{
    const struct nv_ranges *ranges = &object->hint->ranges;

    if (from < 2 * image->hints->near_bytes)
        from = 2 * image->hints->near_bytes;
    for (size_t i = first_at(ranges, from + 1); from < to && i < ranges->count && ranges->items[i].from <= from; i++)
        from = ranges->items[i].to;
    return from >= to;
}
