/* SPDX-License-Identifier: MIT */
/* The filters that NVRTL_FILTERS wishes for. Each case is a process of its own, since they are loaded once. */
#include "tests/support/nt.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                    \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* In a child, with these filters, in the current folder. */
static void run(const char *filters, void (*function)(void))
{
    int ended;
    pid_t child = fork();
    if (child == 0) {
        CHECK(setenv("NVRTL_FILTERS", filters, 1) == 0);
        function();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
}

static HANDLE open_in_child(const char *name)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    CHECK(nt_create(&handle, RW, name, &io, ALL_SHARED, FILE_OPEN_IF, SYNCHRONOUS) == STATUS_SUCCESS);
    return handle;
}

static NTSTATUS flush(HANDLE file)
{
    IO_STATUS_BLOCK io;
    return NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io);
}

static NTSTATUS write_byte(HANDLE file)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER zero = {.QuadPart = 0};
    return NtWriteFile(file, NULL, NULL, NULL, &io, (PVOID) "x", 1, &zero, NULL);
}

/* -- fault -- */

static void flush_two_files(void)
{
    HANDLE file = open_in_child("file.db"), other = open_in_child("other");
    for (int i = 1; i <= 5; i++) {
        CHECK(flush(other) == STATUS_SUCCESS);
        CHECK(flush(file) == (i == 3 ? STATUS_DISK_FULL : STATUS_SUCCESS));
    }
    CHECK(write_byte(file) == STATUS_SUCCESS);
}

static void the_nth_request(void **state)
{
    (void)state;
    run("fault:op=flush,path=*.db,nth=3,status=C000007f", flush_two_files);
}

static void fail_for_good(void)
{
    HANDLE file = open_in_child("file.db");
    for (int i = 1; i <= 5; i++)
        CHECK(flush(file) == (i >= 2 ? STATUS_IO_DEVICE_ERROR : STATUS_SUCCESS));
    CHECK(write_byte(file) == STATUS_SUCCESS);
}

static void for_good(void **state)
{
    (void)state;
    run("fault:op=flush,nth=2,sticky", fail_for_good);
}

static void fail_several(void)
{
    HANDLE file = open_in_child("file.db");
    CHECK(write_byte(file) == STATUS_SUCCESS);
    CHECK(flush(file) == STATUS_IO_DEVICE_ERROR);
    CHECK(write_byte(file) == STATUS_SUCCESS);
}

static void several_operations(void **state)
{
    (void)state;
    run("fault:op=write+flush,nth=2", fail_several);
}

static void fail_to_create(void)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    CHECK(nt_create(&handle, RW, "new", &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS) == STATUS_ACCESS_DENIED);
    CHECK(io.Status == STATUS_ACCESS_DENIED);
    CHECK(access("new", F_OK) != 0);
    handle = open_in_child("new");
    CHECK(NtClose(handle) == STATUS_SUCCESS);
}

/* What fails does not reach the driver. */
static void creates(void **state)
{
    char folder[PATH_MAX], filters[PATH_MAX + 64];
    (void)state;
    assert_non_null(getcwd(folder, sizeof(folder)));
    snprintf(filters, sizeof(filters), "fault:op=create,status=C0000022,path=%.4000s/n*", folder);
    run(filters, fail_to_create);
    assert_int_equal(unlink("new"), 0);
}

enum { THREADS = 8, ROUNDS = 50 };
static HANDLE shared;

static void *flush_often(void *failures)
{
    for (int i = 0; i < ROUNDS; i++)
        *(int *)failures += flush(shared) != STATUS_SUCCESS;
    return NULL;
}

static void fail_one_thread(void)
{
    pthread_t threads[THREADS];
    int failures[THREADS] = {0}, sum = 0;
    shared = open_in_child("file.db");
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, flush_often, &failures[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += failures[i];
    }
    CHECK(sum == 1);
}

static void one_of_many_threads(void **state)
{
    (void)state;
    run("fault:op=flush,nth=77", fail_one_thread);
}

/* -- trace -- */

static char line[PATH_MAX + 256];

/* The next line without its path, which must be that of the name, and without its time; NULL: there is none. */
static const char *next_line(FILE *trace, const char *name)
{
    char folder[PATH_MAX];
    if (!fgets(line, sizeof(line), trace))
        return NULL;
    assert_non_null(getcwd(folder, sizeof(folder)));
    char *path_end = strchr(line, '\t'), *time = strrchr(line, '\t');
    assert_non_null(path_end);
    assert_int_equal(strncmp(line, folder, strlen(folder)), 0);
    *path_end = *time = '\0';
    assert_string_equal(line + strlen(folder) + 1, name);
    char *rest;
    assert_true(strtod(time + 1, &rest) >= 0);
    assert_string_equal(rest, "\n");
    return path_end + 1;
}

