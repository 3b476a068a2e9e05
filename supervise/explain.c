/* SPDX-License-Identifier: MIT */
/*
 * Owns the process that keeps a copy of the folders and runs the program in it a second time, and puts what that found
 * out into the report of the first. `nvrtl check --explain` calls it around nv_run.
 */
#include "supervise/explain.h"
#include "report/map.h"
#include "report/report.h"
#include "supervise/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 64, PIECES_OF_RANGE_MAX = 1024, TOLD_MAX = 16 };

struct nv_explain {
    struct nv_explain_book *book;
    int line; /* to the other process: a byte asks for the second run, and its end comes with one */
};

/* ---- the other process ---- */

struct keeper {
    const struct nv_run_options *options;
    struct nv_explain_book *book;
    int line;
    off_t input_at; /* where the program's input began; negative: it cannot be had again */
};

/*
 * What the program prints was printed by the first run already. Input is had again where it is a file; of anything else
 * the first run would lose what the second reads.
 */
static void redirect(const struct keeper *keeper)
{
    int input = keeper->input_at < 0 ? -1 : open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC), nothing;

    if (input >= 0 && lseek(input, keeper->input_at, SEEK_SET) < 0) {
        close(input);
        input = -1;
    }
    nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(input < 0 ? nothing : input, STDIN_FILENO);
    (void)dup2(nothing, STDOUT_FILENO);
    (void)dup2(nothing, STDERR_FILENO);
}

static bool has_range(const struct nv_report_map *map, const struct nv_explain_piece *piece)
{
    for (size_t i = 0; i < map->differs.count; i++) {
        const struct nv_map_range *range = &map->differs.ranges[i];
        const struct nv_finding *finding = range->finding;

        if (finding && (uint32_t)finding->rule == piece->rule && range->offset < piece->offset + piece->length_bytes &&
            range->offset + range->length_bytes > piece->offset)
            return true;
    }
    return false;
}

/* The file as the book has it. */
static void whole_path(const struct nv_explain_book *book, const char *shown, char *path, size_t path_bytes)
{
    if (*shown == '/')
        snprintf(path, path_bytes, "%s", shown);
    else
        snprintf(path, path_bytes, "%s/%s", strcmp(book->here, "/") != 0 ? book->here : "", shown);
}

static bool has_name(const struct nv_explain_book *book, const struct nv_report *report, const char *wanted)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct nv_finding *finding = report->findings[i];
        char path[2 * PATH_MAX];

        if (finding->rule != NV_RULE_NAME_NOT_FLUSHED || !finding->file)
            continue;
        whole_path(book, finding->file, path, sizeof path);
        if (!strcmp(path, wanted))
            return true;
    }
    return false;
}

static void note_what_came_again(struct nv_explain_book *book, const struct nv_report *report)
{
    for (size_t i = 0; i < report->map_count; i++) {
        char path[2 * PATH_MAX];

        whole_path(book, report->maps[i]->file, path, sizeof path);
        for (uint32_t k = 0; k < book->piece_count; k++)
            if (!strcmp(book->file[book->piece[k].file], path))
                book->piece[k].again = has_range(report->maps[i], &book->piece[k]);
    }
    for (uint32_t k = 0; k < book->piece_count; k++) {
        struct nv_explain_piece *piece = &book->piece[k];

        if (!piece->length_bytes)
            piece->again = has_name(book, report, book->file[piece->file]);
        if (!piece->again)
            piece->stack = 0; /* that was another than the first run's */
    }
}

static char **real_folders(char *const *folders)
{
    size_t count = 0;
    char **real;

    while (folders[count])
        count++;
    real = calloc(count + 1, sizeof *real);
    for (size_t i = 0; real && i < count; i++)
        if (!(real[i] = realpath(folders[i], NULL)))
            return NULL;
    return real;
}

