/* SPDX-License-Identifier: MIT */
/*
 * What the drop-in does inside: which calls of the CPU and of the system each function makes on each memory, and what
 * becomes of calls that fail. It is linked in, so that both can be replaced.
 */
#include "compat/libpmem/libpmem.h"
#include "compat/libpmem/region.h"
#include "compat/libpmem/settings.h"
#include "compat/libpmem/system.h"
#include "src/backing/backing.h"
#include "src/cpu/cpu.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (16 * PAGE)

/* -- a CPU that counts -- */

static _Thread_local struct counts {
    long write_backs, fences, copies, fills;
} counts;

static const struct nv_cpu *real_cpu;

static void count_write_back(const void *address, size_t size_bytes)
{
    counts.write_backs++;
    real_cpu->write_back(address, size_bytes);
}

static void count_fence(void)
{
    counts.fences++;
    real_cpu->fence();
}

static void count_copy(void *destination, const void *source, size_t size_bytes)
{
    counts.copies++;
    real_cpu->copy(destination, source, size_bytes);
}

static void count_fill(void *destination, uint8_t value, size_t size_bytes)
{
    counts.fills++;
    real_cpu->fill(destination, value, size_bytes);
}

static const struct nv_cpu counting_cpu = {
    .name = "counting",
    .instruction = "counted",
    .write_back = count_write_back,
    .fence = count_fence,
    .copy = count_copy,
    .fill = count_fill,
};

/* A macro, so that a failure names the line. */
#define expect_counts(WRITE_BACKS, FENCES, COPIES, FILLS)                                                              \
    do {                                                                                                               \
        assert_int_equal(counts.write_backs, WRITE_BACKS);                                                             \
        assert_int_equal(counts.fences, FENCES);                                                                       \
        assert_int_equal(counts.copies, COPIES);                                                                       \
        assert_int_equal(counts.fills, FILLS);                                                                         \
        counts = (struct counts){0};                                                                                   \
    } while (0)

#define expect_syncs(SYNCS)                                                                                            \
    do {                                                                                                               \
        assert_int_equal(system_now.syncs, SYNCS);                                                                     \
        system_now.syncs = 0;                                                                                          \
    } while (0)

/* -- memory -- */

static char path[64];

/* With these variables set, until `end`. A file on a disk is in the page cache, if no variable says other. */
static void begin(const struct fake_file *variables)
{
    static const struct fake_file none[] = {{NULL, NULL}};
    system_begin();
    system_now.environment = variables ? variables : none;
    nv_pmem_settings_read();
    snprintf(path, sizeof(path), "drop-in-%d", (int)getpid());
    if (nv_cpu != &counting_cpu) /* a test that failed has left it there */
        real_cpu = nv_cpu;
    nv_cpu = &counting_cpu;
    counts = (struct counts){0};
}

static void end(void)
{
    static const struct fake_file none[] = {{NULL, NULL}};
    nv_cpu = real_cpu;
    nv_cpu_choose();
    system_now.environment = none;
    nv_pmem_settings_read();
    system_end();
    unlink(path);
}

static char *map(void)
{
    int is_pmem;
    char *base = pmem_map_file(path, SIZE, PMEM_FILE_CREATE, 0600, NULL, &is_pmem);
    assert_non_null(base);
    assert_int_equal(is_pmem, pmem_is_pmem(base, SIZE));
    memset(base, 0, SIZE);
    system_now.syncs = 0;
    counts = (struct counts){0};
    return base;
}

static void unmap(char *base)
{
    assert_int_equal(pmem_unmap(base, SIZE), 0);
}

/* By the library, so that nothing is known of it in the next test. */
static void end_file(struct file_map *file)
{
    assert_int_equal(pmem_unmap(file->base, file->size_bytes), 0);
    file_map_end(file);
}

static const struct fake_file on_lines[] = {{"NVRTL_DOMAIN", "cpu-cache"}, {NULL, NULL}};

/* -- which way -- */

