/* SPDX-License-Identifier: MIT */
/*
 * Judging, when the run is over: every difference between the view and the durable image is a finding, unless it is not
 * meant to be durable. nv_run calls it once, before the view is brought into the files.
 */
#include "nvrtl/nvm.h"
#include "report/report.h"
#include "src/nvm/seam.h"
#include "supervise/ignored.h"
#include "supervise/lines.h"
#include "supervise/record.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 64, KIND_BUCKETS = 4096 };

/* Ranges of one file that are alike: one finding. */
struct kind {
    enum nv_rule rule;
    uint16_t write_place, flush_place;
    uint64_t offset, length, total, count;
    struct kind *next;                /* in its bucket */
    const struct nv_finding *finding; /* that tells of it */
    size_t sample_bytes;
    uint8_t view[NV_SAMPLE_BYTES_MAX], durable[NV_SAMPLE_BYTES_MAX];
};

struct file_judgement {
    struct nv_supervisor *supervisor;
    struct nv_object *object;
    struct kind *buckets[KIND_BUCKETS];
    struct kind *last; /* that the range before belonged to */
    uint64_t last_end;
    bool differs;
    struct nv_ignored ignored;
    struct nv_report_map *map; /* NULL: none is wanted */
};

char *nv_judge_shown_path(const struct nv_folder *folder, const char *relative)
{
    char here[PATH_MAX], *path;
    size_t length;

    if (asprintf(&path, "%s/%s", folder->path, relative) < 0)
        return NULL;
    if (!getcwd(here, sizeof here))
        return path;
    length = strlen(here);
    if (!strncmp(path, here, length) && path[length] == '/')
        memmove(path, path + length + 1, strlen(path + length + 1) + 1);
    return path;
}

static bool at_stake(const struct nv_supervisor *supervisor, const char *relative)
{
    char **glob = supervisor->options->file_globs;
    const char *name = strrchr(relative, '/');

    if (!glob || !*glob)
        return true;
    for (; *glob; glob++)
        if (!fnmatch(*glob, relative, 0) || !fnmatch(*glob, name ? name + 1 : relative, 0))
            return true;
    return false;
}

/* ---- places in the code ---- */

bool nv_judge_place(struct nv_stack *stack, const struct nv_ledger *ledger, uint32_t number)
{
    const struct nv_ledger_place *place = &ledger->place[number % NV_LEDGER_PLACES];

    if (!number || !atomic_load(&place->ready))
        return true;
    for (uint32_t i = 0; i < place->count && i < NV_LEDGER_FRAMES; i++) {
        uint32_t module = place->frames[i].module;
        bool known = module < NV_LEDGER_MODULES && atomic_load(&ledger->module[module].ready);

        if (!nv_stack_push(stack, known ? ledger->module[module].path : "?", place->frames[i].offset))
            return false;
    }
    return true;
}

/* ---- contents ---- */

static bool is_durable(const struct nv_object *object)
{
    return object->names || object->nameless;
}

static const struct nv_line_record *record_of(const struct nv_object *object, uint64_t offset)
{
    uint64_t at = offset / LINE * sizeof(struct nv_line_record);

    return object->lines && at < object->lines_bytes ? &object->lines[offset / LINE] : NULL;
}

/*
 * What is wrong with one line that differs, and who wrote and flushed it last. `line` is NULL behind the end of the
 * file.
 */
static struct kind classify(const struct nv_object *object, uint64_t offset, const uint8_t *line)
{
    const struct nv_line_record *record = line ? record_of(object, offset) : NULL;
    struct kind kind = {.rule = NV_RULE_NOT_FLUSHED};

    if (nv_content_was_synced(object, offset))
        kind.rule = NV_RULE_CHANGED_AFTER_FLUSH;
    if (!record)
        return kind;
    kind.write_place = atomic_load(&record->write_place);
    kind.flush_place = atomic_load(&record->flush_place);
    if (!atomic_load(&record->flushes))
        return kind;
    kind.rule = NV_RULE_CHANGED_AFTER_FLUSH;
    if (atomic_load(&record->flushes) != atomic_load(&record->committed) &&
        nv_line_hash(line) == atomic_load(&record->hash))
        kind.rule = NV_RULE_NOT_DRAINED;
    return kind;
}

