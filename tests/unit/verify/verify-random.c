/* SPDX-License-Identifier: MIT */
/*
 * Random operations by several threads on several files, against a model of lines that is as plain as can be. The
 * threads take turns, so that a seed replays. Then all at once, with what must hold whatever the order.
 *
 * usage: verify-random [--seed N] [--operations N] DOMAIN
 */
#include "nvrtl/status.h"
#include "tests/unit/verify/run.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 3
#define FILES 2
#define FILE_BYTES ((uint64_t)4 * 4096)
#define LINES (FILE_BYTES / 64)
#define TOKENS 6

/* What is in flight in the model: an endless list, in order. */
struct flown {
    int file, thread;
    uint64_t line;
    uint32_t version;
    char content[64];
};

static struct {
    char view[FILE_BYTES], durable[FILE_BYTES];
    uint32_t flushes[LINES], committed[LINES];
} model[FILES];
static struct flown *flight;
static size_t flight_count, flight_room;
static bool flushed_by[THREADS][FILES]; /* page-cache: what a default drain covers */

static NVRTL_DOMAIN domain;
static struct run_file *files[FILES];
static char *both; /* the second mapping: all files, side by side */
static uint64_t random_state;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint64_t roll(uint64_t sides)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % sides;
}

static void model_flush_line(int thread, int file, uint64_t line)
{
    if (flight_count == flight_room) {
        flight_room = flight_room * 2 + 64;
        flight = realloc(flight, flight_room * sizeof *flight);
    }
    flight[flight_count] = (struct flown){.file = file, .thread = thread, .line = line};
    flight[flight_count].version = model[file].flushes[line] += 1;
    memcpy(flight[flight_count].content, model[file].view + line * 64, 64);
    flight_count++;
}

/* `at` counts through the files, side by side. */
static void model_flush(int thread, uint64_t at, uint64_t size_bytes)
{
    uint64_t grain = domain == NvrtlDomainPageCache ? 4096 : 64;

    if (size_bytes == 0)
        return;
    for (uint64_t line = at / grain * grain / 64; line < (at + size_bytes + grain - 1) / grain * grain / 64; line++) {
        flushed_by[thread][line / LINES] = true;
        model_flush_line(thread, (int)(line / LINES), line % LINES);
    }
}

static void model_drain(int thread, const bool *of_files)
{
    size_t left = 0;

    for (size_t i = 0; i < flight_count; i++) {
        struct flown *flown = &flight[i];

        if (domain == NvrtlDomainPageCache ? !of_files[flown->file] : flown->thread != thread) {
            flight[left++] = *flown;
            continue;
        }
        if (flown->version <= model[flown->file].committed[flown->line])
            continue;
        model[flown->file].committed[flown->line] = flown->version;
        memcpy(model[flown->file].durable + flown->line * 64, flown->content, 64);
    }
    flight_count = left;
}

static void model_sync(int file)
{
    memcpy(model[file].durable, model[file].view, FILE_BYTES);
    memcpy(model[file].committed, model[file].flushes, sizeof model[file].flushes);
}

static void compare(void)
{
    for (int file = 0; file < FILES; file++) {
        CHECK(memcmp(files[file]->view, model[file].view, FILE_BYTES) == 0);
        CHECK(memcmp(files[file]->durable, model[file].durable, FILE_BYTES) == 0);
        for (uint64_t line = 0; line < LINES; line++) {
            CHECK(run_line(files[file], line * NV_LINE_BYTES).flushes == model[file].flushes[line]);
            CHECK(run_line(files[file], line * NV_LINE_BYTES).committed == model[file].committed[line]);
        }
    }
}

/* A token: a range of the files side by side, in one of the ways that it is mapped. */
struct token {
    struct nv_region region;
    uint64_t at;
    bool of_files[FILES];
};

static struct token tokens[TOKENS];