static void on_persistent_memory(void **state)
{
    (void)state;
    begin(on_lines);
    char *base = map();
    assert_true(pmem_is_pmem(base, SIZE));
    pmem_flush(base, 8);
    expect_counts(1, 0, 0, 0);
    pmem_drain();
    expect_counts(0, 1, 0, 0);
    pmem_persist(base, SIZE);
    expect_counts(1, 1, 0, 0);
    pmem_memcpy_persist(base, "12345678", 8);
    pmem_memmove_persist(base, "12345678", 8);
    expect_counts(0, 2, 2, 0);
    pmem_memcpy_nodrain(base, "12345678", 8);
    pmem_memmove_nodrain(base, "12345678", 8);
    pmem_memset_nodrain(base, 1, 8);
    expect_counts(0, 0, 2, 1);
    pmem_memset_persist(base, 1, 8);
    expect_counts(0, 1, 0, 1);
    pmem_deep_flush(base, 8);
    expect_counts(1, 0, 0, 0);
    expect_syncs(0);
    assert_int_equal(pmem_deep_drain(base, 8), 0);
    expect_counts(0, 1, 0, 0);
    expect_syncs(1);
    assert_int_equal(pmem_msync(base, 8), 0);
    expect_counts(0, 0, 0, 0);
    expect_syncs(1);
    unmap(base);
    end();
}

static void flags_and_variables(void **state)
{
    static const struct fake_file no_movnt[] = {{"NVRTL_DOMAIN", "cpu-cache"}, {"PMEM_NO_MOVNT", "1"}, {NULL, NULL}};
    static const struct fake_file threshold[] = {
        {"NVRTL_DOMAIN", "cpu-cache"}, {"PMEM_MOVNT_THRESHOLD", "256"}, {NULL, NULL}};
    static const struct {
        const struct fake_file *variables;
        size_t size_bytes;
        unsigned flags;
        struct counts copy; /* what a copy needs; a fill has fills for copies */
    } rows[] = {
        {on_lines, 64, 0, {0, 1, 1, 0}},
        {on_lines, 64, PMEM_F_MEM_NODRAIN, {0, 0, 1, 0}},
        {on_lines, 64, PMEM_F_MEM_NOFLUSH, {0, 0, 0, 0}},
        {on_lines, 64, PMEM_F_MEM_NOFLUSH | PMEM_F_MEM_TEMPORAL, {0, 0, 0, 0}},
        {on_lines, 64, PMEM_F_MEM_TEMPORAL, {1, 1, 0, 0}},
        {on_lines, 64, PMEM_F_MEM_WB | PMEM_F_MEM_NODRAIN, {1, 0, 0, 0}},
        {on_lines, 64, PMEM_F_MEM_NONTEMPORAL, {0, 1, 1, 0}},
        {on_lines, 64, PMEM_F_MEM_WC | PMEM_F_MEM_NODRAIN, {0, 0, 1, 0}},
        {on_lines, 64, PMEM_F_MEM_NOFLUSH | PMEM_F_MEM_NONTEMPORAL, {0, 0, 0, 0}},
        {on_lines, 64, PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_NONTEMPORAL, {1, 1, 0, 0}},
        {on_lines, 0, 0, {0, 1, 0, 0}},
        {no_movnt, 4096, 0, {1, 1, 0, 0}},
        {no_movnt, 4096, PMEM_F_MEM_NONTEMPORAL, {1, 1, 0, 0}},
        {threshold, 255, 0, {1, 1, 0, 0}},
        {threshold, 256, 0, {0, 1, 1, 0}},
        {threshold, 255, PMEM_F_MEM_NONTEMPORAL, {0, 1, 1, 0}},
        {threshold, 256, PMEM_F_MEM_TEMPORAL, {1, 1, 0, 0}},
    };
    static const char source[4096] = "source";
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct counts *wanted = &rows[i].copy;
        begin(rows[i].variables);
        char *base = map();
        pmem_memcpy(base, source, rows[i].size_bytes, rows[i].flags);
        expect_counts(wanted->write_backs, wanted->fences, wanted->copies, 0);
        pmem_memmove(base, source, rows[i].size_bytes, rows[i].flags);
        expect_counts(wanted->write_backs, wanted->fences, wanted->copies, 0);
        pmem_memset(base, 0, rows[i].size_bytes, rows[i].flags);
        expect_counts(wanted->write_backs, wanted->fences, 0, wanted->copies);
        unmap(base);
        end();
    }
}

