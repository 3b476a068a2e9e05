/* SPDX-License-Identifier: MIT */
/* The verified engines, case by case: what the flags and the simulated domain make of a write, a flush and a drain. */
#include "nvrtl/status.h"
#include "tests/unit/verify/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NO_DRAIN FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN
#define FILE_BYTES ((uint64_t)64 * 1024)

static NVRTL_DOMAIN domain;
static struct run_file *file;
static struct nv_region token;

static int fresh_file(void **state)
{
    (void)state;
    if (file == NULL)
        file = run_file(FILE_BYTES, true);
    memset(file->view, 0, FILE_BYTES);
    assert_int_equal(run_token(file->view, FILE_BYTES, &token), STATUS_SUCCESS);
    run_seam->drain_default(NULL);
    run_sync(file);
    return 0;
}

static bool durable_is(uint64_t offset, const char *text)
{
    return memcmp(file->durable + offset, text, strlen(text)) == 0;
}

static void table_is_of_a_verified_run(void **state)
{
    (void)state;
    assert_true(run_seam->verified);
    assert_true(run_seam->forced);
    assert_int_equal(run_seam->version, NV_SEAM_VERSION);
    assert_int_equal(token.engine->domain, domain);
}

static void flush_is_durable_on_return(void **state)
{
    (void)state;
    memcpy(file->view + 100, "hello", 5);
    assert_int_equal(run_flush(&token, file->view + 100, 5, 0), STATUS_SUCCESS);
    assert_true(durable_is(100, "hello"));
    assert_int_equal(run_line(file, 100).committed, run_line(file, 100).flushes);
    if (domain == NvrtlDomainPageCache) /* single lines have passed the flight */
        assert_int_equal(run_line(file, 100).hash, nv_line_hash(file->view + 64));
    assert_true(run_line(file, 100).flush_place != 0);
}

static void flush_without_drain_is_in_flight(void **state)
{
    (void)state;
    memcpy(file->view, "hello", 5);
    assert_int_equal(run_flush(&token, file->view, 5, NO_DRAIN), STATUS_SUCCESS);
    assert_false(durable_is(0, "hello"));
    assert_int_equal(run_line(file, 0).flushes - run_line(file, 0).committed, 1);
    assert_int_equal(run_line(file, 0).hash, nv_line_hash(file->view));
    memcpy(file->view, "later", 5);
    assert_int_equal(run_drain(&token), STATUS_SUCCESS);
    assert_true(durable_is(0, "hello"));
    assert_int_equal(run_line(file, 0).flushes, run_line(file, 0).committed);
    assert_int_not_equal(run_line(file, 0).hash, nv_line_hash(file->view));
}

static void flush_covers_whole_units_and_no_more(void **state)
{
    uint64_t unit = domain == NvrtlDomainPageCache ? 4096 : 64;

    (void)state;
    memset(file->view, 'x', FILE_BYTES);
    assert_int_equal(run_flush(&token, file->view + 2 * 4096 + 70, 64, 0), STATUS_SUCCESS);
    for (uint64_t i = 0; i < FILE_BYTES; i++) {
        uint64_t first = (2 * 4096 + 70) / unit, last = (2 * 4096 + 70 + 63) / unit;

        assert_int_equal(file->durable[i], i / unit >= first && i / unit <= last ? 'x' : 0);
    }
}

static void older_flight_yields_to_a_sync(void **state)
{
    (void)state;
    memcpy(file->view, "older", 5);
    run_flush(&token, file->view, 5, NO_DRAIN);
    memcpy(file->view, "newer", 5);
    run_sync(file);
    run_drain(&token);
    assert_true(durable_is(0, "newer"));
}

static void *flush_older(void *unused)
{
    run_flush(&token, file->view, 5, NO_DRAIN);
    return unused;
}

