/* SPDX-License-Identifier: MIT */
/*
 * Owns the run without a supervisor: its words and its ledger, which tokens hold which view, and when it is judged.
 * Called by seam.c, engine.c and files.c in the place of a supervisor, and by the library that sees the program's
 * calls.
 */
#include "verify/alone.h"
#include "nvrtl/status.h"
#include "verify/alone_syncs.h"
#include "verify/alone_views.h"
#include "verify/apart.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_VARIABLE "NVRTL_VERIFIER_OUTPUT"
#define RESULT_VARIABLE "NVRTL_VERIFIER_RESULT" /* nvrtl check reads it */
#define SUPPRESSIONS_VARIABLE "NVRTL_VERIFIER_SUPPRESSIONS"

bool nv_alone_on;

static struct {
    const struct nv_runtime *runtime;
    const struct nv_alone_judge *judge;
    struct nv_ledger *ledger;
    struct nv_alone_run run;
    char *words;
    pid_t process;   /* that is verified: a child that shares the memory for a while is not */
    unsigned groups; /* begun, and not ended */
    bool concluded;  /* or the child of a fork, which is not verified */
    bool gives_up;   /* the program is exiting with a status */
} alone;

/* A view is looked for while one is looked at. Held around what other locks nest in, and never the other way. */
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* -- judging -- */

static const char *const sentences[] = {
    [NV_ALONE_RACED] =
        "the program's other threads could not be held while a token was freed (ptrace was refused): what "
        "they stored to its memory in that moment may be lost",
    [NV_ALONE_MISSING] =
        "memory was unmapped before its token was freed: what it held and was not durable was lost, as "
        "at a power failure, and was not judged",
    [NV_ALONE_STAYS] = "memory under a token could not be given back to its file: there was not enough memory",
};

/* Apart: the judge looks into the file. */
static void judge(void *context)
{
    const struct nv_alone_pages *pages = context;

    alone.judge->judge(alone.ledger, pages->file->id, pages->pages, pages->count, alone.gives_up);
}

static void end_view(struct nv_alone_view *view)
{
    struct nv_alone_pages pages;
    enum nv_alone_end end = nv_alone_views_end(view, alone.runtime, &pages);

    if (end != NV_ALONE_ENDED)
        alone.judge->not_seen(sentences[end]);
    if (pages.count != 0 && alone.ledger->domain != NvrtlDomainMemory)
        (void)nv_apart(judge, &pages);
    nv_alone_pages_free(&pages);
}

/* The list moves up when a view is taken out of it. */
static void end_views(const char *start, const char *end, bool all)
{
    struct nv_alone_view *view;
    size_t number = 0;

    while ((view = nv_alone_views_next(&number, start, end)) != NULL)
        if (all || view->tokens == 0) {
            end_view(view);
            number = 0;
        }
}

#define LOWEST ((const char *)0)
#define HIGHEST ((const char *)UINTPTR_MAX)

void nv_alone_conclude(int status)
{
    if (!nv_alone_on || getpid() != alone.process)
        return;
    pthread_mutex_lock(&mutex);
    if (!alone.concluded) {
        alone.concluded = true;
        alone.gives_up = status != 0;
        alone.run.status = status;
        nv_alone_syncs_count(&alone.run);
        end_views(LOWEST, HIGHEST, true);
        alone.judge->report(&alone.run);
    }
    pthread_mutex_unlock(&mutex);
}

/* A mapping goes: what is judged now had its last chance. */
void nv_alone_unmap(const void *address, size_t size_bytes)
{
    const char *start = address;

    pthread_mutex_lock(&mutex);
    if (!alone.concluded)
        end_views(start, start + size_bytes, true);
    pthread_mutex_unlock(&mutex);
}

/* -- tokens -- */

bool nv_alone_is_view(const void *address)
{
    const char *byte = address;
    size_t number = 0;
    bool found;

    pthread_mutex_lock(&mutex);
    found = nv_alone_views_next(&number, byte, byte + 1) != NULL;
    pthread_mutex_unlock(&mutex);
    return found;
}

static bool add_view(const struct nv_segment *segment)
{
    struct nv_alone_file *known = nv_alone_files_find(segment->device, segment->inode);
    struct nv_alone_file *file = nv_alone_files_meet(segment);
    bool added =
        file != NULL && (known != NULL || alone.judge->meet(file->id, file->path)) && nv_alone_views_add(file, segment);

    if (!added)
        alone.judge->not_seen(
            "memory under a token whose file cannot be opened by its path, or not be mapped privately");
    else if (known == NULL)
        alone.run.files++;
    return added;
}

