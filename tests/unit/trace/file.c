/* SPDX-License-Identifier: MIT */
/* The trace file: what was written is loaded, and of what is damaged or makes no sense nothing is. */
#include "trace/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define STORES 1000000u
#define STORES_BYTES_MAX 200000000

struct sample {
    struct nv_trace_event event;
    char payload[64];
};

static char path[] = "/tmp/nvrtl-trace-XXXXXX";
static struct sample samples[EVENTS_MAX];
static size_t sample_count;
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void add(struct nv_trace_event event, const char *payload, uint32_t payload_bytes)
{
    struct sample *sample = &samples[sample_count++];

    *sample = (struct sample){.event = event};
    sample->event.payload_bytes = payload_bytes;
    memcpy(sample->payload, payload, payload_bytes);
}

#define EVENT(...) ((struct nv_trace_event){__VA_ARGS__})
#define ADD(payload, ...) add(EVENT(__VA_ARGS__), payload, sizeof payload - 1)

/* All kinds, in an order that a program may have. */
static void fill_samples(void)
{
    sample_count = 0;
    ADD("/data\0", .kind = NV_TRACE_CREATE, .object = 1, .offset = S_IFDIR | 0755, .flags = NV_TRACE_INITIAL);
    ADD("old\0", .kind = NV_TRACE_CREATE, .object = 2, .parent = 1, .offset = S_IFREG | 0644,
        .flags = NV_TRACE_INITIAL);
    ADD("dir\0", .kind = NV_TRACE_CREATE, .object = 3, .parent = 1, .offset = S_IFDIR | 0755);
    ADD("a\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 3, .offset = S_IFREG | 0644);
    ADD("link\0../old\0", .kind = NV_TRACE_CREATE, .object = 5, .parent = 3, .offset = S_IFLNK | 0777);
    ADD("\0", .kind = NV_TRACE_CREATE, .object = 6, .offset = S_IFREG | 0600);
    ADD("named\0", .kind = NV_TRACE_LINK, .object = 6, .parent = 3);
    ADD("hello world", .kind = NV_TRACE_WRITE, .object = 4, .offset = 5, .thread = 7, .place = 1);
    ADD("", .kind = NV_TRACE_SIZE, .object = 4, .length = 100);
    ADD("", .kind = NV_TRACE_ZERO, .object = 4, .offset = 6, .length = 2);
    ADD("", .kind = NV_TRACE_MODE, .object = 4, .offset = S_IFREG | 0400);
    ADD("", .kind = NV_TRACE_MAP, .object = 2, .address = 0x1000, .length = 4096, .other = 2);
    ADD("12345678", .kind = NV_TRACE_STORE, .object = 2, .offset = 64, .thread = 7, .place = 2);
    ADD("123456781234567812345678123456781234567812345678123456781234567", .kind = NV_TRACE_CHANGED, .object = 2,
        .offset = 128, .flags = NV_TRACE_WORDS);
    ADD("", .kind = NV_TRACE_FLUSH, .object = 2, .offset = 64, .length = 64, .thread = 7);
    ADD("", .kind = NV_TRACE_DRAIN, .object = 2, .thread = 7, .flags = NV_TRACE_ALL_THREADS);
    ADD("", .kind = NV_TRACE_UNMAP, .object = 2, .address = 0x1000, .length = 4096);
    ADD("a\0b\0", .kind = NV_TRACE_RENAME, .object = 4, .parent = 3, .other = 1);
    ADD("b\0old\0", .kind = NV_TRACE_RENAME, .object = 4, .parent = 1, .other = 1, .flags = NV_TRACE_EXCHANGED);
    ADD("old\0dir\0", .kind = NV_TRACE_RENAME, .object = 4, .parent = 1, .other = 1, .flags = NV_TRACE_EXCHANGED);
    ADD("", .kind = NV_TRACE_SYNC_BEGIN, .thread = 7);
    ADD("", .kind = NV_TRACE_SYNC, .object = 4, .thread = 7, .length = UINT64_MAX, .flags = NV_TRACE_DATA_ONLY);
    ADD("ok 1", .kind = NV_TRACE_PROMISE, .flags = NV_TRACE_ACKNOWLEDGED);
    ADD("b\0", .kind = NV_TRACE_UNLINK, .object = 2, .parent = 1);
    ADD("main\tmain.c\t3\tprog\t10\n\t\t\tprog\t20\n", .kind = NV_TRACE_PLACE, .place = 1);
    ADD("prog\0arg\0", .kind = NV_TRACE_END, .length = 3);
}

static int put_samples(void)
{
    struct nv_trace_writer *writer;

    assert_int_equal(nv_trace_create(path, &writer), 0);
    for (size_t i = 0; i < sample_count; i++)
        assert_int_equal(nv_trace_put(writer, &samples[i].event), 0);
    return nv_trace_finish(writer);
}

static bool same_as_samples(const struct nv_trace *trace)
{
    if (trace->event_count != sample_count)
        return false;
    for (size_t i = 0; i < sample_count; i++) {
        const struct nv_trace_event *event = trace->events[i];
        struct nv_trace_event expected = samples[i].event;

        expected.bytes = event->bytes;
        if (memcmp(event, &expected, sizeof expected) ||
            memcmp(nv_trace_payload(event), samples[i].payload, event->payload_bytes))
            return false;
    }
    return true;
}

static int load(struct nv_trace **trace, char *error)
{
    int status = nv_trace_load(path, trace, error, 256);

    if (status) {
        assert_null(*trace);
        assert_non_null(strstr(error, path));
        assert_null(strchr(error, '\n'));
    }
    return status;
}

static void written_and_loaded(void **state)
{
    struct nv_trace *trace;
    char error[256] = "";

    (void)state;
    fill_samples();
    assert_int_equal(put_samples(), 0);
    if (load(&trace, error))
        fail_msg("%s", error);
    assert_true(same_as_samples(trace));
    nv_trace_free(trace);
}

static size_t read_file(uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "re");
    size_t size = fread(bytes, 1, room, file);

    fclose(file);
    return size;
}