static void no_flush(void **state)
{
    static const struct fake_file never[] = {{"NVRTL_DOMAIN", "cpu-cache"}, {"PMEM_NO_FLUSH", "1"}, {NULL, NULL}};
    static const struct fake_file survives[] = {{"NVRTL_DOMAIN", "memory"}, {NULL, NULL}};
    static const struct fake_file always[] = {{"NVRTL_DOMAIN", "memory"}, {"PMEM_NO_FLUSH", "0"}, {NULL, NULL}};
    static const struct {
        const struct fake_file *variables;
        long write_backs;
    } rows[] = {{never, 0}, {survives, 0}, {always, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(rows[i].variables);
        char *base = map();
        assert_true(pmem_is_pmem(base, SIZE));
        pmem_persist(base, 8);
        expect_counts(rows[i].write_backs, 1, 0, 0);
        pmem_deep_flush(base, 8);
        expect_counts(1, 0, 0, 0);
        pmem_memcpy_persist(base, "12345678", 8);
        assert_memory_equal(base, "12345678", 8);
        assert_int_equal(counts.fences, 1);
        unmap(base);
        end();
    }
}

static void instructions(void **state)
{
    static const struct fake_file no_clwb[] = {{"PMEM_NO_CLWB", "1"}, {NULL, NULL}};
    static const struct fake_file neither[] = {{"PMEM_NO_CLWB", "1"}, {"PMEM_NO_CLFLUSHOPT", "1"}, {NULL, NULL}};
    static const struct fake_file forced[] = {{"NVRTL_CPU", "clflush"}, {"PMEM_NO_CLWB", "1"}, {NULL, NULL}};
    const struct fake_file *rows[] = {no_clwb, neither, forced};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin(rows[i]);
        assert_string_not_equal(real_cpu->instruction, "clwb");
        if (i > 0)
            assert_string_not_equal(real_cpu->instruction, "clflushopt");
        end();
    }
}

/* Better than libpmem: what is in the page cache is durable all the same. */
static void on_the_page_cache(void **state)
{
    (void)state;
    begin(NULL);
    char *base = map();
    assert_false(pmem_is_pmem(base, SIZE));
    pmem_persist(base, 8);
    expect_syncs(1);
    for (size_t i = 0; i < 16; i++)
        pmem_flush(base + i * PAGE, 8);
    expect_syncs(0);
    pmem_drain();
    expect_syncs(1);
    pmem_drain();
    expect_syncs(0);
    pmem_memcpy_persist(base, "12345678", 8);
    expect_syncs(1);
    assert_memory_equal(base, "12345678", 8);
    pmem_memset_nodrain(base, 1, SIZE);
    pmem_memcpy(base, "12345678", 8, PMEM_F_MEM_NOFLUSH);
    expect_syncs(0);
    pmem_drain();
    expect_syncs(1);
    pmem_deep_flush(base, 8);
    pmem_drain();
    expect_syncs(1);
    assert_int_equal(pmem_msync(base + PAGE - 1, 2), 0);
    expect_syncs(1);
    unmap(base);
    end();
}

/* The drain of a thread finishes what it has flushed, of all files; a persist of other memory does so, too. */
static void drains_all_files(void **state)
{
    struct file_map files[20];
    (void)state;
    begin(NULL);
    for (size_t i = 0; i < 20; i++)
        files[i] = file_map_make(NULL, PAGE);
    system_now.syncs = 0;
    for (size_t i = 0; i < 20; i++)
        pmem_flush(files[i].base, 8);
    pmem_drain();
    expect_syncs(20);
    pmem_flush(files[0].base, 8);
    pmem_persist(files[1].base, 8);
    expect_syncs(2);
    pmem_flush(files[0].base, 8);
    pmem_memcpy_persist(files[1].base, "1", 1);
    expect_syncs(2);
    for (size_t i = 0; i < 20; i++)
        end_file(&files[i]);
    end();
}