/* The view of the second run lies in memory: pages of other files cannot be protected. */
static void run_again(const struct keeper *keeper)
{
    struct nv_explain_book *book = keeper->book;
    struct nv_run_options options = *keeper->options;
    char **folders = real_folders(options.folders);
    struct nv_watch *watch = folders ? nv_watch_new(book, folders) : NULL;
    struct nv_report *report = NULL;
    char error[512] = "";

    options.scratch = NULL;
    options.view = NV_VIEW_COPY;
    options.record = true;
    options.tracer = watch ? nv_tracer_new(book, watch) : NULL;
    book->status = options.tracer ? nv_run(&options, &report, error, sizeof error) : 125;
    nv_tracer_free(options.tracer);
    if (book->status && !*book->error)
        snprintf(book->error, sizeof book->error, "%s", *error ? error : strerror(ENOMEM));
    if (!book->status) {
        nv_watch_answer(watch);
        note_what_came_again(book, report);
    }
    nv_report_free(report);
    nv_watch_free(watch);
}

/* In the copy: until the first run is over. Who waits for the answer and dies takes the second run with it. */
static int keep(void *context)
{
    struct keeper *keeper = context;
    char byte = 0;

    if (write(keeper->line, &byte, 1) != 1 || read(keeper->line, &byte, 1) != 1)
        return 0;
    (void)fcntl(keeper->line, F_SETOWN, getpid());
    (void)fcntl(keeper->line, F_SETSIG, SIGKILL);
    (void)fcntl(keeper->line, F_SETFL, O_ASYNC);
    run_again(keeper);
    (void)fcntl(keeper->line, F_SETFL, 0);
    (void)!write(keeper->line, &byte, 1);
    return 0;
}

/* Not a descendant of the first run, which ends all of those when it is asked to. */
static void become_keeper(struct keeper *keeper)
{
    struct nv_run_options options = *keeper->options;
    char error[512] = "";

    if (fork())
        _exit(0);
    redirect(keeper);
    options.view = NV_VIEW_COPY;
    if (nv_run_in_copy(&options, keep, keeper, error, sizeof error))
        snprintf(keeper->book->error, sizeof keeper->book->error, "%s", error);
    _exit(0);
}

struct nv_explain *nv_explain_begin(const struct nv_run_options *options, char *error, size_t error_bytes)
{
    struct nv_explain *explain = calloc(1, sizeof *explain);
    struct keeper keeper = {.options = options};
    struct stat input;
    int line[2] = {-1, -1};
    pid_t child = -1;
    char byte;