static void make_token(struct token *token)
{
    uint64_t all = FILE_BYTES * FILES, size_bytes = 1 + roll(all);

    token->at = roll(all - size_bytes + 1);
    for (uint64_t file = 0; file < FILES; file++)
        token->of_files[file] = token->at < (file + 1) * FILE_BYTES && token->at + size_bytes > file * FILE_BYTES;
    if (token->of_files[0] != token->of_files[1] && roll(2) != 0)
        token->region.base = files[token->of_files[1]]->view + token->at % FILE_BYTES;
    else
        token->region.base = both + token->at;
    CHECK(run_token(token->region.base, size_bytes, &token->region) == STATUS_SUCCESS);
}

struct range {
    char *address;
    uint64_t at, size_bytes; /* at: in the files side by side */
};

static struct range some_range(const struct token *token)
{
    uint64_t size_bytes = roll(4) != 0 ? roll(200) : roll(token->region.size_bytes + 1), offset;

    if (size_bytes > token->region.size_bytes)
        size_bytes = token->region.size_bytes;
    offset = roll(token->region.size_bytes - size_bytes + 1);
    return (struct range){token->region.base + offset, token->at + offset, size_bytes};
}

static void model_store(const struct range *range, const char *content)
{
    for (uint64_t i = 0; i < range->size_bytes; i++)
        model[(range->at + i) / FILE_BYTES].view[(range->at + i) % FILE_BYTES] = content[i];
}

static void do_write(int thread, struct token *token)
{
    static char content[FILE_BYTES * FILES];
    static const uint32_t flags[] = {0, 1, 2, 3, 0x100, 0x101, 0x102, 0x103};
    struct range range = some_range(token);
    uint32_t flag = flags[roll(8)];
    bool fills = roll(2) != 0, drains = (flag & 0x100) == 0 || (flag & 3) == 3 || (fills && (flag & 3) == 2);
    char value = (char)roll(256);

    for (uint64_t i = 0; i < range.size_bytes; i++)
        content[i] = fills ? value : (char)roll(256);
    model_store(&range, content);
    if ((flag & 3) != 0)
        model_flush(thread, range.at, range.size_bytes);
    if ((flag & 3) != 0 && drains)
        model_drain(thread, token->of_files);
    if (fills)
        token->region.engine->fill(&token->region, range.address, range.size_bytes, (uint8_t)value, flag, NULL);
    else
        run_write(&token->region, range.address, content, range.size_bytes, flag);
}

static void do_store_and_flush(int thread, struct token *token)
{
    struct range range = some_range(token), flushed = some_range(token);
    char content[256];
    uint32_t flag = (uint32_t)roll(2);

    if (range.size_bytes > sizeof content)
        range.size_bytes = sizeof content;
    memset(content, (int)roll(256), sizeof content);
    model_store(&range, content);
    memcpy(range.address, content, range.size_bytes);
    model_flush(thread, flushed.at, flushed.size_bytes);
    if (flag == 0)
        model_drain(thread, token->of_files);
    run_flush(&token->region, flushed.address, flushed.size_bytes, flag);
}

static void do_ranges(int thread, struct token *token)
{
    NV_MEMORY_RANGE ranges[5];
    size_t count = roll(6);
    uint32_t flag = (uint32_t)roll(2);

    for (size_t i = 0; i < count; i++) {
        struct range range = some_range(token);

        ranges[i].BaseAddress = range.address;
        ranges[i].Length = range.size_bytes;
        model_flush(thread, range.at, range.size_bytes);
    }
    if (flag == 0)
        model_drain(thread, token->of_files);
    token->region.engine->flush_ranges(&token->region, ranges, count, flag, NULL);
}

static void do_sync(int thread, struct token *token)
{
    int file = (int)roll(FILES);

    (void)thread, (void)token;
    model_sync(file);
    run_sync(files[file]);
}

static void do_drain(int thread, struct token *token)
{
    if (roll(2) != 0) {
        model_drain(thread, token->of_files);
        run_drain(&token->region);
        return;
    }
    model_drain(thread, flushed_by[thread]);
    memset(flushed_by[thread], 0, sizeof flushed_by[thread]);
    run_seam->drain_default(NULL);
}

