/* SPDX-License-Identifier: MIT */
/*
 * Judging, when the run is over: every difference between the view and the durable image is a finding, unless it is not
 * meant to be durable. nv_run calls it once, before the view is brought into the files.
 */
#include "nvrtl/nvm.h"
#include "report/report.h"
#include "supervise/hints.h"
#include "supervise/ignored.h"
#include "supervise/kinds.h"
#include "supervise/lines.h"
#include "supervise/record.h"
#include "supervise/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 64 };

struct file_judgement {
    struct nv_supervisor *supervisor;
    struct nv_object *object;
    struct nv_kinds kinds;
    bool differs;
    struct nv_ignored ignored;
    struct nv_report_map *map; /* NULL: none is wanted */
    struct nv_stores_unseen unseen;
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

/* ---- contents ---- */

static bool is_durable(const struct nv_object *object)
{
    return object->names || object->nameless;
}

/* The program was told, gave up and said so: what it lost is no mistake of its own. */
static bool is_excused(const struct nv_supervisor *supervisor, const struct nv_object *object)
{
    return object->sync_failed && !object->trusted && supervisor->status;
}

/* Whether a failed sync or drain is why this line differs. */
static bool was_lost(struct nv_object *object, uint64_t offset, const struct nv_kind *kind)
{
    return (object->drain_failed && kind->rule == NV_RULE_NOT_DRAINED) || nv_lost_still(object, offset);
}

/* To the map; `kind` NULL: it is not meant to be durable. A file without anything durable is told of as a whole. */
static int map_line(const struct file_judgement *file, uint64_t from, uint64_t to, const struct nv_kind *kind)
{
    struct nv_map_range range = {.offset = from, .length_bytes = to - from, .state = NV_MAP_IGNORED, .finding = kind};

    if (!file->map || !is_durable(file->object))
        return 0;
    if (kind)
        range.state = kind->rule == NV_RULE_NOT_DRAINED ? NV_MAP_IN_FLIGHT : NV_MAP_DIRTY;
    return nv_map_add(file->map, &range) ? 0 : -ENOMEM;
}

/* What differs in one line: [from, to). */
static int judge_line(struct file_judgement *file, uint64_t from, uint64_t to, const uint8_t *view,
                      const uint8_t *durable, const uint8_t *whole_line)
{
    struct nv_line_record record;
    bool known = nv_lines_know(file->object, from, &record);
    struct nv_kind wanted =
        nv_kind_classify(known ? &record : NULL, view ? whole_line : NULL, nv_content_was_synced(file->object, from));
    struct nv_kind *kind;
    uint64_t begin = from, end = to;

    nv_stores_compare(&file->unseen, file->supervisor->ledger, file->object, from, to, view, durable);
    if (!nv_ignored_trim(&file->ignored, wanted.rule, &from, &to, view, durable))
        return map_line(file, begin, end, NULL);
    view = view ? view + (from - begin) : NULL;
    durable = durable ? durable + (from - begin) : NULL;
    if (was_lost(file->object, from, &wanted)) {
        if (is_excused(file->supervisor, file->object))
            return map_line(file, from, to, NULL);
        wanted.rule = NV_RULE_FLUSH_ERROR_IGNORED;
    }
    kind = nv_kinds_note(&file->kinds, &wanted, from, to);
    if (!kind)
        return -ENOMEM;
    if (kind->count == 1 && view)
        nv_kind_take_sample(kind, view, durable, to - from);
    return map_line(file, from, to, kind);
}

/* Bytes of a line that were stored, and that no flush has named: are they durable all the same? */
static int judge_unnamed(void *context, uint64_t offset, uint64_t bytes)
{
    struct file_judgement *file = context;
    struct nv_kind wanted = {.rule = NV_RULE_NEIGHBOUR_FLUSH};
    struct nv_line_record record;
    uint8_t view[LINE], durable[LINE];
    uint64_t from = offset + (unsigned)__builtin_ctzll(bytes), to = offset + LINE - (unsigned)__builtin_clzll(bytes);

    if (!nv_lines_know(file->object, offset, &record) || !atomic_load(&record.flushes) ||
        !nv_ignored_trim(&file->ignored, wanted.rule, &from, &to, NULL, NULL) ||
        pread(file->object->view, view, LINE, (off_t)offset) != LINE ||
        pread(file->object->durable, durable, LINE, (off_t)offset) != LINE || memcmp(view, durable, LINE) != 0)
        return 0;
    wanted.write_place = atomic_load(&record.write_place);
    wanted.flush_place = atomic_load(&record.flush_place);
    return nv_kinds_note(&file->kinds, &wanted, from, to) ? 0 : -ENOMEM;
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

/* Of a file that has nothing durable at all, every byte is missing, the zeros too. */
static int report_whole(struct nv_supervisor *supervisor, const struct file_judgement *file,
                        const struct nv_kind_file *told)
{
    struct nv_kind whole = {.rule = NV_RULE_NOT_FLUSHED, .count = 1};
    struct nv_map_range range = {.state = NV_MAP_DIRTY};
    struct stat status;
    int result;

    if (fstat(file->object->view, &status))
        return -errno;
    if (file->kinds.last)
        whole = *file->kinds.last;
    whole.rule = file->object->sync_failed ? NV_RULE_FLUSH_ERROR_IGNORED : NV_RULE_NOT_FLUSHED;
    whole.offset = 0;
    whole.count = 1;
    whole.length = whole.total = (uint64_t)status.st_size;
    result = nv_kind_report(&whole, told, supervisor->ledger, supervisor->report);
    range.length_bytes = whole.length;
    range.finding = whole.finding;
    return result || !file->map || nv_map_add(file->map, &range) ? result : -ENOMEM;
}

/* All kinds, each a finding. */
static int report_kinds(struct nv_supervisor *supervisor, struct file_judgement *file, const char *path)
{
    const struct nv_kind_file told = {path, is_durable(file->object), file->object->pages != NULL};

    if (!told.durable)
        return report_whole(supervisor, file, &told);
    return nv_kinds_report(&file->kinds, &told, supervisor->ledger, supervisor->report);
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
        const struct nv_kind *kind = map->differs.ranges[i].finding;

        map->differs.ranges[i].finding = kind ? kind->finding : NULL;
    }
    status = nv_record_durable(file->object, map);
    if (status || (!map->differs.count && !map->durable.count))
        return status;
    file->map = NULL;
    return nv_report_add_map(supervisor->report, map) ? 0 : -ENOMEM;
}

/* A sync has missed what it should have made durable: what differs is not the program's fault. */
static int report_untold(struct nv_supervisor *supervisor, struct nv_object *object, const char *path)
{
    object->unjudged = true;
    return nv_report_leave_out(supervisor->report, path, "it was written in a way that nvrtl was not told of")
               ? 0
               : -ENOMEM;
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
        status = nv_ignored_gather(&file->ignored, supervisor->ledger, supervisor->options->suppressions,
                                   &(struct nv_ignored_file){object->verifier_file, object->view, path});
        status = status ? status : nv_content_compare(&supervisor->image, object, judge_run, file);
        if (!status)
            status = judge_neighbours(file);
        if (!nv_stores_tell(&file->unseen, supervisor->ledger, object, path, supervisor->report))
            status = -ENOMEM;
        reported = object->untold ? report_untold(supervisor, object, path) : report_kinds(supervisor, file, path);
        status = status ? status : reported;
        status = status ? status : report_map(supervisor, file);
        nv_kinds_free(&file->kinds);
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

/* nv_told_path */
static char *path_of(void *context, uint32_t file)
{
    const struct nv_image *image = &((struct nv_supervisor *)context)->image;
    const struct nv_object *object = file <= image->verifier_file_count ? image->verifier_files[file - 1] : NULL;
    char path[PATH_MAX];

    return object && nv_object_path(object, path, sizeof path) >= 0 ? nv_judge_shown_path(object->folder, path) : NULL;
}

int nv_judge(struct nv_supervisor *supervisor)
{
    struct nv_image *image = &supervisor->image;
    struct nv_changes changes = {0};
    int status = nv_finish_persistent_caches(supervisor);

    nv_hints_notice(image);
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
        status = nv_told_judge(supervisor->ledger, supervisor->report, path_of, supervisor);
    if (!status && supervisor->ledger->performance)
        status = nv_judge_waste(supervisor->ledger, supervisor->report);
    nv_report_sort(supervisor->report);
    nv_changes_free(&changes);
    return status;
}