/* -- which memory -- */

static void anonymous_memory(void **state)
{
    (void)state;
    begin(NULL);
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pmem_persist(base, 8);
    pmem_persist(base + SIZE - 8, 8);
    expect_counts(2, 2, 0, 0);
    pmem_memcpy_persist(base, "12345678", 8);
    expect_counts(0, 1, 1, 0);
    assert_false(pmem_is_pmem(base, SIZE));
    expect_syncs(0);
    unmap(base);
    end();
}

/* A range over two mappings that need different things. */
static void several_mappings(void **state)
{
    (void)state;
    begin(NULL);
    struct file_map file = file_map_make(NULL, 2 * PAGE);
    char *base = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_equal(mmap(base + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file.descriptor, 0),
                     base + PAGE);
    counts = (struct counts){0};
    system_now.syncs = 0;
    pmem_persist(base, 4 * PAGE);
    expect_counts(3, 1, 0, 0);
    expect_syncs(1);
    assert_ptr_equal(pmem_memset_persist(base + 8, 7, 3 * PAGE), base + 8);
    expect_syncs(1);
    for (size_t i = 8; i < 3 * PAGE + 8; i++)
        assert_int_equal(base[i], 7);
    assert_int_equal(base[7], 0);
    assert_int_equal(base[3 * PAGE + 8], 0);
    assert_int_equal(pmem_msync(base, 4 * PAGE), 0);
    assert_int_equal(pmem_unmap(base, 4 * PAGE), 0);
    end_file(&file);
    end();
}

/* pmem_unmap is the end of what was known, whatever comes to lie there. */
static void mapped_anew(void **state)
{
    (void)state;
    begin(on_lines);
    char *base = map();
    assert_int_equal(pmem_unmap(base, 4 * PAGE), 0);
    assert_false(pmem_is_pmem(base, SIZE));
    assert_true(pmem_is_pmem(base + 4 * PAGE, SIZE - 4 * PAGE));
    assert_int_equal(pmem_unmap(base + 8 * PAGE, 4 * PAGE), 0);
    assert_true(pmem_is_pmem(base + 4 * PAGE, 4 * PAGE));
    assert_true(pmem_is_pmem(base + 12 * PAGE, 4 * PAGE));
    system_now.environment = NULL;
    struct file_map file = file_map_make(NULL, 4 * PAGE);
    assert_ptr_equal(mmap(base, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file.descriptor, 0), base);
    system_now.syncs = 0;
    pmem_persist(base, 8);
    expect_syncs(1);
    assert_false(pmem_is_pmem(base, 8));
    unmap(base);
    end_file(&file);
    end();
}

/* Of an old kernel's maps, too. */
static void told_by_text(void **state)
{
    (void)state;
    begin(NULL);
    system_now.old_kernel = true;
    struct file_map file = file_map_make(NULL, SIZE);
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0);
    system_now.syncs = 0;
    pmem_persist(base + PAGE, 8);
    expect_syncs(1);
    unmap(base);
    end_file(&file);
    end();
}

/* -- failures -- */

/* The next file may get the inode number of this one. */
static void forget_failure(void)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    struct nv_backing *backing = nv_backing_get(status.st_dev, status.st_ino);
    nv_backing_forget(backing);
    nv_backing_put(backing);
}

/* What the disk did not take is told by whoever can, until the program ends. */
static void disk_that_fails(void **state)
{
    (void)state;
    begin(NULL);
    char *base = map();
    system_now.sync_error = EIO;
    system_now.sync_errors = 1;
    errno = 0;
    pmem_persist(base, 8);
    assert_int_equal(errno, EIO);
    assert_non_null(strstr(pmem_errormsg(), "pmem_persist"));
    for (int i = 0; i < 2; i++) {
        errno = 0;
        assert_int_equal(pmem_msync(base, 8), -1);
        assert_int_equal(errno, EIO);
        errno = 0;
        pmem_memcpy_persist(base, "12345678", 8);
        assert_int_equal(errno, EIO);
        errno = 0;
        pmem_flush(base, 8);
        assert_int_equal(errno, EIO);
        errno = 0;
        assert_int_equal(pmem_deep_persist(base, 8), -1);
        assert_int_equal(errno, EIO);
    }
    unmap(base);
    base = map(); /* the same file */
    assert_int_equal(pmem_msync(base, 8), -1);
    unmap(base);
    forget_failure();
    end();
}