static void use_a_file(void)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 3};
    char buffer[4];
    FILE_STANDARD_INFORMATION standard;
    HANDLE file = open_in_child("one\ttwo");
    CHECK(NtWriteFile(file, NULL, NULL, NULL, &io, (PVOID) "abcd", 4, &offset, NULL) == STATUS_SUCCESS);
    CHECK(NtReadFile(file, NULL, NULL, NULL, &io, buffer, 2, &offset, NULL) == STATUS_SUCCESS);
    CHECK(NtQueryInformationFile(file, &io, &standard, sizeof(standard), FileStandardInformation) == STATUS_SUCCESS);
    CHECK(flush(file) == STATUS_DISK_FULL);
    CHECK(NtFlushBuffersFile(file, &io) == STATUS_SUCCESS);
    CHECK(NtClose(file) == STATUS_SUCCESS);
}

static void check_trace(const char *name, const char *const *lines)
{
    FILE *trace = fopen(name, "re");
    assert_non_null(trace);
    for (; *lines; lines++)
        assert_string_equal(next_line(trace, "one\\ttwo"), *lines);
    assert_int_equal(fgetc(trace), EOF);
    fclose(trace);
    assert_int_equal(unlink(name), 0);
}

/* The first filter is the highest: one trace sees the fault, the other does not see the request. */
static void traces(void **state)
{
    (void)state;
    static const char *const above[] = {"create\topen-if,options=20\t00000000",
                                        "write\toffset=3,length=4\t00000000",
                                        "read\toffset=3,length=2\t00000000",
                                        "query-information\tclass=5\t00000000",
                                        "flush\tdata-only\tC000007F",
                                        "flush\tnormal\t00000000",
                                        "cleanup\t-\t00000000",
                                        "close\t-\t00000000",
                                        NULL};
    static const char *const below[] = {above[0], above[1], above[2], above[3], above[5], above[6], above[7], NULL};
    run("trace:file=above; fault:op=flush,status=C000007F; trace:file=below", use_a_file);
    check_trace("above", above);
    check_trace("below", below);
}

static void trace_threads(void)
{
    fail_one_thread();
}

/* Each line is whole, whoever writes beside it. */
static void traces_many_threads(void **state)
{
    (void)state;
    size_t lines = 0;
    run("trace:file=many;fault:op=flush,nth=5", trace_threads);
    FILE *trace = fopen("many", "re");
    assert_non_null(trace);
    while (next_line(trace, "file.db"))
        lines++;
    fclose(trace);
    assert_int_equal(lines, 1 + THREADS * ROUNDS); /* the file is open still */
    assert_int_equal(unlink("many"), 0);
}

static void write_to_the_full_device(void)
{
    CHECK(flush(open_in_child("file.db")) == STATUS_SUCCESS);
}

/* A trace that cannot be written stops nobody. */
static void traces_nowhere(void **state)
{
    (void)state;
    run("trace:file=/dev/full", write_to_the_full_device);
}

/* -- what cannot be understood -- */

static void open_nothing(void)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    size_t before = descriptors();
    for (int i = 0; i < 2; i++) {
        CHECK(nt_create(&handle, RW, "file.db", &io, ALL_SHARED, FILE_OPEN_IF, SYNCHRONOUS) ==
              STATUS_INVALID_PARAMETER);
        CHECK(io.Status == STATUS_INVALID_PARAMETER);
        CHECK(NvrtlHandleFromFd(0, FILE_READ_DATA, &handle) == STATUS_INVALID_PARAMETER);
    }
    CHECK(descriptors() == before);
}

static void wrong_filters(void **state)
{
    (void)state;
    run("trase:file=x", open_nothing);
    run("fault:op=flush,nth=", open_nothing);
    run("trace:file=none/there", open_nothing);
    run("trace:file=x;fault:nth=0", open_nothing);
    assert_int_not_equal(access("x", F_OK), 0);
}

static int begin(void **state)
{
    (void)state;
    own_folder_begin(".");
    return 0;
}

static int end(void **state)
{
    (void)state;
    own_folder_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_request),     cmocka_unit_test(for_good),
        cmocka_unit_test(several_operations),  cmocka_unit_test(creates),
        cmocka_unit_test(one_of_many_threads), cmocka_unit_test(traces),
        cmocka_unit_test(traces_many_threads), cmocka_unit_test(traces_nowhere),
        cmocka_unit_test(wrong_filters),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