static void do_new_token(int thread, struct token *token)
{
    (void)thread;
    token->region.engine->release(&token->region, NULL);
    make_token(token);
}

static void one_operation(int thread)
{
    static void (*const operations[])(int, struct token *) = {
        do_write,  do_write, do_write, do_store_and_flush, do_store_and_flush,
        do_ranges, do_drain, do_sync,  do_new_token,
    };

    operations[roll(sizeof operations / sizeof *operations)](thread, &tokens[roll(TOKENS)]);
}

/* Threads that take turns: `turn` is who may go. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int turn;
    unsigned long left;
} relay = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *take_turns(void *argument)
{
    int self = (int)(intptr_t)argument;

    pthread_mutex_lock(&relay.mutex);
    while (relay.left > 0) {
        if (relay.turn != self) {
            pthread_cond_wait(&relay.changed, &relay.mutex);
            continue;
        }
        one_operation(self);
        compare();
        relay.left--;
        relay.turn = (int)roll(THREADS);
        pthread_cond_broadcast(&relay.changed);
    }
    pthread_mutex_unlock(&relay.mutex);
    return NULL;
}

static void in_threads(void *(*work)(void *))
{
    pthread_t threads[THREADS];

    for (intptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/*
 * At once: each thread has a word of its own in every line, and counts it up. When a write is durable on return, the
 * word is so; and since it only grows, it never goes back behind that, whichever thread's older copy of the line is
 * drained last. (What nobody was told to be durable may come and go.)
 */
static unsigned long rounds;
static _Atomic uint64_t told[8][THREADS];

static uint64_t durable_word(uint64_t line, int thread)
{
    return __atomic_load_n((uint64_t *)(void *)files[0]->durable + line * 8 + (uint64_t)thread, __ATOMIC_RELAXED);
}

static void *count_up(void *argument)
{
    int self = (int)(intptr_t)argument;
    struct nv_region region = {0};

    for (uint64_t i = 1; i <= rounds; i++) {
        uint64_t line = i / 64 % 7, *word = (uint64_t *)(void *)files[0]->view + line * 8 + (uint64_t)self;

        if (i % 64 == 1)
            CHECK(run_token(files[0]->view + i / 64 % 64, FILE_BYTES - 64, &region) == STATUS_SUCCESS);
        if (i % 5 == 0)
            run_write(&region, word, &i, 8, WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN);
        else
            run_write(&region, word, &i, 8, WRITE_NV_MEMORY_FLAG_PERSIST);
        if (i % 5 != 0) {
            CHECK(durable_word(line, self) == i);
            atomic_store(&told[line][self], i);
        }
        for (int thread = 0; thread < THREADS; thread++) {
            uint64_t least = atomic_load(&told[line][thread]);

            CHECK(durable_word(line, thread) >= least);
        }
    }
    return NULL;
}

static void set_up(void)
{
    run_start(domain);
    for (int i = 0; i < FILES; i++)
        files[i] = run_file(FILE_BYTES, true);
    both = run_map_both(files[0], files[1]);
    for (int i = 0; i < TOKENS; i++)
        make_token(&tokens[i]);
    /* So that what has been asked for never decides what a sync copies. */
    CHECK(run_token(both, FILE_BYTES * FILES, &tokens[0].region) == STATUS_SUCCESS);
    tokens[0].at = 0;
    tokens[0].of_files[0] = tokens[0].of_files[1] = true;
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)time(NULL);

    relay.left = 5000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--operations") == 0 && i + 1 < argc)
            relay.left = strtoul(argv[++i], NULL, 0);
        else
            domain = strcmp(argv[i], "page-cache") == 0 ? NvrtlDomainPageCache : NvrtlDomainCpuCache;
    }
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    random_state = seed * 2 + 1;
    rounds = relay.left * 40;
    set_up();
    in_threads(take_turns);
    memset(files[0]->view, 0, FILE_BYTES);
    run_sync(files[0]);
    in_threads(count_up);
    free(flight);
    return 0;
}