static void drain_covers_own_flushes_or_all_pages(void **state)
{
    pthread_t thread;

    (void)state;
    memcpy(file->view, "hello", 5);
    pthread_create(&thread, NULL, flush_older, NULL);
    pthread_join(thread, NULL);
    run_drain(&token);
    assert_int_equal(durable_is(0, "hello"), domain == NvrtlDomainPageCache);
}

struct flag_case {
    uint32_t flags;
    bool flushed, durable_write, durable_fill;
};

static const struct flag_case flag_cases[] = {
    {0, false, false, false},
    {WRITE_NV_MEMORY_FLAG_NO_DRAIN, false, false, false},
    {WRITE_NV_MEMORY_FLAG_FLUSH, true, true, true},
    {WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN, true, false, false},
    {WRITE_NV_MEMORY_FLAG_NON_TEMPORAL, true, true, true},
    {WRITE_NV_MEMORY_FLAG_NON_TEMPORAL | WRITE_NV_MEMORY_FLAG_NO_DRAIN, true, false, true},
    {WRITE_NV_MEMORY_FLAG_PERSIST, true, true, true},
    {WRITE_NV_MEMORY_FLAG_PERSIST | WRITE_NV_MEMORY_FLAG_NO_DRAIN, true, true, true},
};

static void flags_of_write(void **state)
{
    for (size_t i = 0; i < sizeof flag_cases / sizeof *flag_cases; i++) {
        const struct flag_case *c = &flag_cases[i];
        uint32_t flushes;

        fresh_file(state);
        flushes = run_line(file, 64).flushes;
        file->pages[0].lines[1].write_place = 0;
        assert_int_equal(run_write(&token, file->view + 64, "hello", 5, c->flags), STATUS_SUCCESS);
        assert_memory_equal(file->view + 64, "hello", 5);
        assert_int_not_equal(run_line(file, 64).write_place, 0);
        assert_int_equal(run_line(file, 64).flushes - flushes, c->flushed);
        assert_int_equal(durable_is(64, "hello"), c->durable_write);
        run_drain(&token);
        assert_int_equal(durable_is(64, "hello"), c->flushed);
    }
}

static void flags_of_fill(void **state)
{
    for (size_t i = 0; i < sizeof flag_cases / sizeof *flag_cases; i++) {
        const struct flag_case *c = &flag_cases[i];
        uint32_t flushes;

        fresh_file(state);
        flushes = run_line(file, 64).flushes;
        assert_int_equal(token.engine->fill(&token, file->view + 64, 5, 'f', c->flags, NULL), STATUS_SUCCESS);
        assert_memory_equal(file->view + 64, "fffff", 5);
        assert_int_equal(run_line(file, 64).flushes - flushes, c->flushed);
        assert_int_equal(durable_is(64, "fffff"), c->durable_fill);
        run_drain(&token);
    }
}

static void write_may_overlap(void **state)
{
    (void)state;
    memcpy(file->view, "abcdefgh", 8);
    run_write(&token, file->view + 2, file->view, 6, WRITE_NV_MEMORY_FLAG_PERSIST);
    assert_true(durable_is(0, "ababcdef"));
}

static void ranges_drain_once(void **state)
{
    NV_MEMORY_RANGE ranges[] = {{file->view + 10, 3}, {file->view + 9000, 4}, {file->view + 20000, 0}};

    (void)state;
    memset(file->view, 'r', FILE_BYTES);
    token.engine->flush_ranges(&token, ranges, 3, NO_DRAIN, NULL);
    assert_false(durable_is(10, "rrr"));
    token.engine->flush_ranges(&token, NULL, 0, 0, NULL);
    assert_true(durable_is(10, "rrr"));
    assert_true(durable_is(9000, "rrrr"));
    assert_false(durable_is(20000, "r"));
}

static void drain_default_covers_what_the_thread_flushed(void **state)
{
    unsigned plain = run_plain_drains;

    (void)state;
    memcpy(file->view, "hello", 5);
    run_flush(&token, file->view, 5, NO_DRAIN);
    assert_int_equal(run_seam->drain_default(NULL), STATUS_SUCCESS);
    assert_true(durable_is(0, "hello"));
    assert_int_equal(run_plain_drains, plain + 1);
}

