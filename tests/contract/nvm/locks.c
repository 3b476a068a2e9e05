/* SPDX-License-Identifier: MIT */
/*
 * Tokens on files that a database has locked: SQLite in a transaction, and LMDB with an environment open. Another
 * process lists every fcntl lock of this one before and after each step, and the databases work on.
 */
#include "tests/support/memory.h"

#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCKS_MAX 16

/* A file of a database, mapped here as well. Its descriptor stays open: to close it would drop the locks. */
struct file {
    const char *path;
    int descriptor;
    char *base;
    size_t size_bytes;
};

struct locks {
    int count;
    struct flock each[LOCKS_MAX];
};

static struct locks *seen; /* shared with the processes that look */

static struct file map_file(const char *path)
{
    struct stat status;
    struct file file = {.path = path, .descriptor = open(path, O_RDWR | O_CLOEXEC)};
    assert_true(file.descriptor >= 0);
    assert_int_equal(fstat(file.descriptor, &status), 0);
    file.size_bytes = (size_t)status.st_size / PAGE * PAGE;
    assert_true(file.size_bytes > 32 * PAGE);
    file.base = mmap(NULL, file.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0);
    assert_true(file.base != MAP_FAILED);
    return file;
}

static void unmap_file(struct file *file)
{
    munmap(file->base, file->size_bytes);
    close(file->descriptor);
}

/* In the other process: what it may not lock, from the front to the end. */
static int look(const char *path, pid_t owner)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    off_t from = 0;
    seen->count = 0;
    for (;;) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from};
        if (fcntl(descriptor, F_GETLK, &lock) != 0)
            return 1;
        if (lock.l_type == F_UNLCK)
            return 0;
        if (lock.l_pid != owner || seen->count == LOCKS_MAX)
            return 2;
        seen->each[seen->count++] = lock;
        if (lock.l_len == 0)
            return 0;
        from = lock.l_start + lock.l_len;
    }
}

static struct locks locks_of(const struct file *file)
{
    int result;
    pid_t owner = getpid(), child = fork();
    if (child == 0)
        _exit(look(file->path, owner));
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    return *seen;
}

static void expect_locks(const struct file *file, const struct locks *wanted, const char *after)
{
    struct locks found = locks_of(file);
    bool same = found.count == wanted->count;
    for (int i = 0; same && i < found.count; i++)
        same = found.each[i].l_type == wanted->each[i].l_type && found.each[i].l_start == wanted->each[i].l_start &&
               found.each[i].l_len == wanted->each[i].l_len;
    if (!same)
        fail_msg("%s: %d locks after %s, and there were %d", file->path, found.count, after, wanted->count);
}

/* The first page, the last, and one between. What is stored there is what was there. */
static NTSTATUS flush_scattered(PVOID token, const struct file *file)
{
    char *middle = file->base + file->size_bytes / 2 / PAGE * PAGE, *last = file->base + file->size_bytes - PAGE;
    NV_MEMORY_RANGE ranges[] = {{file->base, 8}, {middle, 8}, {last, 8}};
    return RtlFlushNonVolatileMemoryRanges(token, ranges, 3, 0);
}

struct user {
    const struct file *file;
    int rounds;
};

static void *use(void *argument)
{
    struct user *user = argument;
    for (int i = 0; i < user->rounds; i++) {
        PVOID token;
        if (RtlGetNonVolatileToken(user->file->base, user->file->size_bytes, &token) != STATUS_SUCCESS ||
            flush_scattered(token, user->file) != STATUS_SUCCESS || RtlFreeNonVolatileToken(token) != STATUS_SUCCESS)
            return user;
    }
    return NULL;
}

static void use_by_threads(const struct file *file)
{
    struct user user = {file, 20};
    pthread_t threads[3];
    void *failed;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, &user), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

/* Another thread than those of the test: it holds a descriptor of the file. */
static bool is_kept(void)
{
    int threads = 0;
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    while (status && threads == 0 && fgets(line, sizeof(line), status))
        (void)sscanf(line, "Threads: %d", &threads);
    if (status)
        fclose(status);
    return threads > 1;
}