static void told_by_the_drain(void **state)
{
    (void)state;
    begin(NULL);
    char *base = map();
    pmem_flush(base, 8);
    system_now.sync_error = ENOSPC;
    system_now.sync_errors = 1;
    errno = 0;
    pmem_drain();
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(pmem_errormsg(), "pmem_drain"));
    unmap(base);
    forget_failure();
    end();
}

static void abort_if_asked(void **state)
{
    static const struct fake_file asked[] = {{"NVRTL_PMEM_ABORT", "1"}, {NULL, NULL}};
    int status;
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)signal(SIGABRT, SIG_DFL);
        begin(asked);
        char *base = map();
        unlink(path);
        system_now.sync_error = EIO;
        system_now.sync_errors = 2;
        if (pmem_msync(base, 8) != -1) /* it has a status: it goes on */
            _exit(1);
        pmem_persist(base, 8);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* Where the kernel cannot be asked what the memory is, everything is done that could be needed. */
static void kernel_that_is_not_asked(void **state)
{
    (void)state;
    begin(NULL);
    struct file_map file = file_map_make(NULL, SIZE);
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0);
    for (long n = 1; n < 4; n++) {
        system_now.calls = 0;
        system_now.fail_at = n;
        system_now.error = EMFILE;
        system_now.syncs = 0;
        counts = (struct counts){0};
        pmem_persist(base + PAGE - 4, 8);
        assert_true(system_now.syncs >= 1);
    }
    system_now.fail_at = 0;
    unmap(base);
    end_file(&file);
    end();
}

/* Every call of a pmem_map_file fails once: there is an answer each time, and nothing is left behind. */
static long file_calls, file_fails_at;

static bool file_fails(void)
{
    return ++file_calls == file_fails_at;
}

#define LINUX nv_pmem_system_linux
#define FAILING(error, call) return file_fails() ? -(error) : LINUX.call

static int failing_status(const char *name, struct stat *status)
{
    FAILING(EACCES, status(name, status));
}

static int failing_status_of(int file, struct stat *status)
{
    FAILING(EIO, status_of(file, status));
}

static int failing_open(const char *name, int flags, mode_t mode)
{
    FAILING(EMFILE, open(name, flags, mode));
}

static int failing_open_nameless(const char *folder, int flags)
{
    FAILING(EMFILE, open_nameless(folder, flags));
}

static int failing_resize(int file, off_t size_bytes)
{
    FAILING(EIO, resize(file, size_bytes));
}

static int failing_allocate(int file, off_t size_bytes)
{
    FAILING(ENOSPC, allocate(file, size_bytes));
}

static int failing_map(void *hint, size_t size_bytes, int file, void **address)
{
    FAILING(ENOMEM, map(hint, size_bytes, file, address));
}

static int descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

static void expect_nothing_left(int before)
{
    assert_int_equal(descriptors(), before);
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    while (fgets(line, sizeof(line), maps))
        assert_null(strstr(line, path));
    fclose(maps);
}