    keeper.input_at = !fstat(STDIN_FILENO, &input) && S_ISREG(input.st_mode) ? lseek(STDIN_FILENO, 0, SEEK_CUR) : -1;
    keeper.book =
        mmap(NULL, sizeof *keeper.book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (explain && keeper.book != MAP_FAILED && getcwd(keeper.book->here, PATH_MAX) &&
        !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
        child = fork();
    if (!child) {
        close(line[0]);
        keeper.line = line[1];
        become_keeper(&keeper);
    }
    if (child < 0) {
        snprintf(error, error_bytes, "cannot prepare the second run: %s", strerror(errno));
        free(explain);
        return NULL;
    }
    close(line[1]);
    (void)waitpid(child, NULL, 0);
    *explain = (struct nv_explain){keeper.book, line[0]};
    if (read(line[0], &byte, 1) == 1)
        return explain;
    snprintf(error, error_bytes, "cannot prepare the second run: %s",
             *keeper.book->error ? keeper.book->error : "the process that was to make it has died");
    (void)nv_explain_end(explain, NULL);
    return NULL;
}

/* ---- what is asked ---- */

static bool is_explained(const struct nv_finding *finding)
{
    return finding->write_stack.count ||
           (finding->rule != NV_RULE_NOT_FLUSHED && finding->rule != NV_RULE_NOT_DRAINED &&
            finding->rule != NV_RULE_CHANGED_AFTER_FLUSH && finding->rule != NV_RULE_FLUSH_ERROR_IGNORED &&
            finding->rule != NV_RULE_NAME_NOT_FLUSHED);
}

/* Its number in the book; NV_EXPLAIN_FILES: there is no room. */
static uint32_t number_of_file(struct nv_explain_book *book, const char *shown)
{
    char path[2 * PATH_MAX];
    uint32_t number = 0;

    whole_path(book, shown, path, sizeof path);
    while (number < book->file_count && strcmp(book->file[number], path) != 0)
        number++;
    if (number == book->file_count && number < NV_EXPLAIN_FILES && strlen(path) < PATH_MAX)
        strcpy(book->file[book->file_count++], path);
    return number < book->file_count ? number : NV_EXPLAIN_FILES;
}

/* A range in pieces of a line. Of a long one the beginning has to do. */
static void ask(struct nv_explain_book *book, const struct nv_finding *finding, uint32_t number, uint64_t from,
                uint64_t length)
{
    uint32_t file = number_of_file(book, finding->file);
    uint64_t to = from + length;

    for (int i = 0; i < PIECES_OF_RANGE_MAX && from < to && file < NV_EXPLAIN_FILES; i++) {
        uint64_t end = (from & ~(uint64_t)(LINE - 1)) + LINE < to ? (from & ~(uint64_t)(LINE - 1)) + LINE : to;

        if (book->piece_count == NV_EXPLAIN_PIECES)
            return;
        book->piece[book->piece_count++] = (struct nv_explain_piece){.offset = from,
                                                                     .length_bytes = (uint32_t)(end - from),
                                                                     .file = file,
                                                                     .finding = number,
                                                                     .rule = (uint32_t)finding->rule};
        from = end;
    }
}

static void ask_name(struct nv_explain_book *book, const struct nv_finding *finding, uint32_t number)
{
    uint32_t file = number_of_file(book, finding->file);

    if (file < NV_EXPLAIN_FILES && book->piece_count < NV_EXPLAIN_PIECES)
        book->piece[book->piece_count++] =
            (struct nv_explain_piece){.file = file, .finding = number, .rule = (uint32_t)finding->rule};
}

/* Where maps tell all ranges of a finding exactly, all are asked for; elsewhere the first. */
static bool ask_by_map(struct nv_explain_book *book, const struct nv_report *report, const struct nv_finding *finding,
                       uint32_t number)
{
    bool any = false;

    for (size_t i = 0; i < report->map_count; i++) {
        const struct nv_map_layer *layer = &report->maps[i]->differs;

        for (size_t k = 0; k < layer->count && layer->grain_bytes <= 1; k++)
            if (layer->ranges[k].finding == finding) {
                ask(book, finding, number, layer->ranges[k].offset, layer->ranges[k].length_bytes);
                any = true;
            }
    }
    return any;
}

static void ask_all(struct nv_explain_book *book, const struct nv_report *report)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        const struct nv_finding *finding = report->findings[i];

        if (is_explained(finding) || !finding->file)
            continue;
        if (finding->rule == NV_RULE_NAME_NOT_FLUSHED)
            ask_name(book, finding, (uint32_t)i);
        else if (!ask_by_map(book, report, finding, (uint32_t)i))
            ask(book, finding, (uint32_t)i, finding->offset, finding->length_bytes);
    }
}

/* ---- what comes of it ---- */

static bool push_stack(struct nv_stack *to, const struct nv_explain_book *book, uint32_t number)
{
    const struct nv_explain_stack *stack = &book->stack[number - 1];

    for (uint32_t i = 0; i < stack->count; i++) {
        const char *module = stack->modules[i] < book->module_count ? book->module[stack->modules[i]] : "?";

        if (!nv_stack_push(to, module, stack->offsets[i]))
            return false;
    }
    return true;
}

static bool same_code(const struct nv_explain_book *book, uint32_t left, uint32_t right)
{
    const struct nv_explain_stack *a = &book->stack[left - 1], *b = &book->stack[right - 1];

    return a->modules[0] == b->modules[0] && a->offsets[0] == b->offsets[0];
}

/* The next place, behind `after`, that has not come before; 0: none. Places are told apart by their innermost code. */
static uint32_t next_place(const struct nv_explain_book *book, uint32_t number, uint32_t *at)
{
    for (; *at < book->piece_count; ++*at) {
        const struct nv_explain_piece *piece = &book->piece[*at];
        bool known = piece->finding != number || !piece->stack;

        for (uint32_t i = 0; i < *at && !known; i++)
            known = book->piece[i].finding == number && book->piece[i].stack &&
                    same_code(book, book->piece[i].stack, piece->stack);
        if (!known)
            return book->piece[(*at)++].stack;
    }
    return 0;
}