/* The program was told, gave up and said so: what it lost is no mistake of its own. */
static bool is_excused(const struct nv_supervisor *supervisor, const struct nv_object *object)
{
    return object->sync_failed && !object->trusted && supervisor->status;
}

/* Whether a failed sync or drain is why this line differs. */
static bool was_lost(struct nv_object *object, uint64_t offset, const struct kind *kind)
{
    return (object->drain_failed && kind->rule == NV_RULE_NOT_DRAINED) || nv_lost_still(object, offset);
}

static bool alike(const struct kind *left, const struct kind *right)
{
    return left->rule == right->rule && left->write_place == right->write_place &&
           left->flush_place == right->flush_place;
}

/* The kind that the range belongs to, made when it is the first; NULL: no memory. */
static struct kind *find_kind(struct file_judgement *file, const struct kind *wanted)
{
    size_t bucket = ((size_t)wanted->write_place * 31 + wanted->flush_place * 7u + wanted->rule) % KIND_BUCKETS;
    struct kind *kind = file->last;

    if (kind && alike(kind, wanted))
        return kind;
    for (kind = file->buckets[bucket]; kind && !alike(kind, wanted);)
        kind = kind->next;
    if (kind || !(kind = malloc(sizeof *kind)))
        return kind;
    *kind = *wanted;
    kind->next = file->buckets[bucket];
    file->buckets[bucket] = kind;
    return kind;
}

/* The first bytes of the first range, as both images have them. */
static void take_sample(struct kind *kind, const uint8_t *view, const uint8_t *durable, uint64_t length)
{
    size_t room = NV_SAMPLE_BYTES_MAX - kind->sample_bytes, bytes = length < room ? (size_t)length : room;

    memcpy(kind->view + kind->sample_bytes, view, bytes);
    memcpy(kind->durable + kind->sample_bytes, durable, bytes);
    kind->sample_bytes += bytes;
}

/* To the map; `kind` NULL: it is not meant to be durable. A file without anything durable is told of as a whole. */
static int map_line(const struct file_judgement *file, uint64_t from, uint64_t to, const struct kind *kind)
{
    struct nv_map_range range = {.offset = from, .length_bytes = to - from, .state = NV_MAP_IGNORED, .finding = kind};

    if (!file->map || !is_durable(file->object))
        return 0;
    if (kind)
        range.state = kind->rule == NV_RULE_NOT_DRAINED ? NV_MAP_IN_FLIGHT : NV_MAP_DIRTY;
    return nv_map_add(file->map, &range) ? 0 : -ENOMEM;
}

/* A range of a kind; it goes on from the one before where that was alike. NULL: no memory. */
static struct kind *note_range(struct file_judgement *file, const struct kind *wanted, uint64_t from, uint64_t to)
{
    struct kind *kind = find_kind(file, wanted);

    if (!kind)
        return NULL;
    if (kind != file->last || file->last_end != from)
        kind->count++;
    if (!kind->total)
        kind->offset = from;
    if (kind->count == 1)
        kind->length += to - from;
    kind->total += to - from;
    file->last = kind;
    file->last_end = to;
    return kind;
}

/* What differs in one line: [from, to). */
static int judge_line(struct file_judgement *file, uint64_t from, uint64_t to, const uint8_t *view,
                      const uint8_t *durable, const uint8_t *whole_line)
{
    struct kind wanted = classify(file->object, from, view ? whole_line : NULL), *kind;
    uint64_t begin = from, end = to;

    if (!nv_ignored_trim(&file->ignored, wanted.rule, &from, &to, view, durable))
        return map_line(file, begin, end, NULL);
    view = view ? view + (from - begin) : NULL;
    durable = durable ? durable + (from - begin) : NULL;
    if (was_lost(file->object, from, &wanted)) {
        if (is_excused(file->supervisor, file->object))
            return map_line(file, from, to, NULL);
        wanted.rule = NV_RULE_FLUSH_ERROR_IGNORED;
    }
    kind = note_range(file, &wanted, from, to);
    if (!kind)
        return -ENOMEM;
    if (kind->count == 1 && view)
        take_sample(kind, view, durable, to - from);
    return map_line(file, from, to, kind);
}