static void write_file(const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "we");

    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* At any length but its own, it is no trace. */
static void cut_off(void **state)
{
    static uint8_t bytes[65536];
    struct nv_trace *trace;
    char error[256];
    size_t size;

    (void)state;
    fill_samples();
    assert_int_equal(put_samples(), 0);
    size = read_file(bytes, sizeof bytes - 1);
    for (size_t length = 0; length < size; length++) {
        write_file(bytes, length);
        assert_int_equal(load(&trace, error), -EINVAL);
    }
    write_file(bytes, size + 1);
    assert_int_equal(load(&trace, error), -EINVAL);
}

/* Some bits mean nothing to zstd, and may flip: then the events are the same. */
static void flipped_bits(void **state)
{
    static uint8_t bytes[65536];
    struct nv_trace *trace;
    char error[256];
    size_t size, seen = 0;

    (void)state;
    fill_samples();
    assert_int_equal(put_samples(), 0);
    size = read_file(bytes, sizeof bytes);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        write_file(bytes, size);
        if (!load(&trace, error)) {
            assert_true(same_as_samples(trace));
            nv_trace_free(trace);
        } else
            seen++;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(seen > size * 8 * 9 / 10);
}

/* One event made wrong, and what is said of it. */
static void expect_wrong(size_t index, struct nv_trace_event event, const char *payload, uint32_t payload_bytes,
                         const char *why)
{
    struct sample before = samples[index];
    struct nv_trace *trace;
    char error[256] = "";

    samples[index] = (struct sample){.event = event};
    samples[index].event.payload_bytes = payload_bytes;
    memcpy(samples[index].payload, payload, payload_bytes);
    assert_int_equal(put_samples(), 0);
    assert_int_equal(load(&trace, error), -EINVAL);
    if (!strstr(error, why))
        fail_msg("event %zu: %s, instead of: %s", index, error, why);
    samples[index] = before;
}