static void count_in(const struct nv_region *region)
{
    struct nv_alone_view *view;
    size_t number = 0;

    while ((view = nv_alone_views_next(&number, region->base, region->base + region->size_bytes)) != NULL)
        view->tokens++;
}

static bool take(const struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!add_view(&segments[i])) {
            if (alone.groups == 0)
                end_views(LOWEST, HIGHEST, false);
            return false;
        }
    alone.run.bytes += region->size_bytes;
    count_in(region);
    return true;
}

bool nv_alone_bind(const struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    int before = errno;
    bool bound;

    pthread_mutex_lock(&mutex);
    if (region->for_one_call || alone.concluded)
        bound = nv_alone_is_view(region->base);
    else
        bound = take(region, segments, count);
    pthread_mutex_unlock(&mutex);
    errno = before;
    return bound;
}

void nv_alone_release(const struct nv_region *region)
{
    struct nv_alone_view *view;
    size_t number = 0;
    int before = errno;

    pthread_mutex_lock(&mutex);
    while ((view = nv_alone_views_next(&number, region->base, region->base + region->size_bytes)) != NULL)
        view->tokens -= view->tokens != 0;
    if (alone.groups == 0 && !alone.concluded)
        end_views(region->base, region->base + region->size_bytes, false);
    pthread_mutex_unlock(&mutex);
    errno = before;
}

void nv_alone_group(bool begins)
{
    int before = errno;

    pthread_mutex_lock(&mutex);
    if (begins)
        alone.groups++;
    else if (--alone.groups == 0 && !alone.concluded)
        end_views(LOWEST, HIGHEST, false);
    pthread_mutex_unlock(&mutex);
    errno = before;
}

/* -- in place of the supervisor's answers -- */