/* Bytes of a line that were stored, and that no flush has named: are they durable all the same? */
static int judge_unnamed(void *context, uint64_t offset, uint64_t bytes)
{
    struct file_judgement *file = context;
    const struct nv_line_record *record = record_of(file->object, offset);
    struct kind wanted = {.rule = NV_RULE_NEIGHBOUR_FLUSH};
    uint8_t view[LINE], durable[LINE];
    uint64_t from = offset + (unsigned)__builtin_ctzll(bytes), to = offset + LINE - (unsigned)__builtin_clzll(bytes);

    if (!record || !atomic_load(&record->flushes) ||
        !nv_ignored_trim(&file->ignored, wanted.rule, &from, &to, NULL, NULL) ||
        pread(file->object->view, view, LINE, (off_t)offset) != LINE ||
        pread(file->object->durable, durable, LINE, (off_t)offset) != LINE || memcmp(view, durable, LINE) != 0)
        return 0;
    wanted.write_place = atomic_load(&record->write_place);
    wanted.flush_place = atomic_load(&record->flush_place);
    return note_range(file, &wanted, from, to) ? 0 : -ENOMEM;
}

/* Where a page is flushed as a whole, there are no neighbours by chance. */
static int judge_neighbours(struct file_judgement *file)
{
    const struct nv_ledger *ledger = file->supervisor->ledger;

    if (!atomic_load(&ledger->stores) || ledger->domain != NvrtlDomainCpuCache || !is_durable(file->object))
        return 0;
    return nv_lines_each_unnamed(file->object, judge_unnamed, file);
}

/* Lines that differ, without the equal bytes at both ends. */
static int judge_run(void *context, uint64_t offset, uint64_t length, const uint8_t *view, const uint8_t *durable)
{
    struct file_judgement *file = context;
    uint64_t from = 0, to = length;

    file->differs = true;
    while (view && view[from] == durable[from])
        from++;
    while (view && view[to - 1] == durable[to - 1])
        to--;
    while (from < to) {
        uint64_t line = from & ~(uint64_t)(LINE - 1), end = line + LINE < to && view ? line + LINE : to;
        bool whole = line + LINE <= length;

        int status = judge_line(file, offset + from, offset + end, view ? view + from : NULL,
                                durable ? durable + from : NULL, view && whole ? view + line : NULL);

        if (status)
            return status;
        from = end;
    }
    return 0;
}

static const char *const messages[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = "it was written and never made durable: no flush or sync has covered it since it changed",
    [NV_RULE_NOT_DRAINED] = "it was flushed, but no drain has completed the flush",
    [NV_RULE_CHANGED_AFTER_FLUSH] = "it was made durable, or flushed, and changed again afterwards",
    [NV_RULE_NEIGHBOUR_FLUSH] = "it is durable, but no flush has named it: something else on its line was flushed",
    [NV_RULE_FLUSH_ERROR_IGNORED] = "a sync or drain of it failed, and the program went on: what it should have "
                                    "written was lost then, and no later one brings it back",
};

static const char *const token_advice[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = "flush it with RtlFlushNonVolatileMemory, or write it with WRITE_NV_MEMORY_FLAG_PERSIST",
    [NV_RULE_NOT_DRAINED] = "call RtlDrainNonVolatileFlush in the thread that flushed, before relying on it",
    [NV_RULE_CHANGED_AFTER_FLUSH] = "flush it again after the last write, or move the flush behind that write",
    [NV_RULE_NEIGHBOUR_FLUSH] = "flush these bytes, too: another layout, or an earlier flush, would lose them",
    [NV_RULE_FLUSH_ERROR_IGNORED] = "check the status of every flush and drain; after a failure write the data again, "
                                    "call NvrtlForgetFailure, and flush, or give up",
};

static const char *const libpmem_advice[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = "call pmem_persist on it after the last store, or store it with pmem_memcpy_persist",
    [NV_RULE_NOT_DRAINED] = "call pmem_drain in the thread that flushed, before relying on it",
};

static const char file_advice[] =
    "call fsync or fdatasync on it, or msync(MS_SYNC) on its mapping, after the last write";