#define WRONG(why, index, payload, ...) expect_wrong(index, EVENT(__VA_ARGS__), payload, sizeof payload - 1, why)

static void senseless_events(void **state)
{
    (void)state;
    fill_samples();
    WRONG("no such kind", 24, "", .kind = 0);
    WRONG("no such kind", 24, "", .kind = NV_TRACE_KINDS);
    WRONG("no such flags", 24, "", .kind = NV_TRACE_SYNC_BEGIN, .flags = 0x100);
    WRONG("there already", 3, "a\0", .kind = NV_TRACE_CREATE, .object = 2, .parent = 3, .offset = S_IFREG);
    WRONG("out of bounds", 3, "a\0", .kind = NV_TRACE_CREATE, .object = 4000000000u, .parent = 3, .offset = S_IFREG);
    WRONG("name is none", 3, "a/b\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 3, .offset = S_IFREG);
    WRONG("name is none", 3, "..\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 3, .offset = S_IFREG);
    WRONG("name is none", 3, "a", .kind = NV_TRACE_CREATE, .object = 4, .parent = 3, .offset = S_IFREG);
    WRONG("name is none", 3, "\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 3, .offset = S_IFREG);
    WRONG("name is none", 3, "a\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 2, .offset = S_IFREG);
    WRONG("name is none", 4, "link\0", .kind = NV_TRACE_CREATE, .object = 5, .parent = 3, .offset = S_IFLNK);
    WRONG("mode is none", 3, "a\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 3, .offset = 0644);
    WRONG("name is taken", 3, "old\0", .kind = NV_TRACE_CREATE, .object = 4, .parent = 1, .offset = S_IFREG);
    WRONG("absolute path", 0, "data\0", .kind = NV_TRACE_CREATE, .object = 1, .offset = S_IFDIR);
    WRONG("no such name", 23, "a\0", .kind = NV_TRACE_UNLINK, .object = 2, .parent = 1);
    WRONG("no such name", 23, "b\0", .kind = NV_TRACE_UNLINK, .object = 3, .parent = 1);
    WRONG("not empty", 10, "dir\0", .kind = NV_TRACE_UNLINK, .object = 3, .parent = 1);
    WRONG("lie in itself", 10, "dir\0x\0", .kind = NV_TRACE_RENAME, .object = 3, .parent = 1, .other = 3);
    WRONG("lie in itself", 10, "dir\0a\0", .kind = NV_TRACE_RENAME, .object = 3, .parent = 1, .other = 3,
          .flags = NV_TRACE_EXCHANGED);
    WRONG("nor a file a folder", 10, "old\0dir\0", .kind = NV_TRACE_RENAME, .object = 2, .parent = 1, .other = 1);
    WRONG("object, folder or name", 10, "x\0", .kind = NV_TRACE_LINK, .object = 3, .parent = 1);
    WRONG("of no file", 7, "x", .kind = NV_TRACE_WRITE, .object = 3);
    WRONG("of no file", 7, "x", .kind = NV_TRACE_WRITE, .object = 4, .offset = UINT64_MAX);
    WRONG("of no file", 7, "", .kind = NV_TRACE_ZERO, .object = 4, .offset = 1, .length = UINT64_MAX);
    WRONG("of no file", 7, "", .kind = NV_TRACE_SIZE, .object = 4, .length = UINT64_MAX);
    WRONG("of no file", 7, "", .kind = NV_TRACE_MAP, .object = 9);
    WRONG("of no file", 7, "x", .kind = NV_TRACE_STORE, .object = 0);
    WRONG("its object is none", 21, "", .kind = NV_TRACE_SYNC, .object = 9);
    WRONG("behind any end", 21, "", .kind = NV_TRACE_SYNC, .object = 4, .offset = 2, .length = UINT64_MAX - 1);
    WRONG("no line", 22, "a\nb", .kind = NV_TRACE_PROMISE);
    WRONG("no stack", 24, "a", .kind = NV_TRACE_PLACE, .place = 1);
    WRONG("no stack", 24, "a\n", .kind = NV_TRACE_PLACE);
    WRONG("does not end", 25, "a", .kind = NV_TRACE_END);
}

/* Whatever stands in events that are whole by their checksum: an answer, and no crash (see make sanitize). */
static void random_events(void **state)
{
    (void)state;
    fill_samples();
    random_state = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 20000; i++) {
        size_t index = next_random() % sample_count, from = next_random() % sample_count;
        struct sample before = samples[index];
        struct nv_trace *trace;
        char error[256];

        if (next_random() & 1)
            samples[index] = samples[from];
        else
            ((uint8_t *)&samples[index])[4 + next_random() % (sizeof(struct sample) - 4)] = (uint8_t)next_random();
        if (samples[index].event.payload_bytes > sizeof samples[index].payload)
            samples[index].event.payload_bytes = (uint32_t)(next_random() % sizeof samples[index].payload);
        assert_int_equal(put_samples(), 0);
        if (!load(&trace, error))
            nv_trace_free(trace);
        if (next_random() & 3)
            samples[index] = before;
        if (i % 100 == 99)
            fill_samples();
    }
}

/* As a program fills a table: addresses, counters, text and noise. */
static void fill_store(struct sample *store, uint32_t number)
{
    uint64_t words[8] = {number, next_random(), 0x7f0000000000u + next_random() % (1 << 20) * 64, number * 3,
                         next_random()};

    snprintf((char *)&words[5], 24, "key%08u-%llx", number, (unsigned long long)next_random() & 0xffffff);
    store->event =
        EVENT(.kind = NV_TRACE_STORE, .object = 2, .thread = 4711, .place = 1 + (uint32_t)(next_random() % 40),
              .offset = next_random() % (1 << 24) * 64, .payload_bytes = sizeof words);
    memcpy(store->payload, words, sizeof words);
}

static void a_million_stores(void **state)
{
    struct nv_trace_writer *writer;
    struct nv_trace *trace;
    struct sample store;
    struct stat status;
    char error[256];

    (void)state;
    fill_samples();
    random_state = 1;
    assert_int_equal(nv_trace_create(path, &writer), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(nv_trace_put(writer, &samples[i].event), 0);
    for (uint32_t i = 0; i < STORES; i++) {
        fill_store(&store, i);
        assert_int_equal(nv_trace_put(writer, &store.event), 0);
    }
    assert_int_equal(nv_trace_finish(writer), 0);
    assert_int_equal(stat(path, &status), 0);
    print_message("1 million stores of 64 bytes: %ld bytes\n", (long)status.st_size);
    assert_true(status.st_size < STORES_BYTES_MAX);
    assert_int_equal(load(&trace, error), 0);
    assert_int_equal(trace->event_count, STORES + 2);
    random_state = 1;
    for (uint32_t i = 0; i < STORES; i++) {
        fill_store(&store, i);
        assert_memory_equal(nv_trace_payload(trace->events[i + 2]), store.payload, 64);
    }
    nv_trace_free(trace);
}

static void no_such_file(void **state)
{
    struct nv_trace_writer *writer;
    struct nv_trace *trace;
    char error[256];

    (void)state;
    assert_int_equal(nv_trace_load("/nonexistent/trace", &trace, error, sizeof error), -ENOENT);
    assert_int_equal(nv_trace_load("/", &trace, error, sizeof error), -EINVAL);
    assert_int_equal(nv_trace_load("/dev/null", &trace, error, sizeof error), -EINVAL);
    assert_int_equal(nv_trace_create("/nonexistent/trace", &writer), -ENOENT);
}

static int begin(void **state)
{
    int descriptor = mkstemp(path);

    (void)state;
    return descriptor < 0 || close(descriptor);
}

static int end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_loaded), cmocka_unit_test(cut_off),       cmocka_unit_test(flipped_bits),
        cmocka_unit_test(senseless_events),   cmocka_unit_test(random_events), cmocka_unit_test(a_million_stores),
        cmocka_unit_test(no_such_file),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