/* Whether it is among the pieces that a place has stored; of place 0, among those that have none. */
static bool belongs(const struct nv_explain_book *book, const struct nv_explain_piece *piece, uint32_t number,
                    uint32_t place)
{
    if (piece->finding != number || !piece->stack != !place)
        return false;
    return !place || same_code(book, piece->stack, place);
}

/* Bytes of a place's pieces. */
static uint64_t bytes_of(const struct nv_explain_book *book, uint32_t number, uint32_t place)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < book->piece_count; i++)
        if (belongs(book, &book->piece[i], number, place))
            bytes += book->piece[i].length_bytes;
    return bytes;
}

/* The finding is of these pieces alone. The bytes' sample is of the first range. */
static void narrow(const struct nv_explain_book *book, uint32_t number, uint32_t place, struct nv_finding *finding)
{
    uint64_t end = UINT64_MAX, before = finding->offset;

    finding->count = 0;
    finding->length_bytes = 0;
    for (uint32_t i = 0; i < book->piece_count; i++) {
        const struct nv_explain_piece *piece = &book->piece[i];

        if (!belongs(book, piece, number, place))
            continue;
        if (!finding->count)
            finding->offset = piece->offset;
        finding->count += piece->offset != end;
        if (finding->count == 1)
            finding->length_bytes += piece->length_bytes;
        end = piece->offset + piece->length_bytes;
    }
    if (finding->offset != before)
        finding->sample_bytes = 0;
    if (finding->sample_bytes > finding->length_bytes)
        finding->sample_bytes = (size_t)finding->length_bytes;
}

/* A finding like it; NULL: no memory. */
static struct nv_finding *like(const struct nv_finding *finding)
{
    struct nv_finding *other = nv_finding_new(finding->rule, finding->severity);

    if (!other)
        return NULL;
    other->file = strdup(finding->file);
    other->message = finding->message ? strdup(finding->message) : NULL;
    other->advice = finding->advice ? strdup(finding->advice) : NULL;
    other->offset = finding->offset;
    other->sample_bytes = finding->sample_bytes;
    memcpy(other->view, finding->view, sizeof other->view);
    memcpy(other->durable, finding->durable, sizeof other->durable);
    for (size_t i = 0; i < finding->flush_stack.count; i++)
        if (!nv_stack_push(&other->flush_stack, finding->flush_stack.frames[i].module,
                           finding->flush_stack.frames[i].offset))
            break;
    if (other->file && (other->message || !finding->message) && (other->advice || !finding->advice))
        return other;
    nv_finding_free(other);
    return NULL;
}

/* In the maps, too: a range is its first byte's. */
static void point_to(struct nv_report *report, const struct nv_explain_book *book, uint32_t number, uint32_t place,
                     const struct nv_finding *from, const struct nv_finding *to)
{
    for (uint32_t k = 0; k < book->piece_count; k++) {
        const struct nv_explain_piece *piece = &book->piece[k];

        if (!belongs(book, piece, number, place))
            continue;
        for (size_t i = 0; i < report->map_count; i++)
            for (size_t r = 0; r < report->maps[i]->differs.count; r++) {
                struct nv_map_range *range = &report->maps[i]->differs.ranges[r];

                if (range->finding == from && range->offset == piece->offset)
                    range->finding = to;
            }
    }
}

/* A finding of its own for the place, taken out of the one that it was part of. */
static int split(struct nv_report *report, const struct nv_explain_book *book, uint32_t number, uint32_t place)
{
    struct nv_finding *finding = report->findings[number], *other = like(finding);
    const struct nv_finding *taken;

    if (!other || !push_stack(&other->write_stack, book, place)) {
        nv_finding_free(other);
        return -ENOMEM;
    }
    narrow(book, number, place, other);
    other->total_bytes = bytes_of(book, number, place);
    finding->total_bytes -= other->total_bytes;
    taken = nv_report_take(report, other);
    if (taken)
        point_to(report, book, number, place, finding, taken);
    return taken ? 0 : -ENOMEM;
}