static const char failed_advice[] = "check the result of every sync; after a failure write the data again, or give up";

static const char *advice_for(const struct nv_ledger *ledger, const struct nv_object *object, enum nv_rule rule)
{
    if (object->lines && atomic_load(&ledger->libpmem) && libpmem_advice[rule])
        return libpmem_advice[rule];
    if (object->lines)
        return token_advice[rule];
    return rule == NV_RULE_FLUSH_ERROR_IGNORED ? failed_advice : file_advice;
}

static int report_kind(struct nv_supervisor *supervisor, const struct nv_object *object, const char *path,
                       struct kind *kind)
{
    struct nv_finding *finding = nv_finding_new(kind->rule, nv_rule_words(kind->rule)->severity);

    if (!finding)
        return -ENOMEM;
    finding->file = strdup(path);
    finding->offset = kind->offset;
    finding->length_bytes = kind->length;
    finding->total_bytes = kind->total;
    finding->count = kind->count;
    if (is_durable(object) || kind->rule == NV_RULE_FLUSH_ERROR_IGNORED)
        finding->message = strdup(messages[kind->rule]);
    else
        finding->message = strdup("the file was written and never made durable: neither its content nor its name");
    finding->advice = strdup(advice_for(supervisor->ledger, object, kind->rule));
    finding->sample_bytes = kind->sample_bytes;
    memcpy(finding->view, kind->view, kind->sample_bytes);
    memcpy(finding->durable, kind->durable, kind->sample_bytes);
    if (!finding->file || !finding->message || !finding->advice ||
        !nv_judge_place(&finding->write_stack, supervisor->ledger, kind->write_place) ||
        !nv_judge_place(&finding->flush_stack, supervisor->ledger, kind->flush_place)) {
        nv_finding_free(finding);
        return -ENOMEM;
    }
    kind->finding = nv_report_take(supervisor->report, finding);
    return kind->finding ? 0 : -ENOMEM;
}

/* Of a file that has nothing durable at all, every byte is missing, the zeros too. */
static int report_whole(struct nv_supervisor *supervisor, const struct file_judgement *file, const char *path)
{
    struct kind whole = {.rule = NV_RULE_NOT_FLUSHED, .count = 1};
    struct nv_map_range range = {.state = NV_MAP_DIRTY};
    struct stat status;
    int result;

    if (fstat(file->object->view, &status))
        return -errno;
    if (file->last)
        whole = *file->last;
    whole.rule = file->object->sync_failed ? NV_RULE_FLUSH_ERROR_IGNORED : NV_RULE_NOT_FLUSHED;
    whole.offset = 0;
    whole.count = 1;
    whole.length = whole.total = (uint64_t)status.st_size;
    result = report_kind(supervisor, file->object, path, &whole);
    range.length_bytes = whole.length;
    range.finding = whole.finding;
    return result || !file->map || nv_map_add(file->map, &range) ? result : -ENOMEM;
}

/* All kinds, each a finding. */
static int report_kinds(struct nv_supervisor *supervisor, struct file_judgement *file, const char *path)
{
    int status = 0;

    if (!is_durable(file->object))
        return report_whole(supervisor, file, path);
    for (size_t i = 0; i < KIND_BUCKETS; i++)
        for (struct kind *kind = file->buckets[i]; kind && !status; kind = kind->next)
            status = report_kind(supervisor, file->object, path, kind);
    return status;
}

static void free_kinds(struct file_judgement *file)
{
    for (size_t i = 0; i < KIND_BUCKETS; i++)
        for (struct kind *kind = file->buckets[i], *next; kind; kind = next) {
            next = kind->next;
            free(kind);
        }
}