static void drain_of_one_call_waits_for_the_default_drain(void **state)
{
    struct nv_region region = {.for_one_call = true};

    (void)state;
    assert_int_equal(run_token(file->view, 64, &region), STATUS_SUCCESS);
    memcpy(file->view, "hello", 5);
    run_flush(&region, file->view, 5, NO_DRAIN);
    assert_int_equal(run_drain(&region), STATUS_SUCCESS);
    assert_false(durable_is(0, "hello"));
    run_seam->drain_default(NULL);
    assert_true(durable_is(0, "hello"));
}

/* More lines than a chunk of a flight holds, twice. */
static void flight_grows(void **state)
{
    static struct run_file *large;
    struct nv_region region = {0};

    (void)state;
    large = run_file(8 << 20, true);
    assert_int_equal(run_token(large->view, large->bytes, &region), STATUS_SUCCESS);
    for (char pass = 1; pass < 3; pass++) {
        memset(large->view, pass, large->bytes);
        run_flush(&region, large->view, large->bytes, NO_DRAIN);
        assert_int_equal(large->durable[large->bytes - 1], pass - 1);
        run_drain(&region);
        assert_memory_equal(large->durable, large->view, large->bytes);
    }
}

static void two_files_side_by_side(void **state)
{
    struct run_file *first = run_file(8192, true), *second = run_file(8192, true);
    char *both = run_map_both(first, second);
    struct nv_region region = {0};

    (void)state;
    assert_int_equal(run_token(both + 100, 16384 - 200, &region), STATUS_SUCCESS);
    run_write(&region, both + 8190, "abcd", 4, WRITE_NV_MEMORY_FLAG_PERSIST);
    assert_memory_equal(first->durable + 8190, "ab", 2);
    assert_memory_equal(second->durable, "cd", 2);
}

static void one_file_mapped_twice_side_by_side(void **state)
{
    struct run_file *twice = run_file(8192, true);
    char *both = run_map_both(twice, twice);
    struct nv_region region = {0};

    (void)state;
    assert_int_equal(run_token(both + 100, 16384 - 200, &region), STATUS_SUCCESS);
    run_write(&region, both + 8190, "abcd", 4, WRITE_NV_MEMORY_FLAG_PERSIST);
    assert_memory_equal(twice->durable + 8190, "ab", 2);
    assert_memory_equal(twice->durable, "cd", 2);
}

static void file_not_at_stake_is_bound_plain(void **state)
{
    struct run_file *other = run_file(4096, false);
    uint64_t tokens = run_ledger->tokens;
    unsigned plain = run_plain_binds;
    struct nv_region region = {0};

    (void)state;
    assert_int_equal(run_token(other->view, 4096, &region), STATUS_SUCCESS);
    assert_null(region.engine);
    assert_int_equal(run_plain_binds, plain + 1);
    assert_int_equal(run_ledger->tokens, tokens);
}

static void file_beside_one_not_at_stake_is_verified(void **state)
{
    struct run_file *first = run_file(4096, true), *second = run_file(4096, false);
    char *both = run_map_both(first, second);
    struct nv_region region = {0};

    (void)state;
    assert_int_equal(run_token(both, 8192, &region), STATUS_SUCCESS);
    run_write(&region, both + 4094, "abcd", 4, WRITE_NV_MEMORY_FLAG_PERSIST);
    assert_memory_equal(both + 4094, "abcd", 4);
    assert_memory_equal(first->durable + 4094, "ab", 2);
}

