/* SPDX-License-Identifier: MIT */
/*
 * The events of recorded runs of memory_program.c and memory_lines.c: they are what the program did, in its order, and
 * what they say of the file's content is in the end what the file holds.
 *
 * usage: memory VERIFIER-FOLDER PROGRAM pages|stores|lines[=FOLDER-OF-LIBPMEM]|million [CASE...]
 */
#include "supervise/run.h"
#include "trace/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 16384, THREADS_MAX = 64 };

/* Expected lines: thread, event, range; NULL where any events will do. */
struct expected {
    const char *name;
    NVRTL_DOMAIN domain;
    const char *pages, *stores; /* NULL: as the other */
};

#define ANY "*"

static const struct expected with_token[] = {
#include "tests/crash/memory_expected.h"
};

static const struct expected with_lines[] = {
#include "tests/crash/memory_lines_expected.h"
};

/* A million stores of 64 bytes. */
static const struct expected in_short[] = {{"million", NvrtlDomainCpuCache, ANY, NULL}};
#define TRACE_BYTES_MAX (200 * 1000 * 1000)

struct run {
    char folder[64], files[80], file[96], trace[80];
    const char *verifier, *program, *libpmem;
};

static void give_up(const char *what)
{
    fprintf(stderr, "memory: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void make_file(const struct run *run)
{
    int fd = open(run->file, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || ftruncate(fd, SIZE) || pwrite(fd, "before", 6, 8192 + 512) != 6 || close(fd))
        give_up("make the file");
}

static void record(const struct run *run, const struct expected *expected)
{
    char here[] = ".", data[] = "data";
    char *program[] = {(char *)(uintptr_t)run->program, (char *)(uintptr_t)expected->name, data, NULL};
    char *folders[] = {here, NULL}, *globs[] = {NULL};
    struct nv_run_options options = {.program = program,
                                     .folders = folders,
                                     .file_globs = globs,
                                     .domain = expected->domain,
                                     .trace = run->trace,
                                     .verifier_path = run->verifier,
                                     .drop_in_path = run->libpmem};
    struct nv_report *report;
    char error[512];

    if (chdir(run->files))
        give_up("enter the folder");
    if (nv_run(&options, &report, error, sizeof error)) {
        fprintf(stderr, "memory: %s: %s\n", expected->name, error);
        _exit(1);
    }
    if (report->exit_status)
        fprintf(stderr, "memory: %s: the program's status is %d\n", expected->name, report->exit_status);
    _exit(report->exit_status != 0);
}

/* nv_run wants a process of its own. */
static bool run_program(const struct run *run, const struct expected *expected)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        record(run, expected);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* -- what the events say -- */

struct told {
    uint32_t object;
    uint32_t threads[THREADS_MAX];
    size_t thread_count;
    char *text;
    size_t text_bytes, text_room;
    uint8_t *content;
    size_t content_bytes;
};

static char letter(struct told *told, uint32_t thread)
{
    size_t i = 0;

    while (i < told->thread_count && told->threads[i] != thread)
        i++;
    if (i == told->thread_count && i < THREADS_MAX)
        told->threads[told->thread_count++] = thread;
    return (char)('a' + i);
}

static const char *const names[NV_TRACE_KINDS] = {
    [NV_TRACE_MAP] = "map",         [NV_TRACE_UNMAP] = "unmap", [NV_TRACE_STORE] = "store",
    [NV_TRACE_CHANGED] = "changed", [NV_TRACE_FLUSH] = "flush", [NV_TRACE_DRAIN] = "drain",
    [NV_TRACE_PROMISE] = "promise",
};

static void describe(struct told *told, const struct nv_trace_event *event, FILE *text)
{
    uint64_t length = event->payload_bytes ? event->payload_bytes : event->length;

    if (!names[event->kind])
        return;
    fprintf(text, "%c %s%s%s%s", letter(told, event->thread), names[event->kind],
            event->flags & NV_TRACE_WORDS ? " words" : "", event->flags & NV_TRACE_ALL_THREADS ? " all" : "",
            event->flags & NV_TRACE_FAILED ? " failed" : "");
    if (event->kind == NV_TRACE_PROMISE)
        fprintf(text, " %.*s", (int)event->payload_bytes, (const char *)nv_trace_payload(event));
    else if (event->kind != NV_TRACE_DRAIN)
        fprintf(text, " %llu+%llu", (unsigned long long)event->offset, (unsigned long long)length);
    fputc('\n', text);
}

static void resize(struct told *told, uint64_t bytes)
{
    told->content = realloc(told->content, bytes + 1);
    if (!told->content)
        give_up("replay");
    if (bytes > told->content_bytes)
        memset(told->content + told->content_bytes, 0, bytes - told->content_bytes);
    told->content_bytes = bytes;
}

/* What a mapping holds behind the file's end is not the file's. */
static void replay(struct told *told, const struct nv_trace_event *event)
{
    uint64_t end = event->offset + event->payload_bytes;

    if (event->object != told->object)
        return;
    if (event->kind == NV_TRACE_SIZE)
        resize(told, event->length);
    if (event->kind == NV_TRACE_ZERO)
        memset(told->content + event->offset, 0, event->length);
    if (event->kind == NV_TRACE_WRITE && end > told->content_bytes)
        resize(told, end);
    if (event->kind != NV_TRACE_WRITE && event->kind != NV_TRACE_STORE && event->kind != NV_TRACE_CHANGED)
        return;
    if (end > told->content_bytes)
        end = told->content_bytes;
    if (end > event->offset)
        memcpy(told->content + event->offset, nv_trace_payload(event), end - event->offset);
}

static void read_events(struct told *told, const struct nv_trace *trace)
{
    FILE *text = open_memstream(&told->text, &told->text_bytes);

    for (size_t i = 0; i < trace->event_count && !told->object; i++)
        if (trace->events[i]->kind == NV_TRACE_MAP)
            told->object = trace->events[i]->object;
    for (size_t i = 0; i < trace->event_count; i++) {
        replay(told, trace->events[i]);
        describe(told, trace->events[i], text);
    }
    fclose(text);
}

static bool same_content(const struct run *run, const struct told *told)
{
    int fd = open(run->file, O_RDONLY);
    struct stat status;
    uint8_t *held;
    bool same;

    if (fd < 0 || fstat(fd, &status))
        give_up("read the file");
    held = malloc((size_t)status.st_size + 1);
    if (!held || read(fd, held, (size_t)status.st_size) != status.st_size)
        give_up("read the file");
    close(fd);
    same = told->content_bytes == (size_t)status.st_size && !memcmp(held, told->content, told->content_bytes);
    for (size_t i = 0; !same && i < told->content_bytes && i < (size_t)status.st_size; i++)
        if (held[i] != told->content[i]) {
            fprintf(stderr, "  at %zu the file holds %02x, and the events say %02x\n", i, held[i], told->content[i]);
            break;
        }
    if (!same && told->content_bytes != (size_t)status.st_size)
        fprintf(stderr, "  %zu bytes are told of %zu\n", told->content_bytes, (size_t)status.st_size);
    free(held);
    return same;
}

static bool judge(const struct run *run, const char *wanted)
{
    struct told told = {0};
    struct nv_trace *trace;
    char error[256];
    bool good;

    if (nv_trace_load(run->trace, &trace, error, sizeof error)) {
        fprintf(stderr, "  %s\n", error);
        return false;
    }
    read_events(&told, trace);
    good = !strcmp(wanted, ANY) || !strcmp(wanted, told.text);
    if (!good)
        fprintf(stderr, "  expected:\n%s  told:\n%s", wanted, told.text);
    good = same_content(run, &told) && good;
    nv_trace_free(trace);
    free(told.text);
    free(told.content);
    return good;
}

static bool wants(const struct expected *expected, char **cases)
{
    if (!*cases)
        return true;
    while (*cases && strcmp(*cases, expected->name))
        cases++;
    return *cases != NULL;
}

static bool is_short(const struct run *run)
{
    struct stat status;

    if (stat(run->trace, &status))
        give_up("look at the trace");
    if (status.st_size > TRACE_BYTES_MAX)
        fprintf(stderr, "  the trace has %lld bytes\n", (long long)status.st_size);
    return status.st_size <= TRACE_BYTES_MAX;
}

static unsigned check(const struct run *run, const struct expected *expected, bool stores)
{
    const char *wanted = stores && expected->stores ? expected->stores : expected->pages;

    make_file(run);
    if (run_program(run, expected) && judge(run, wanted) && is_short(run))
        return 0;
    fprintf(stderr, "%s on %s%s: wrong\n", expected->name, NvrtlDomainName(expected->domain),
            stores ? ", at the level of stores" : "");
    return 1;
}

static void begin(struct run *run, char **arguments)
{
    run->verifier = realpath(arguments[0], NULL);
    run->program = realpath(arguments[1], NULL);
    if (strchr(arguments[2], '='))
        run->libpmem = strchr(arguments[2], '=') + 1;
    if (!run->verifier || !run->program || !mkdtemp(run->folder))
        give_up("begin");
    snprintf(run->files, sizeof run->files, "%s/files", run->folder);
    snprintf(run->file, sizeof run->file, "%s/data", run->files);
    snprintf(run->trace, sizeof run->trace, "%s/trace", run->folder);
    if (mkdir(run->files, 0700))
        give_up("make a folder");
}

static void end(struct run *run)
{
    (void)unlink(run->file);
    (void)unlink(run->trace);
    (void)rmdir(run->files);
    (void)rmdir(run->folder);
    free((char *)(uintptr_t)run->verifier);
    free((char *)(uintptr_t)run->program);
}

int main(int argc, char **argv)
{
    struct run run = {.folder = "/tmp/nvrtl-memory-XXXXXX"};
    const struct expected *table = with_token;
    size_t count = sizeof with_token / sizeof *with_token;
    unsigned wrong = 0, done = 0;

    if (argc < 4)
        return 2;
    begin(&run, argv + 1);
    if (!strncmp(argv[3], "lines", 5)) {
        table = with_lines;
        count = sizeof with_lines / sizeof *with_lines;
    }
    if (!strcmp(argv[3], "million")) {
        table = in_short;
        count = 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!wants(&table[i], argv + 4))
            continue;
        wrong += check(&run, &table[i], !strcmp(argv[3], "stores"));
        done++;
    }
    end(&run);
    printf("%u cases, %u wrong\n", done, wrong);
    return wrong != 0;
}