/* Of a file that the run has changed, once its kinds have become findings. */
static int report_map(struct nv_supervisor *supervisor, struct file_judgement *file)
{
    struct nv_report_map *map = file->map;
    struct stat view, durable;
    int status;

    if (!map)
        return 0;
    if (!fstat(file->object->view, &view))
        map->view_bytes = (uint64_t)view.st_size;
    if (is_durable(file->object) && !fstat(file->object->durable, &durable))
        map->durable_bytes = (uint64_t)durable.st_size;
    for (size_t i = 0; i < map->differs.count && is_durable(file->object); i++) {
        const struct kind *kind = map->differs.ranges[i].finding;

        map->differs.ranges[i].finding = kind ? kind->finding : NULL;
    }
    status = nv_record_durable(file->object, map);
    if (status || (!map->differs.count && !map->durable.count))
        return status;
    file->map = NULL;
    return nv_report_add_map(supervisor->report, map) ? 0 : -ENOMEM;
}

static int judge_content(struct nv_supervisor *supervisor, struct nv_object *object, const char *relative,
                         bool *differs)
{
    struct file_judgement *file = calloc(1, sizeof *file);
    char *path = nv_judge_shown_path(object->folder, relative);
    bool draws = supervisor->image.record != NULL;
    int status = -ENOMEM, reported;

    if (file && path && draws)
        file->map = nv_map_new(path);
    if (file && path && (file->map || !draws)) {
        file->supervisor = supervisor;
        file->object = object;
        status = nv_ignored_gather(&file->ignored, supervisor, object, path);
        status = status ? status : nv_content_compare(&supervisor->image, object, judge_run, file);
        if (!status)
            status = judge_neighbours(file);
        reported = report_kinds(supervisor, file, path);
        status = status ? status : reported;
        status = status ? status : report_map(supervisor, file);
        free_kinds(file);
        nv_map_free(file->map);
        if (!nv_ignored_tell(&file->ignored, supervisor->report, path))
            status = -ENOMEM;
        nv_ignored_free(&file->ignored);
        *differs = file->differs;
    }
    free(file);
    free(path);
    return status;
}

static void count_file(struct nv_report *report, const struct nv_object *object)
{
    struct stat status;

    if (object->initial || fstat(object->view, &status)) /* counted from the beginning */
        return;
    report->files_watched++;
    report->bytes_watched += (uint64_t)status.st_size;
}