static void longer_token_asks_for_more_of_the_file(void **state)
{
    struct run_file *grown = run_file(65536, true);
    struct nv_region region = {0}, longer = {0};
    unsigned asked;

    (void)state;
    assert_int_equal(run_token(grown->view, 4096, &region), STATUS_SUCCESS);
    assert_int_equal(grown->asked_end, 4096);
    asked = grown->asked;
    assert_int_equal(run_token(grown->view + 100, 1000, &region), STATUS_SUCCESS);
    assert_int_equal(grown->asked, asked);
    assert_int_equal(run_token(grown->view, 65536, &longer), STATUS_SUCCESS);
    assert_int_equal(grown->asked_end, 65536);
    run_write(&longer, grown->view + 65530, "end", 3, WRITE_NV_MEMORY_FLAG_PERSIST);
    run_write(&region, grown->view + 100, "early", 5, WRITE_NV_MEMORY_FLAG_PERSIST);
    assert_memory_equal(grown->durable + 65530, "end", 3);
    assert_memory_equal(grown->durable + 100, "early", 5);
}

static void *flush_and_drain(void *flushed)
{
    run_flush(&token, file->view, 5, NO_DRAIN);
    *(_Atomic bool *)flushed = true;
    run_drain(&token);
    return NULL;
}

static void drain_keeps_away_from_what_is_held(void **state)
{
    _Atomic bool flushed = false;
    pthread_t thread;

    (void)state;
    file->header->held_to = 4096;
    memcpy(file->view, "older", 5);
    assert_int_equal(pthread_create(&thread, NULL, flush_and_drain, &flushed), 0);
    while (!flushed)
        sched_yield();
    for (int i = 0; i < 1000; i++)
        sched_yield();
    assert_false(durable_is(0, "older"));
    memcpy(file->durable, "newer", 5);
    run_commit(file, 0, run_line(file, 0).flushes);
    file->header->held_to = 0;
    pthread_join(thread, NULL);
    assert_true(durable_is(0, "newer"));
}

static void flush_after_the_sync_read_is_drained(void **state)
{
    uint32_t read;

    (void)state;
    read = run_line(file, 0).flushes;
    memcpy(file->view, "later", 5);
    run_flush(&token, file->view, 5, NO_DRAIN);
    run_commit(file, 0, read);
    run_drain(&token);
    assert_true(durable_is(0, "later"));
}

static void lock_of_a_dead_holder_is_broken(void **state)
{
    (void)state;
    run_page(file, 64)->lock |= NV_LOCKED;
    memcpy(file->view + 64, "alive", 5);
    assert_int_equal(run_flush(&token, file->view + 64, 5, 0), STATUS_SUCCESS);
    assert_true(durable_is(64, "alive"));
    assert_int_equal(run_line(file, 64).committed, run_line(file, 64).flushes);
}

/* Everything that the view holds is durable, and no page is locked. */
static void assert_all_durable(void)
{
    assert_memory_equal(file->durable, file->view, FILE_BYTES);
    for (uint64_t at = 0; at < FILE_BYTES; at += NV_LINE_BYTES)
        assert_int_equal(run_line(file, at).committed, run_line(file, at).flushes);
    for (uint64_t at = 0; at < FILE_BYTES; at += NV_PAGE_BYTES)
        assert_int_equal(run_page(file, at)->lock & NV_LOCKED, 0);
}

/* Whole pages, and parts of some. */
static void long_flush_is_durable_on_return(void **state)
{
    (void)state;
    memset(file->view, 'r', FILE_BYTES);
    assert_int_equal(run_flush(&token, file->view + 1, FILE_BYTES - 2, 0), STATUS_SUCCESS);
    assert_all_durable();
    memset(file->view + 5000, 's', 3000);
    assert_int_equal(run_flush(&token, file->view + 5001, 2998, 0), STATUS_SUCCESS);
    assert_all_durable();
}