/* Of a file that has nothing durable there is one finding, however it was written. */
static bool is_whole(const struct nv_report *report, const struct nv_finding *finding)
{
    for (size_t i = 0; i < report->map_count; i++) {
        const struct nv_report_map *map = report->maps[i];

        if (!strcmp(map->file, finding->file))
            return !map->durable_bytes && !finding->offset && finding->length_bytes == map->view_bytes;
    }
    return false;
}

/*
 * The first place is the finding's own, each further one gets a finding of its own. Where the store of some part was
 * not seen, that is what is left of the finding.
 */
static int explain_finding(struct nv_report *report, const struct nv_explain_book *book, uint32_t number)
{
    struct nv_finding *finding = report->findings[number];
    uint32_t at = 0, first = next_place(book, number, &at), place;
    bool whole = is_whole(report, finding), partial = first && !whole && bytes_of(book, number, 0), narrowed = partial;
    int status = 0;

    if (!first)
        return 0;
    if (partial)
        status = split(report, book, number, first);
    while (!status && !whole && (place = next_place(book, number, &at))) {
        status = split(report, book, number, place);
        narrowed = true;
    }
    if (narrowed && !status)
        narrow(book, number, partial ? 0 : first, finding);
    if (!partial && !status)
        status = push_stack(&finding->write_stack, book, first) ? 0 : -ENOMEM;
    return status;
}

/* Why a finding has no place. */
static const char *why_not(const struct nv_explain_book *book, uint32_t number)
{
    bool asked = false, again = false, named = false;

    for (uint32_t i = 0; i < book->piece_count; i++) {
        asked |= book->piece[i].finding == number;
        again |= book->piece[i].finding == number && book->piece[i].again;
        named |= book->piece[i].finding == number && !book->piece[i].length_bytes;
    }
    if (!asked)
        return "there was no room to look for it";
    if (!again)
        return "it did not come again";
    return named ? "the call was not seen" : "its last store was not seen";
}

static bool tell(struct nv_report *report, const struct nv_finding *finding, const char *why)
{
    char sentence[PATH_MAX + 200];

    snprintf(sentence, sizeof sentence, "the second run does not explain %s of %s, offset %lu: %s",
             nv_rule_name(finding->rule), finding->file, finding->offset, why);
    return nv_report_not_seen(report, sentence);
}

static int conclude(struct nv_report *report, const struct nv_explain_book *book)
{
    size_t count = report->finding_count, told = 0;
    int status = 0;

    if (*book->error) {
        char sentence[600];

        snprintf(sentence, sizeof sentence, "the second run did not go as it should: %s", book->error);
        status = nv_report_not_seen(report, sentence) ? 0 : -ENOMEM;
    }
    if (!book->status)
        report->level = "explain";
    for (size_t i = 0; i < count && !status && !book->status; i++) { /* those that are added are explained */
        const struct nv_finding *finding = report->findings[i];
        bool had = !finding->file || is_explained(finding);

        status = explain_finding(report, book, (uint32_t)i);
        if (!status && !had && !finding->write_stack.count && told++ < TOLD_MAX)
            status = tell(report, finding, why_not(book, (uint32_t)i)) ? 0 : -ENOMEM;
    }
    nv_report_sort(report);
    return status;
}

static bool wants_it(const struct nv_report *report)
{
    for (size_t i = 0; i < report->finding_count; i++)
        if (!is_explained(report->findings[i]) && report->findings[i]->file)
            return true;
    return false;
}

/* Until the other process, and what it has left on a disk, are gone. */
static void dismiss(int line)
{
    char byte;

    (void)shutdown(line, SHUT_WR);
    while (read(line, &byte, 1) > 0)
        continue;
    close(line);
}

int nv_explain_end(struct nv_explain *explain, struct nv_report *report)
{
    char byte = 0;
    int status = 0;

    if (report && wants_it(report)) {
        ask_all(explain->book, report);
        explain->book->status = 125;
        if (send(explain->line, &byte, 1, MSG_NOSIGNAL) != 1 || read(explain->line, &byte, 1) != 1)
            snprintf(explain->book->error, sizeof explain->book->error, "it was ended");
        status = conclude(report, explain->book);
    }
    dismiss(explain->line);
    munmap(explain->book, sizeof *explain->book);
    free(explain);
    return status;
}