/* What the program has changed was copied to the overlay's upper layer: all else is the very file. */
static bool is_untouched(const struct nv_object *object, const char *relative)
{
    struct stat status;

    if (object->folder->upper < 0 || fstatat(object->folder->view, relative, &status, AT_SYMLINK_NOFOLLOW) ||
        status.st_ino != object->inode) /* it has another name by now */
        return false;
    return fstatat(object->folder->upper, relative, &status, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

static bool is_removed(const struct nv_object *object)
{
    struct stat status;

    return !fstat(object->view, &status) && !status.st_nlink;
}

/* Why a file is left out; NULL: it is judged. */
static const char *why_not(const struct nv_supervisor *supervisor, const struct nv_object *object, const char *relative)
{
    if (supervisor->image.blind)
        return "it may have been made durable unseen";
    if (object->contested)
        return "another program changed it during the run, too: its version stays";
    if (object->foreign)
        return "another program changed it during the run";
    if (object->unjudged)
        return "its synchronous writes could not be seen";
    return at_stake(supervisor, relative) ? NULL : "not among --files";
}

/* Mode or times alone may have changed, too. */
static bool has_changed(const struct nv_object *object)
{
    struct stat real, view;

    if (object->written)
        return true;
    return object->durable >= 0 && !fstat(object->durable, &real) && !fstat(object->view, &view) &&
           (nv_nanoseconds(view.st_mtim) != object->view_change_ns || real.st_mode != view.st_mode);
}

static int judge_file(struct nv_supervisor *supervisor, struct nv_object *object, const char *relative)
{
    struct nv_image *image = &supervisor->image;
    const char *why;
    bool differs = false;
    int status;

    if ((object->same = is_untouched(object, relative)))
        return 0;
    nv_image_make_room(image);
    status = nv_object_view(image, object);
    if (status < 0)
        return status == -ENOENT ? 0 : status; /* it is gone from the view */
    if (is_removed(object))
        return 0;
    count_file(supervisor->report, object);
    (void)nv_object_find_foreign(image, object);
    why = why_not(supervisor, object, relative);
    if (why)
        return nv_report_leave_out(supervisor->report, relative, why) ? 0 : -ENOMEM;
    status = judge_content(supervisor, object, relative, &differs);
    supervisor->report->files_changed += differs || has_changed(object);
    object->same = !status && !differs;
    return status;
}

static int judge_files(struct nv_supervisor *supervisor)
{
    char path[PATH_MAX];
    int status = 0;

    for (struct nv_object *object = supervisor->image.objects; object && !status; object = object->next) {
        if (!S_ISREG(object->type) || object->excluded || !object->names)
            continue;
        status = nv_object_path(object, path, sizeof path);
        status = status < 0 ? status : judge_file(supervisor, object, path);
    }
    return status;
}

/* ---- names ---- */

/* The path of a changed name in the view: its folder may itself be new. */
static int change_path(const struct nv_changes *changes, const struct nv_change *change, char *path, size_t path_bytes)
{
    char parent[PATH_MAX] = "";
    int status = nv_object_path(change->folder, parent, sizeof parent);

    for (size_t i = 0; status < 0 && i < changes->count; i++)
        if (changes->items[i].kind == NV_NAME_NEW && changes->items[i].object == change->folder)
            status = change_path(changes, &changes->items[i], parent, sizeof parent);
    if (status < 0)
        return status;
    status = snprintf(path, path_bytes, "%s%s%s", parent, *parent ? "/" : "", change->name);
    return (size_t)status < path_bytes ? status : -ENAMETOOLONG;
}

static int report_name(struct nv_supervisor *supervisor, const struct nv_change *change, const char *relative,
                       const char *message, enum nv_severity severity)
{
    struct nv_finding *finding = nv_finding_new(NV_RULE_NAME_NOT_FLUSHED, severity);

    if (!finding)
        return -ENOMEM;
    finding->file = nv_judge_shown_path(change->folder->folder, relative);
    finding->message = strdup(message);
    finding->advice =
        strdup(supervisor->image.model == NV_FS_POSIX ? "call fsync on the folder that holds the name"
                                                      : "call fsync on the file, or on the folder that holds the name");
    finding->count = 1;
    if (!finding->file || !finding->message || !finding->advice) {
        nv_finding_free(finding);
        return -ENOMEM;
    }
    return nv_report_add(supervisor->report, finding) ? 0 : -ENOMEM;
}

static bool was_forgotten(const struct nv_supervisor *supervisor, const struct nv_change *change)
{
    const struct nv_entry *entry = nv_image_entry(&supervisor->image, change->folder, change->name);

    return entry && entry->object->unjudged && change->folder->folder->upper >= 0;
}

static int judge_new_name(struct nv_supervisor *supervisor, const struct nv_change *change, const char *relative)
{
    struct nv_object *object = change->object;
    struct stat status;

    if (is_excused(supervisor, object))
        return 0;
    if (was_forgotten(supervisor, change))
        return nv_report_leave_out(supervisor->report, relative, "the overlay lost track of it when it got a hard link")
                   ? 0
                   : -ENOMEM;
    if (object->names)
        return report_name(supervisor, change, relative,
                           "the file was renamed or linked, and the new name is not durable", NV_SEVERITY_ERROR);
    if (object->nameless)
        return report_name(supervisor, change, relative, "the file's content is durable, and its name is not",
                           NV_SEVERITY_ERROR);
    if (S_ISREG(object->type) && object->view >= 0 && !fstat(object->view, &status) && status.st_size)
        return judge_file(supervisor, object, relative);
    return report_name(supervisor, change, relative,
                       S_ISDIR(object->type) ? "the new folder's name is not durable"
                                             : "the new file's name is not durable",
                       NV_SEVERITY_ERROR);
}

static bool replaced(const struct nv_changes *changes, const struct nv_change *gone)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].kind == NV_NAME_NEW && changes->items[i].folder == gone->folder &&
            !strcmp(changes->items[i].name, gone->name))
            return true;
    return false;
}