static void versions_wrap(void **state)
{
    (void)state;
    for (size_t line = 0; line < NV_PAGE_LINES; line += 3)
        file->pages[0].lines[line].flushes = file->pages[0].lines[line].committed =
            UINT32_MAX - file->pages[0].page.passes;
    memset(file->view, 'w', FILE_BYTES);
    assert_int_equal(run_flush(&token, file->view, FILE_BYTES, 0), STATUS_SUCCESS);
    assert_all_durable();
    assert_int_equal(run_line(file, 0).flushes, 0);
    file->pages[0].page.lock = UINT32_MAX - 1;
    memset(file->view, 'W', 100);
    assert_int_equal(run_flush(&token, file->view, 100, 0), STATUS_SUCCESS);
    assert_all_durable();
    assert_int_not_equal(run_page(file, 0)->lock, 0);
}

/* He had several pages, and his patience is asked for once. */
static void locks_of_a_dead_holder(void **state)
{
    (void)state;
    for (uint64_t page = 3; page < FILE_BYTES / NV_PAGE_BYTES; page += 3)
        run_page(file, page * NV_PAGE_BYTES)->lock |= NV_LOCKED;
    memset(file->view, 'd', FILE_BYTES);
    assert_int_equal(run_flush(&token, file->view, FILE_BYTES, 0), STATUS_SUCCESS);
    assert_all_durable();
}

static void *flush_all(void *unused)
{
    (void)unused;
    run_flush(&token, file->view, FILE_BYTES, 0);
    return NULL;
}

/* Until the other thread has come to a line, and can go no further. */
static void await_flush_of(uint64_t offset)
{
    while (run_line(file, offset).flushes == 0)
        sched_yield();
    for (int i = 0; i < 1000; i++)
        sched_yield();
}

/* The supervisor waits for the locks in its range, so nobody waits for it who has some. */
static void held_line_unlocks_its_page(void **state)
{
    const uint64_t held = 40 * NV_LINE_BYTES;
    pthread_t thread;

    (void)state;
    memset(file->view, 'h', FILE_BYTES);
    file->header->held_from = held;
    file->header->held_to = held + NV_LINE_BYTES;
    assert_int_equal(pthread_create(&thread, NULL, flush_all, NULL), 0);
    await_flush_of(held);
    for (uint64_t at = 0; at < FILE_BYTES; at += NV_PAGE_BYTES)
        assert_true((run_page(file, at)->lock & NV_LOCKED) == 0 || at == 0);
    assert_int_equal(file->durable[held], 0);
    file->header->held_from = file->header->held_to = 0;
    pthread_join(thread, NULL);
    assert_all_durable();
}

/* Meanwhile the file is emptied, synced, and made as long as before. */
static void held_page_is_cut(void **state)
{
    pthread_t thread;

    (void)state;
    memset(file->view, 'h', FILE_BYTES);
    file->header->held_to = FILE_BYTES;
    assert_int_equal(pthread_create(&thread, NULL, flush_all, NULL), 0);
    await_flush_of(0);
    file->header->reach_bytes = 0;
    assert_int_equal(ftruncate(file->durable_fd, 0), 0);
    file->header->held_to = 0;
    pthread_join(thread, NULL);
    assert_all_durable();
}

static void locked_page_is_waited_for(void **state)
{
    const uint64_t locked = 5 * NV_PAGE_BYTES;
    pthread_t thread;

    (void)state;
    memset(file->view, 'l', FILE_BYTES);
    run_page(file, locked)->lock |= NV_LOCKED;
    assert_int_equal(pthread_create(&thread, NULL, flush_all, NULL), 0);
    await_flush_of(0);
    assert_int_equal(file->durable[locked], 0);
    nv_page_unlock(run_page(file, locked));
    pthread_join(thread, NULL);
    assert_all_durable();
}

static void *flush_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        __atomic_fetch_add(&file->view[i * 61 % (int)FILE_BYTES], 1, __ATOMIC_RELAXED);
        run_flush(&token, file->view + i % 100, FILE_BYTES - 100, i % 3 == 0 ? NO_DRAIN : 0);
    }
    run_drain(&token);
    return NULL;
}