static void calls_that_fail(void **state)
{
    struct nv_pmem_system failing = LINUX;
    static const int flags[] = {PMEM_FILE_CREATE, PMEM_FILE_CREATE | PMEM_FILE_EXCL,
                                PMEM_FILE_CREATE | PMEM_FILE_TMPFILE, PMEM_FILE_CREATE | PMEM_FILE_SPARSE};
    (void)state;
    failing.status = failing_status;
    failing.status_of = failing_status_of;
    failing.open = failing_open;
    failing.open_nameless = failing_open_nameless;
    failing.resize = failing_resize;
    failing.allocate = failing_allocate;
    failing.map = failing_map;
    for (size_t i = 0; i < 4; i++) {
        void *base = NULL;
        int refused = 0;
        begin(NULL);
        nv_pmem_system = &failing;
        int before = descriptors();
        for (file_fails_at = 1; !base || file_calls >= file_fails_at; file_fails_at++) {
            file_calls = 0;
            errno = 0;
            unlink(path);
            base = pmem_map_file(flags[i] & PMEM_FILE_TMPFILE ? "." : path, SIZE, flags[i], 0600, NULL, NULL);
            if (base) {
                unmap(base);
                continue;
            }
            refused++;
            assert_true(errno == EIO || errno == EMFILE || errno == ENOSPC || errno == ENOMEM);
            expect_nothing_left(before);
            assert_true(access(path, F_OK) < 0 || !(flags[i] & PMEM_FILE_EXCL));
        }
        assert_true(refused >= 3);
        nv_pmem_system = &LINUX;
        end();
    }
}

/* The same with the runtime's own calls, and memory: a mapping that cannot be remembered is refused. */
static void runtime_calls_that_fail(void **state)
{
    (void)state;
    begin(NULL);
    int before = descriptors();
    for (long n = 1;; n++) {
        system_now.calls = 0;
        system_now.error = EMFILE;
        system_now.fail_at = n;
        errno = 0;
        void *base = pmem_map_file(path, SIZE, PMEM_FILE_CREATE, 0600, NULL, NULL);
        bool over = system_now.calls < n;
        system_now.fail_at = 0;
        if (base)
            unmap(base);
        else
            assert_int_equal(errno, ENOMEM);
        expect_nothing_left(before);
        if (over)
            break;
    }
    end();
}

/* -- threads, and fork -- */

#define THREADS 4
#define ROUNDS 2000

static _Atomic bool stop;

static void *persist_for_ever(void *argument)
{
    char *base = argument;
    for (unsigned i = 0; !stop; i++) {
        pmem_memcpy_persist(base + i % SIZE, "x", 1);
        pmem_persist(base, SIZE);
        (void)pmem_is_pmem(base, SIZE);
    }
    return NULL;
}

static void threads(void **state)
{
    pthread_t running[THREADS];
    char *bases[THREADS];
    (void)state;
    begin(on_lines);
    stop = false;
    for (int i = 0; i < THREADS; i++) {
        bases[i] = map();
        assert_int_equal(pthread_create(&running[i], NULL, persist_for_ever, bases[i]), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        char *base = pmem_map_file(path, 0, 0, 0, NULL, NULL);
        pmem_persist(base, SIZE);
        assert_int_equal(pmem_unmap(base + i % 15 * PAGE, PAGE), 0);
        unmap(base);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(running[i], NULL);
        unmap(bases[i]);
    }
    end();
}

static void forks(void **state)
{
    int status;
    (void)state;
    begin(NULL);
    char *base = map();
    pmem_flush(base, 8);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        system_now.syncs = 0;
        pmem_persist(base + PAGE, 8);
        _exit(system_now.syncs >= 1 && pmem_msync(base, SIZE) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    pmem_drain();
    assert_true(system_now.syncs >= 1);
    unmap(base);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_persistent_memory),
        cmocka_unit_test(flags_and_variables),
        cmocka_unit_test(no_flush),
        cmocka_unit_test(instructions),
        cmocka_unit_test(on_the_page_cache),
        cmocka_unit_test(drains_all_files),
        cmocka_unit_test(anonymous_memory),
        cmocka_unit_test(several_mappings),
        cmocka_unit_test(mapped_anew),
        cmocka_unit_test(told_by_text),
        cmocka_unit_test(abort_if_asked),
        cmocka_unit_test(kernel_that_is_not_asked),
        cmocka_unit_test(calls_that_fail),
        cmocka_unit_test(runtime_calls_that_fail),
        cmocka_unit_test(threads),
        cmocka_unit_test(forks),
        cmocka_unit_test(told_by_the_drain),
        cmocka_unit_test(disk_that_fails),
    };
    if (!nv_cpu->write_back)
        skip_all("this CPU has no way to write lines back");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