static int judge_names(struct nv_supervisor *supervisor, const struct nv_changes *changes)
{
    char path[PATH_MAX];
    int status = 0;

    for (size_t i = 0; i < changes->count && !status; i++) {
        const struct nv_change *change = &changes->items[i];

        if (change_path(changes, change, path, sizeof path) < 0)
            continue;
        if (!at_stake(supervisor, path) || change->object->excluded)
            continue;
        supervisor->report->files_changed += !change->object->unjudged && !supervisor->image.blind;
        if (supervisor->image.blind)
            status =
                nv_report_leave_out(supervisor->report, path, "it may have been made durable unseen") ? 0 : -ENOMEM;
        else if (!S_ISREG(change->object->type) && !S_ISDIR(change->object->type) && !S_ISLNK(change->object->type))
            status = nv_report_leave_out(supervisor->report, path, "not a regular file") ? 0 : -ENOMEM;
        else if (change->kind == NV_NAME_NEW)
            status = judge_new_name(supervisor, change, path);
        else if (change->object->wanted != supervisor->image.listing && !replaced(changes, change))
            status = report_name(supervisor, change, path, "it was removed, and a power failure may bring it back",
                                 NV_SEVERITY_WARNING);
    }
    return status;
}

/* ---- what the verifier told ---- */

struct event_kind {
    enum nv_rule rule;
    const char *message; /* behind the function's name */
    const char *advice;
};

static const char misuse_advice[] = "check the status of every call, and free a token once, after its last use";

static const struct event_kind event_kinds[] = {
    [NV_REFUSED_TOKEN] = {NV_RULE_TOKEN_MISUSE,
                          "refused a call: what was passed is no live token: it is garbage, or has been freed",
                          misuse_advice},
    [NV_REFUSED_RANGE] = {NV_RULE_OUTSIDE_TOKEN, "refused a call: the range does not lie inside the token's",
                          "pass a range inside the one that the token was made for"},
    [NV_REFUSED_FLAGS] = {NV_RULE_TOKEN_MISUSE, "refused a call: a flag was passed that is not defined", misuse_advice},
    [NV_REFUSED_POINTER] = {NV_RULE_TOKEN_MISUSE, "refused a call: NULL was passed where memory must be",
                            misuse_advice},
    [NV_REFUSED_MEMORY] = {NV_RULE_OUTSIDE_TOKEN, "was called on memory that is not persistent",
                           "ask pmem_is_pmem, and use pmem_msync where it says no"},
    [NV_REFUSED_DEVICE] = {NV_RULE_TOKEN_MISUSE, "could not make the range durable, and has no status to say so",
                           "use pmem_msync, which tells"},
    [NV_MISUSE_LEVEL] = {NV_RULE_WRONG_IRQL,
                         "was called above the IRQL that it is for, or with special kernel APCs disabled",
                         "flush files at PASSIVE_LEVEL, outside of guarded regions, and memory at "
                         "DISPATCH_LEVEL or below"},
    [NV_MISUSE_REENTRY] = {NV_RULE_WRONG_IRQL,
                           "was called from a minifilter's callback: the request passes the whole stack once more, "
                           "this filter included",
                           "use FltFlushBuffers, which goes to the filters below"},
    [NV_EVENT_NOT_DURABLE] = {NV_RULE_BROKEN_EXPECTATION, "was called for bytes that are not durable",
                              "write, flush and drain them (or sync the file) before this place"},
    [NV_EVENT_TORN] = {NV_RULE_TORN_PUBLISH,
                       "was told of a value that became durable in parts: a power failure could have left some of them",
                       "publish by one aligned store of at most 8 bytes (on a disk: within a sector)"},
    [NV_EVENT_OUT_OF_ORDER] = {NV_RULE_BROKEN_EXPECTATION,
                               "asked for an order that did not hold: the second range became durable while these "
                               "bytes, of the first, were not",
                               "flush and drain the first range before the second one is flushed"},
};

static const struct event_kind *kind_of(const struct nv_ledger_event *event)
{
    bool known = event->kind < sizeof event_kinds / sizeof *event_kinds && event_kinds[event->kind].message;

    return &event_kinds[known ? event->kind : NV_REFUSED_TOKEN];
}

/* What is flushed needlessly does no harm by itself. */
static enum nv_severity severity_of(const struct nv_ledger_event *event)
{
    return event->kind == NV_REFUSED_MEMORY && !event->file ? NV_SEVERITY_WARNING : NV_SEVERITY_ERROR;
}