static void pages_of_several_threads(void **state)
{
    pthread_t threads[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flush_often, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    run_flush(&token, file->view, FILE_BYTES, 0);
    assert_all_durable();
}

/* A page that was made durable whole has one record, until a line goes its own way. In the page cache none does. */
static void line_of_a_whole_page_goes_its_own_way(void **state)
{
    struct nv_line_record before, after, neighbour;

    (void)state;
    if (domain == NvrtlDomainPageCache)
        return;
    memset(file->view, 'p', NV_PAGE_BYTES);
    run_flush(&token, file->view, NV_PAGE_BYTES, 0);
    before = run_line(file, 320);
    memset(file->view + 320, 'q', 64);
    run_flush(&token, file->view + 320, 64, NO_DRAIN);
    after = run_line(file, 320);
    neighbour = run_line(file, 384);
    assert_int_equal(after.flushes - before.flushes, 1);
    assert_int_equal(after.committed, before.committed);
    assert_int_not_equal(after.flush_place, before.flush_place);
    assert_int_equal(neighbour.flush_place, before.flush_place);
    assert_int_equal(neighbour.flushes, neighbour.committed);
    run_drain(&token);
    assert_memory_equal(file->durable, file->view, NV_PAGE_BYTES);
    run_flush(&token, file->view, NV_PAGE_BYTES, 0);
    assert_int_not_equal(run_line(file, 320).flush_place, after.flush_place);
    assert_all_durable();
    neighbour = run_line(file, 384);
    run_flush(&token, file->view + 320, 64, 0);
    assert_int_not_equal(run_line(file, 320).flush_place, neighbour.flush_place);
    assert_int_equal(run_line(file, 384).flush_place, neighbour.flush_place);
}

static void older_flight_yields_to_a_whole_page(void **state)
{
    pthread_t thread;

    (void)state;
    for (int i = 0; i < 3; i++) {
        memcpy(file->view + 4096, "older", 5);
        run_flush(&token, file->view + 4096, 5, NO_DRAIN);
    }
    memcpy(file->view + 4096, "newer", 5);
    pthread_create(&thread, NULL, flush_all, NULL);
    pthread_join(thread, NULL);
    run_drain(&token);
    assert_true(durable_is(4096, "newer"));
    memcpy(file->view + 4096, "later", 5);
    run_flush(&token, file->view + 4096, 5, 0);
    assert_true(durable_is(4096, "later"));
    assert_all_durable();
}

static void places_of_writes_to_whole_pages(void **state)
{
    static char content[2 * NV_PAGE_BYTES + 64];
    struct nv_line_record line, neighbour;

    (void)state;
    memset(content, 'c', sizeof content);
    run_write(&token, file->view + 4096, content, sizeof content, WRITE_NV_MEMORY_FLAG_PERSIST);
    assert_all_durable();
    neighbour = run_line(file, 4096);
    assert_int_not_equal(neighbour.write_place, 0);
    assert_int_equal(run_line(file, 3 * 4096).write_place, neighbour.write_place);
    run_write(&token, file->view + 4096 + 64, content + 1, 7, 0);
    line = run_line(file, 4096 + 64);
    assert_int_not_equal(line.write_place, neighbour.write_place);
    assert_int_equal(line.flush_place, neighbour.flush_place);
    assert_int_equal(run_line(file, 4096).write_place, neighbour.write_place);
    token.engine->fill(&token, file->view + 4096, NV_PAGE_BYTES, 'f', 0, NULL);
    assert_int_equal(run_line(file, 4096 + 64).write_place, run_line(file, 4096).write_place);
}

static void *write_often(void *letter)
{
    char content[NV_PAGE_BYTES];

    memset(content, *(char *)letter, sizeof content);
    for (int i = 0; i < 3000; i++) {
        char *page = file->view + i % 5 * (int)NV_PAGE_BYTES;

        run_write(&token, page, content, NV_PAGE_BYTES, WRITE_NV_MEMORY_FLAG_PERSIST);
        run_write(&token, page + i % 60 * 64, content, 64, WRITE_NV_MEMORY_FLAG_PERSIST);
        run_flush(&token, page + i % 50 * 64, 640, NO_DRAIN);
        run_drain(&token);
    }
    return letter;
}

/* Whoever comes last: both images are the same. (In the page cache, nothing keeps these writes apart.) */
static void writes_of_several_threads(void **state)
{
    char letters[] = "xyz";
    pthread_t threads[3];

    (void)state;
    if (domain == NvrtlDomainPageCache)
        return;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, &letters[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_all_durable();
}

/* As when the program empties the file, syncs it, and makes it as long as before. */
static void cut_file_is_asked_for_again(void **state)
{
    (void)state;
    memcpy(file->view + 8192, "there", 5);
    run_flush(&token, file->view + 8192, 5, NO_DRAIN);
    file->header->reach_bytes = 0;
    assert_int_equal(ftruncate(file->durable_fd, 0), 0);
    run_drain(&token);
    assert_true(durable_is(8192, "there"));
    file->header->reach_bytes = 0;
    assert_int_equal(ftruncate(file->durable_fd, 0), 0);
    memcpy(file->view + 8192, "again", 5);
    run_flush(&token, file->view + 8192, 5, 0);
    assert_true(durable_is(8192, "again"));
}

static int lowest_free_descriptor(void)
{
    int descriptor;

    while (run_connections != 0)
        usleep(100);
    descriptor = dup(0);
    close(descriptor);
    return descriptor;
}

static void descriptors_are_left_as_they_were(void **state)
{
    struct run_file *other = run_file(4096, true);
    int before = lowest_free_descriptor();
    struct nv_region region = {0};

    (void)state;
    assert_int_equal(run_token(other->view, 4096, &region), STATUS_SUCCESS);
    assert_int_equal(lowest_free_descriptor(), before);
}

static void silent_supervisor_fails_the_token(void **state)
{
    struct run_file *other = run_file(4096, true);
    struct nv_region region = {0};

    (void)state;
    run_deaf = true;
    assert_int_equal(run_token(other->view, 4096, &region), STATUS_INSUFFICIENT_RESOURCES);
    run_deaf = false;
    assert_int_equal(run_token(other->view, 4096, &region), STATUS_SUCCESS);
}

/* On the memory domain the files are durable as they are; the supervisor is told where. */
static void memory_needs_nothing(void **state)
{
    uint32_t regions = run_ledger->regions;
    struct run_file *other = run_file(8192, true);
    struct nv_region region = {0};

    (void)state;
    assert_int_equal(run_token(other->view + 10, 5000, &region), STATUS_SUCCESS);
    assert_int_equal(run_ledger->regions, regions + 1);
    assert_int_equal(run_ledger->region[regions].ready, 1);
    assert_int_equal(run_ledger->region[regions].file, other->id);
    assert_int_equal(run_ledger->region[regions].offset, 10);
    assert_int_equal(run_ledger->region[regions].length_bytes, 5000);
    assert_int_equal(run_write(&region, other->view + 64, "hello", 5, WRITE_NV_MEMORY_FLAG_PERSIST), STATUS_SUCCESS);
    assert_int_equal(run_flush(&region, other->view + 64, 5, 0), STATUS_SUCCESS);
    assert_int_equal(run_drain(&region), STATUS_SUCCESS);
    assert_memory_equal(other->view + 64, "hello", 5);
    assert_int_equal(other->durable[64], 0);
    assert_int_equal(run_line(other, 64).flushes, 0);
}

static void volatile_is_bound_plain(void **state)
{
    unsigned plain = run_plain_binds;

    (void)state;
    file = run_file(FILE_BYTES, true);
    assert_int_equal(run_token(file->view, FILE_BYTES, &token), STATUS_SUCCESS);
    assert_int_equal(run_plain_binds, plain + 1);
}

static const struct CMUnitTest flight_tests[] = {
    cmocka_unit_test_setup(table_is_of_a_verified_run, fresh_file),
    cmocka_unit_test_setup(flush_is_durable_on_return, fresh_file),
    cmocka_unit_test_setup(flush_without_drain_is_in_flight, fresh_file),
    cmocka_unit_test_setup(flush_covers_whole_units_and_no_more, fresh_file),
    cmocka_unit_test_setup(older_flight_yields_to_a_sync, fresh_file),
    cmocka_unit_test_setup(drain_covers_own_flushes_or_all_pages, fresh_file),
    cmocka_unit_test(flags_of_write),
    cmocka_unit_test(flags_of_fill),
    cmocka_unit_test_setup(write_may_overlap, fresh_file),
    cmocka_unit_test_setup(ranges_drain_once, fresh_file),
    cmocka_unit_test_setup(drain_default_covers_what_the_thread_flushed, fresh_file),
    cmocka_unit_test_setup(drain_of_one_call_waits_for_the_default_drain, fresh_file),
    cmocka_unit_test(flight_grows),
    cmocka_unit_test(two_files_side_by_side),
    cmocka_unit_test(one_file_mapped_twice_side_by_side),
    cmocka_unit_test(file_not_at_stake_is_bound_plain),
    cmocka_unit_test(file_beside_one_not_at_stake_is_verified),
    cmocka_unit_test(longer_token_asks_for_more_of_the_file),
    cmocka_unit_test_setup(drain_keeps_away_from_what_is_held, fresh_file),
    cmocka_unit_test_setup(flush_after_the_sync_read_is_drained, fresh_file),
    cmocka_unit_test_setup(lock_of_a_dead_holder_is_broken, fresh_file),
    cmocka_unit_test_setup(long_flush_is_durable_on_return, fresh_file),
    cmocka_unit_test_setup(versions_wrap, fresh_file),
    cmocka_unit_test_setup(line_of_a_whole_page_goes_its_own_way, fresh_file),
    cmocka_unit_test_setup(older_flight_yields_to_a_whole_page, fresh_file),
    cmocka_unit_test_setup(places_of_writes_to_whole_pages, fresh_file),
    cmocka_unit_test_setup(writes_of_several_threads, fresh_file),
    cmocka_unit_test_setup(locks_of_a_dead_holder, fresh_file),
    cmocka_unit_test_setup(held_line_unlocks_its_page, fresh_file),
    cmocka_unit_test_setup(held_page_is_cut, fresh_file),
    cmocka_unit_test_setup(locked_page_is_waited_for, fresh_file),
    cmocka_unit_test_setup(pages_of_several_threads, fresh_file),
    cmocka_unit_test_setup(cut_file_is_asked_for_again, fresh_file),
    cmocka_unit_test(descriptors_are_left_as_they_were),
    cmocka_unit_test(silent_supervisor_fails_the_token),
};

static const struct CMUnitTest memory_tests[] = {
    cmocka_unit_test_setup(table_is_of_a_verified_run, fresh_file),
    cmocka_unit_test(memory_needs_nothing),
};

static const struct CMUnitTest volatile_tests[] = {cmocka_unit_test(volatile_is_bound_plain)};

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "cpu-cache";

    domain = strcmp(name, "page-cache") == 0 ? NvrtlDomainPageCache
             : strcmp(name, "memory") == 0   ? NvrtlDomainMemory
             : strcmp(name, "volatile") == 0 ? NvrtlDomainVolatile
                                             : NvrtlDomainCpuCache;
    run_start(domain);
    if (domain == NvrtlDomainMemory)
        return cmocka_run_group_tests(memory_tests, NULL, NULL);
    if (domain == NvrtlDomainVolatile)
        return cmocka_run_group_tests(volatile_tests, NULL, NULL);
    return cmocka_run_group_tests(flight_tests, NULL, NULL);
}
