/* SPDX-License-Identifier: MIT */
/*
 * Keepers on real files: what a program must not notice of them, and what they must refuse. Their thread is looked at
 * through /proc/self/task, its descriptors through the fcntl locks that stay.
 */
#include "src/os/os.h"
#include "tests/support/memory.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (64 * PAGE)

static struct file_map map;
static uint64_t kind; /* of its file system */

static int keep(const char *path, struct nv_os_keeper **keeper)
{
    struct stat file;
    assert_int_equal(fstat(map.descriptor, &file), 0);
    struct nv_os_file wanted = {
        .paths = {NULL, path}, .device = file.st_dev, .inode = file.st_ino, .systems = &kind, .system_count = 1};
    return nv_os->keep(&wanted, keeper);
}

static struct nv_os_keeper *kept(void)
{
    struct nv_os_keeper *keeper = NULL;
    assert_int_equal(keep(map.path, &keeper), 0);
    return keeper;
}

static int write_page(struct nv_os_keeper *keeper, size_t page)
{
    struct nv_os_range range = {(uintptr_t)map.base + page * PAGE, (uintptr_t)map.base + (page + 1) * PAGE};
    struct nv_os_pages pages = {.ranges = &range, .count = 1, .start = (uintptr_t)map.base};
    atomic_fetch_add((_Atomic char *)(map.base + page * PAGE), 1);
    return nv_os->write_pages(keeper, &pages);
}

static int count_in(const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(entries);
    return count;
}

/* A thread that has ended is seen for a little longer. */
static void expect_threads(int wanted)
{
    for (int i = 0; count_in("/proc/self/task") != wanted; i++) {
        assert_in_range(i, 0, 10000);
        usleep(1000);
    }
}

/* The line of /proc/self/task/ID/status that begins so, of the keeper's thread; false if there is none. */
static bool status_of_thread(const char *name, char *text, size_t text_bytes)
{
    char path[300], line[256], id[256] = "";
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (struct dirent *thread; !*id && (thread = readdir(threads)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", thread->d_name);
        FILE *file = fopen(path, "r");
        if (file && fgets(line, sizeof(line), file) && strcmp(line, "nvrtl-keeper\n") == 0)
            snprintf(id, sizeof(id), "%s", thread->d_name);
        if (file)
            fclose(file);
    }
    closedir(threads);
    snprintf(path, sizeof(path), "/proc/self/task/%s/status", id);
    FILE *file = *id ? fopen(path, "r") : NULL;
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file)) {
        found = strncmp(line, name, strlen(name)) == 0;
        snprintf(text, text_bytes, "%s", line + strlen(name));
    }
    if (file)
        fclose(file);
    return found;
}