/* Drains that failed are no misuse: what they lost is found where it differs. */
static void note_failed_drains(struct nv_supervisor *supervisor)
{
    const struct nv_ledger *ledger = supervisor->ledger;
    uint32_t events = atomic_load(&ledger->events);

    for (uint32_t i = 0; i < events && i < NV_LEDGER_EVENTS; i++) {
        const struct nv_ledger_event *event = &ledger->event[i];

        if (atomic_load(&event->ready) && event->kind == NV_EVENT_DRAIN_FAILED && event->file &&
            event->file <= supervisor->image.verifier_file_count) {
            supervisor->image.verifier_files[event->file - 1]->sync_failed = true;
            supervisor->image.verifier_files[event->file - 1]->drain_failed = true;
        }
    }
}

static int judge_event(struct nv_supervisor *supervisor, const struct nv_ledger_event *event)
{
    const struct event_kind *kind = kind_of(event);
    struct nv_finding *finding = nv_finding_new(kind->rule, severity_of(event));
    int length;

    if (!finding)
        return -ENOMEM;
    length = asprintf(&finding->message, "%s %s", event->function, kind->message);
    finding->advice = strdup(kind->advice);
    finding->count = atomic_load(&event->count);
    finding->offset = event->offset;
    finding->length_bytes = event->size_bytes;
    if (event->file && event->file <= supervisor->image.verifier_file_count) {
        char path[PATH_MAX];
        const struct nv_object *object = supervisor->image.verifier_files[event->file - 1];

        if (nv_object_path(object, path, sizeof path) >= 0)
            finding->file = nv_judge_shown_path(object->folder, path);
    }
    if (length < 0 || !finding->advice || !nv_judge_place(&finding->write_stack, supervisor->ledger, event->place)) {
        if (length < 0)
            finding->message = NULL;
        nv_finding_free(finding);
        return -ENOMEM;
    }
    return nv_report_add(supervisor->report, finding) ? 0 : -ENOMEM;
}

static int judge_ledger(struct nv_supervisor *supervisor)
{
    const struct nv_ledger *ledger = supervisor->ledger;
    uint32_t events = atomic_load(&ledger->events), marks = atomic_load(&ledger->marks);
    int status = 0;

    supervisor->report->tokens = atomic_load(&ledger->tokens);
    for (uint32_t i = 0; i < events && i < NV_LEDGER_EVENTS && !status; i++)
        if (atomic_load(&ledger->event[i].ready) && ledger->event[i].kind != NV_EVENT_DRAIN_FAILED)
            status = judge_event(supervisor, &ledger->event[i]);
    for (uint32_t i = 0; i < marks && i < NV_LEDGER_MARKS && !status; i++) {
        struct nv_stack stack = {0};

        if (!atomic_load(&ledger->mark[i].ready))
            continue;
        if (!nv_judge_place(&stack, ledger, ledger->mark[i].place) ||
            !nv_report_add_mark(supervisor->report, ledger->mark[i].text, ledger->mark[i].at_ns, &stack))
            status = -ENOMEM;
        for (size_t frame = 0; frame < stack.count; frame++)
            free(stack.frames[frame].module);
    }
    if (!status && atomic_load(&ledger->lost) &&
        !nv_report_not_seen(supervisor->report, "more places, notes or ranges than the ledger holds"))
        status = -ENOMEM;
    return status;
}

int nv_judge(struct nv_supervisor *supervisor)
{
    struct nv_image *image = &supervisor->image;
    struct nv_changes changes = {0};
    int status = nv_finish_persistent_caches(supervisor);

    image->adopt_views = true;
    supervisor->report->blind = image->blind;
    nv_names_mark_all(image);
    if (!status)
        status = nv_names_notice(image);
    if (!status)
        status = nv_names_gather(image, NULL, &changes);
    note_failed_drains(supervisor);
    if (!status)
        status = judge_files(supervisor);
    if (!status)
        status = judge_names(supervisor, &changes);
    if (!status)
        status = judge_ledger(supervisor);
    if (!status && supervisor->ledger->performance)
        status = nv_judge_waste(supervisor);
    nv_report_sort(supervisor->report);
    nv_changes_free(&changes);
    return status;
}