/* Everything that a token does, and the locks after each. */
static void use_beside(const struct file *file, int locks_min)
{
    struct locks before = locks_of(file);
    PVOID token, other;
    assert_in_range(before.count, locks_min, LOCKS_MAX);
    for (int round = 0; round < 3; round++) {
        assert_status(RtlGetNonVolatileToken(file->base, file->size_bytes, &token), STATUS_SUCCESS);
        expect_locks(file, &before, "a token was taken");
        assert_status(flush_scattered(token, file), STATUS_SUCCESS);
        expect_locks(file, &before, "a drain of scattered pages");
        if (round == 0)
            print_message("%s: %d locks, %s\n", file->path, before.count,
                          is_kept() ? "with a descriptor" : "without a descriptor");
        assert_status(RtlGetNonVolatileToken(file->base, PAGE, &other), STATUS_SUCCESS);
        assert_status(RtlFlushNonVolatileMemory(other, file->base, 8, 0), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(other), STATUS_SUCCESS);
        expect_locks(file, &before, "another token");
        assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, file->base, file->size_bytes, 0), STATUS_SUCCESS);
        assert_status(flush_scattered(DEFAULT_TOKEN, file), STATUS_SUCCESS);
        expect_locks(file, &before, "the default token");
        assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        expect_locks(file, &before, "the token was freed");
    }
    use_by_threads(file);
    expect_locks(file, &before, "tokens of several threads");
}

static void run_sql(sqlite3 *database, const char *sql)
{
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void beside_sqlite(void **state)
{
    (void)state;
    sqlite3 *database;
    sqlite3_stmt *count;
    assert_int_equal(sqlite3_open("locks.db", &database), SQLITE_OK);
    run_sql(database, "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, randomblob(400000));");
    struct file file = map_file("locks.db");
    run_sql(database, "BEGIN IMMEDIATE; UPDATE t SET a = 2;");
    use_beside(&file, 2);
    run_sql(database, "COMMIT;");
    assert_int_equal(locks_of(&file).count, 0);
    run_sql(database, "BEGIN EXCLUSIVE;");
    use_beside(&file, 1);
    run_sql(database, "ROLLBACK;");
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT a FROM t", -1, &count, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 2);
    sqlite3_finalize(count);
    sqlite3_close(database);
    unmap_file(&file);
}

/*
 * Its readers' table and its data. The locks are on the first, in which each process has one for as long as it lives.
 */
static void beside_lmdb(void **state)
{
    (void)state;
    MDB_env *environment;
    MDB_txn *reader, *writer;
    MDB_dbi database;
    char text[] = "text";
    MDB_val name = {sizeof(text), text}, value = {0, NULL};
    assert_int_equal(mdb_env_create(&environment), 0);
    assert_int_equal(mdb_env_set_maxreaders(environment, 4096), 0);
    assert_int_equal(mdb_env_open(environment, ".", 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(environment, NULL, 0, &writer), 0);
    assert_int_equal(mdb_dbi_open(writer, NULL, 0, &database), 0);
    value.mv_size = 400000;
    assert_int_equal(mdb_put(writer, database, &name, &value, MDB_RESERVE), 0);
    memset(value.mv_data, 'v', value.mv_size);
    assert_int_equal(mdb_txn_commit(writer), 0);
    struct file table = map_file("lock.mdb"), data = map_file("data.mdb");
    assert_int_equal(mdb_txn_begin(environment, NULL, MDB_RDONLY, &reader), 0);
    use_beside(&table, 1);
    use_beside(&data, 0);
    assert_int_equal(mdb_get(reader, database, &name, &value), 0);
    assert_int_equal(value.mv_size, 400000);
    assert_int_equal(((char *)value.mv_data)[399999], 'v');
    mdb_txn_abort(reader);
    mdb_env_close(environment);
    unmap_file(&table);
    unmap_file(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(beside_sqlite), cmocka_unit_test(beside_lmdb)};
    char folder[] = "./nvrtl-locks-XXXXXX";
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"locks.db", "locks.db-journal", "lock.mdb", "data.mdb"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(names[i]);
    if (chdir("..") == 0)
        rmdir(folder);
    return failed;
}