NTSTATUS nv_alone_map(uint64_t device, uint64_t inode, uint32_t *id, struct nv_file_map **map)
{
    struct nv_alone_file *file = nv_alone_files_find(device, inode);

    if (file == NULL)
        return NV_VERIFIER_NOT_AT_STAKE;
    *map = calloc(1, sizeof **map);
    if (*map == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    (*map)->bytes = file->bytes;
    (*map)->durable = file->durable;
    (*map)->header = file->header;
    (*map)->pages = file->pages;
    *id = file->id;
    return STATUS_SUCCESS;
}

void nv_alone_measure(uint64_t device, uint64_t inode)
{
    struct nv_alone_file *file = nv_alone_files_find(device, inode);

    if (file != NULL)
        (void)nv_alone_files_measure(file);
}

/* The first byte of the view that is not durable, in [offset, end) of the file. */
static uint64_t first_difference(const struct nv_alone_view *view, uint64_t offset, uint64_t end)
{
    uint64_t from = offset > view->offset ? offset : view->offset;
    uint64_t to = view->offset + (uint64_t)(view->end - view->start);
    const char *content = view->start - view->offset;

    to = end < to ? end : to;
    for (uint64_t at = from; at < to; at++)
        if (content[at] != view->file->durable[at])
            return at;
    return NV_VERIFIER_EQUAL;
}

static uint64_t compare(uint32_t file, uint64_t offset, uint64_t end)
{
    uint64_t least = NV_VERIFIER_EQUAL;
    struct nv_alone_view *view;
    size_t number = 0;

    pthread_mutex_lock(&mutex);
    while ((view = nv_alone_views_next(&number, LOWEST, HIGHEST)) != NULL) {
        uint64_t found = view->file->id == file ? first_difference(view, offset, end) : NV_VERIFIER_EQUAL;

        least = found < least ? found : least;
    }
    pthread_mutex_unlock(&mutex);
    return least;
}

NTSTATUS nv_alone_answer(const struct nv_verifier_request *request, struct nv_verifier_reply *reply)
{
    const struct nv_alone_file *file;

    if (request->kind == NV_VERIFIER_COMPARE) {
        reply->offset = compare(request->file, request->offset, request->end);
        return STATUS_SUCCESS;
    }
    if (request->kind != NV_VERIFIER_NAME)
        return STATUS_NOT_SUPPORTED;
    file = nv_alone_files_find(request->device, request->inode);
    reply->file = file != NULL ? file->id : 0;
    return file != NULL ? STATUS_SUCCESS : NV_VERIFIER_NOT_AT_STAKE;
}

/* -- beginning -- */

void nv_alone_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_alone_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

static bool take_domain(const char *name)
{
    static const struct {
        const char *name;
        NVRTL_DOMAIN domain;
    } known[] = {
        {"memory", NvrtlDomainMemory}, {"cpu-cache", NvrtlDomainCpuCache}, {"page-cache", NvrtlDomainPageCache}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            alone.ledger->domain = (uint32_t)known[i].domain;
            return true;
        }
    return false;
}

static bool take_word(char *word)
{
    char *value = strchr(word, '=');

    if (value != NULL)
        *value++ = '\0';
    if (strcmp(word, "1") == 0)
        return true;
    if (strcmp(word, "performance") == 0)
        alone.ledger->performance = 1;
    else if (strcmp(word, "gen-suppressions") == 0)
        alone.run.generate = true;
    else if (value != NULL && strcmp(word, "domain") == 0)
        return take_domain(value);
    else if (value != NULL && strcmp(word, "format") == 0)
        alone.run.format = value;
    else if (value != NULL && strcmp(word, "fail-sync") == 0)
        alone.ledger->fail_sync = strtoull(value, NULL, 10);
    else
        return false;
    return true;
}

/* What is not known asks for something that this version cannot do. */
static bool take_words(const char *words)
{
    char *rest = NULL;
    bool good = true;

    alone.words = strdup(words);
    if (alone.words == NULL)
        return false;
    for (char *word = strtok_r(alone.words, ",", &rest); word != NULL && good; word = strtok_r(NULL, ",", &rest))
        good = take_word(word);
    return good;
}

/* Beside this library, or where it is in the build tree. */
static void *load_library(void)
{
    static const char *const places[] = {"%.*s/" NV_ALONE_LIBRARY, "%.*s/../alone/" NV_ALONE_LIBRARY};
    char path[4096];
    void *library = NULL;
    Dl_info here;
    const char *slash = dladdr(&alone, &here) != 0 ? strrchr(here.dli_fname, '/') : NULL;

    for (size_t i = 0; slash != NULL && library == NULL && i < sizeof places / sizeof *places; i++)
        if (snprintf(path, sizeof path, places[i], (int)(slash - here.dli_fname), here.dli_fname) < (int)sizeof path)
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return library;
}

static const struct nv_alone_judge *load_judge(void)
{
    nv_alone_judge_entry *entry = NULL;
    const struct nv_alone_judge *judge;
    void *library = load_library();

    if (library != NULL)
        *(void **)&entry = dlsym(library, NV_ALONE_ENTRY);
    judge = entry != NULL ? entry() : NULL;
    return judge != NULL && judge->version == NV_ALONE_VERSION ? judge : NULL;
}

/* on_exit(): behind all that the program itself does at its end. */
static void at_exit(int status, void *unused)
{
    (void)unused;
    nv_alone_conclude(status);
}

struct nv_ledger *nv_alone_open(const char *words, const struct nv_runtime *runtime)
{
    struct nv_ledger *ledger;
    struct timespec now;

    if (words == NULL || words[0] != '1')
        return NULL;
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ledger == MAP_FAILED)
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ledger->began_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    ledger->domain = NvrtlDomainCpuCache;
    alone.ledger = ledger;
    alone.runtime = runtime;
    alone.process = getpid();
    alone.judge = load_judge();
    alone.run = (struct nv_alone_run){
        .ledger = ledger,
        .output = secure_getenv(OUTPUT_VARIABLE),
        .result = secure_getenv(RESULT_VARIABLE),
        .suppressions = secure_getenv(SUPPRESSIONS_VARIABLE),
    };
    if (alone.judge == NULL || !take_words(words) || on_exit(at_exit, NULL) != 0) {
        dprintf(STDERR_FILENO, "nvrtl: nothing is verified: %s\n",
                alone.judge == NULL ? NV_ALONE_LIBRARY " cannot be loaded"
                                    : "NVRTL_VERIFIER has a word that is not known");
        munmap(ledger, sizeof *ledger);
        return NULL;
    }
    nv_alone_files_open(runtime);
    alone.run.calls = nv_alone_syncs_open();
    nv_alone_on = true;
    return ledger;
}

/* -- fork -- */

void nv_alone_before_fork(void)
{
    size_t number = 0;

    pthread_mutex_lock(&mutex);
    if (nv_alone_on && !alone.concluded && nv_alone_views_next(&number, LOWEST, HIGHEST) != NULL)
        alone.judge->not_seen("the program forked while it held tokens: what a child stores to their memory is the "
                              "child's own, and is lost");
}

/* A child has its parent's views as its own copies, and gives nothing back. */
void nv_alone_after_fork(bool child)
{
    alone.concluded = alone.concluded || child;
    if (child)
        mutex = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    else
        pthread_mutex_unlock(&mutex);
}