/* Asked by another process, as locks are no obstacle to their owner. */
static bool is_locked(void)
{
    int result;
    pid_t child = fork();
    if (child == 0) {
        struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        _exit(fcntl(map.descriptor, F_GETLK, &probe) == 0 && probe.l_type == F_WRLCK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    return result == 0;
}

static void locks_stay(void **state)
{
    (void)state;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    assert_int_equal(fcntl(map.descriptor, F_SETLK, &lock), 0);
    for (int i = 0; i < 5; i++) {
        struct nv_os_keeper *keeper = kept();
        assert_true(is_locked());
        assert_int_equal(write_page(keeper, 3), 0);
        assert_true(is_locked());
        nv_os->end_keeper(keeper);
        assert_true(is_locked());
        assert_int_not_equal(keep("/", &keeper), 0);
        assert_true(is_locked());
    }
    lock.l_type = F_UNLCK;
    assert_int_equal(fcntl(map.descriptor, F_SETLK, &lock), 0);
    assert_false(is_locked());
}

static void descriptors_of_its_own(void **state)
{
    (void)state;
    int before = count_in("/proc/self/fd"), threads = count_in("/proc/self/task");
    struct nv_os_keeper *keeper = kept(), *other = kept();
    assert_int_equal(count_in("/proc/self/fd"), before);
    expect_threads(threads + 2);
    nv_os->end_keeper(keeper);
    nv_os->end_keeper(other);
    expect_threads(threads);
    assert_int_not_equal(keep("/nowhere", &keeper), 0);
    expect_threads(threads);
    assert_int_equal(count_in("/proc/self/fd"), before);
}

/* No signal is ever handled there, and nothing can be done there but its work. */
static void sealed(void **state)
{
    (void)state;
    char text[256];
    struct nv_os_keeper *keeper = kept();
    assert_true(status_of_thread("Seccomp:\t", text, sizeof(text)));
    assert_string_equal(text, "2\n");
    assert_true(status_of_thread("NoNewPrivs:\t", text, sizeof(text)));
    assert_string_equal(text, "1\n");
    assert_true(status_of_thread("SigBlk:\t", text, sizeof(text)));
    assert_string_equal(text, "fffffffffffbfeff\n"); /* SIGKILL and SIGSTOP cannot be blocked */
    nv_os->end_keeper(keeper);
}

/* What the path leads to is not the file; none of it is opened. A fifo would wait for who writes to it. */
static void other_files(void **state)
{
    (void)state;
    struct nv_os_keeper *keeper;
    char fifo[300], link[300];
    snprintf(fifo, sizeof(fifo), "%.250s.fifo", map.path);
    snprintf(link, sizeof(link), "%.250s.link", map.path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink(fifo, link), 0);
    assert_int_equal(keep(fifo, &keeper), -ESTALE);
    assert_int_equal(keep(link, &keeper), -ESTALE);
    assert_int_equal(keep(".", &keeper), -ESTALE);
    assert_int_equal(keep("/dev/null", &keeper), -ESTALE);
    assert_int_equal(keep("/proc/self/exe", &keeper), -ESTALE);
    assert_int_equal(keep("/nowhere", &keeper), -ENOENT);
    assert_int_equal(keep(NULL, &keeper), -ENOENT);
    unlink(fifo);
    unlink(link);
    kind++;
    assert_int_equal(keep(map.path, &keeper), -EOPNOTSUPP);
    kind--;
}

/* The program has put another mapping where the pages were. */
static void replaced_mapping(void **state)
{
    (void)state;
    struct nv_os_mapping mapping = {.size_bytes = sizeof(mapping), .query_address = (uintptr_t)map.base};
    int maps = nv_os->open("/proc/self/maps");
    bool can_ask = nv_os->query_mapping(maps, &mapping) == 0;
    nv_os->close(maps);
    if (!can_ask)
        skip(); /* a kernel before 6.11 */
    struct nv_os_keeper *keeper = kept();
    const int flags = MAP_SHARED | MAP_FIXED, protection = PROT_READ | PROT_WRITE;
    assert_int_equal(write_page(keeper, 3), 0);
    assert_ptr_equal(mmap(map.base, SIZE, protection, flags | MAP_ANONYMOUS, -1, 0), map.base);
    assert_int_equal(write_page(keeper, 3), -ESTALE);
    assert_ptr_equal(mmap(map.base, SIZE / 2, protection, flags, map.descriptor, SIZE / 2), map.base);
    assert_int_equal(write_page(keeper, 3), -ESTALE);
    assert_int_equal(munmap(map.base + 3 * PAGE, PAGE), 0);
    struct nv_os_range across = {(uintptr_t)map.base, (uintptr_t)map.base + SIZE};
    struct nv_os_pages pages = {.ranges = &across, .count = 1, .start = (uintptr_t)map.base};
    assert_int_equal(nv_os->write_pages(keeper, &pages), -ESTALE);
    assert_ptr_equal(mmap(map.base, SIZE, protection, flags, map.descriptor, 0), map.base);
    assert_int_equal(mprotect(map.base + 3 * PAGE, PAGE, PROT_READ), 0); /* two more mappings, of the same file */
    assert_int_equal(nv_os->write_pages(keeper, &pages), 0);
    assert_int_equal(mprotect(map.base + 3 * PAGE, PAGE, protection), 0);
    nv_os->end_keeper(keeper);
}

static void *write_many(void *keeper)
{
    for (size_t i = 0; i < 200; i++)
        if (write_page(keeper, i % 64) != 0)
            return keeper;
    return NULL;
}

static void many_at_once(void **state)
{
    (void)state;
    struct nv_os_keeper *keeper = kept();
    pthread_t threads[4];
    void *failed;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, keeper), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    nv_os->end_keeper(keeper);
}

static void forgotten_by_a_child(void **state)
{
    (void)state;
    struct nv_os_keeper *keeper = kept();
    int result;
    pid_t child = fork();
    if (child == 0) {
        struct nv_os_keeper *own = NULL;
        nv_os->forget_keeper(keeper);
        bool works = keep(map.path, &own) == 0 && write_page(own, 5) == 0;
        if (own)
            nv_os->end_keeper(own);
        _exit(works ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(write_page(keeper, 6), 0);
    nv_os->end_keeper(keeper);
}

/* A program ends with the last of its own threads, as if there were no keeper: what it has printed is written. */
static atomic_bool main_ends;

static void tell_end(void *value)
{
    (void)value;
    atomic_store(&main_ends, true);
}

static void *end_later(void *argument)
{
    while (!atomic_load(&main_ends))
        usleep(100);
    printf("the end");
    return argument;
}

static void never_keeps_a_process_alive(void **state)
{
    (void)state;
    int result, ends[2];
    char text[16] = "";
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    print_message("a sanitizer's own thread keeps a process alive, or its look for leaks finds the keeper\n");
    skip();
#endif
    if (!dlopen("libgcc_s.so.1", RTLD_NOW))
        skip(); /* pthread_exit cannot do without */
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pthread_t other;
        pthread_key_t key;
        alarm(20);
        dup2(ends[1], STDOUT_FILENO);
        (void)kept();
        pthread_key_create(&key, tell_end);
        pthread_setspecific(key, &key);
        pthread_create(&other, NULL, end_later, NULL);
        pthread_exit(NULL);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(read(ends[0], text, sizeof(text) - 1), 7);
    assert_string_equal(text, "the end");
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locks_stay),
        cmocka_unit_test(descriptors_of_its_own),
        cmocka_unit_test(sealed),
        cmocka_unit_test(other_files),
        cmocka_unit_test(replaced_mapping),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(forgotten_by_a_child),
        cmocka_unit_test(never_keeps_a_process_alive),
    };
    struct nv_os_keeper *keeper;
    struct statfs system;
    map = file_map_make(NULL, SIZE);
    assert_int_equal(fstatfs(map.descriptor, &system), 0);
    kind = (uint64_t)system.f_type;
    int error = keep(map.path, &keeper);
    if (error) {
        file_map_end(&map);
        printf("%s\n", strerror(-error));
        skip_all("no thread can have descriptors of its own here");
    }
    nv_os->end_keeper(keeper);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
