/* SPDX-License-Identifier: MIT */
/*
 * Programs that may not make every system call: one that a keeper needs is refused, or kills the thread that makes it.
 * Drains of scattered pages succeed all the same, by msync, and wait for nobody who is gone.
 */
#include "tests/support/memory.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (64 * PAGE)

static struct file_map map;

/* From now on the call is answered so, in this process. */
static bool refuse(int number, unsigned answer)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(instructions) / sizeof(instructions[0]), instructions};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

/* A thread that has ended is seen for a little longer. */
static bool has_threads(int wanted)
{
    for (int i = 0; i < 10000 && threads() != wanted; i++)
        usleep(1000);
    return threads() == wanted;
}

/* Which of a child's steps went wrong; 0: none. */
static int use_token(int threads_after_drain)
{
    NV_MEMORY_RANGE ranges[] = {{map.base, 8}, {map.base + 40 * PAGE, 8}, {map.base + 63 * PAGE, 8}};
    for (int i = 0; i < 2; i++) {
        PVOID token;
        if (RtlGetNonVolatileToken(map.base, SIZE, &token) != STATUS_SUCCESS)
            return 1;
        for (int drain = 0; drain < 2; drain++)
            if (RtlFlushNonVolatileMemoryRanges(token, ranges, 3, 0) != STATUS_SUCCESS)
                return 2;
        if (!has_threads(threads_after_drain))
            return 3;
        if (RtlFreeNonVolatileToken(token) != STATUS_SUCCESS)
            return 4;
    }
    return has_threads(1) ? 0 : 5;
}

static void expect_in_child(int number, unsigned answer, int threads_after_drain, const char *name)
{
    int result;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(refuse(number, answer) ? use_token(threads_after_drain) : 10);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    if (result != 0)
        fail_msg("%s is answered 0x%x: %s %d", name, answer, WIFSIGNALED(result) ? "signal" : "wrong step",
                 WIFSIGNALED(result) ? WTERMSIG(result) : WEXITSTATUS(result));
}

static const struct {
    int number;
    const char *name;
    int threads; /* after a drain, where it is refused */
} calls[] = {
    {SYS_clone, "clone", 1},     {SYS_close_range, "close_range", 1},
    {SYS_statx, "statx", 1},     {SYS_fstatfs, "fstatfs", 1},
    {SYS_seccomp, "seccomp", 1}, {SYS_rt_sigprocmask, "rt_sigprocmask", 1},
    {SYS_prctl, "prctl", 1},     {SYS_sync_file_range, "sync_file_range", 2},
    {SYS_ioctl, "ioctl", 2},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        expect_in_child(calls[i].number, SECCOMP_RET_ERRNO | EPERM, calls[i].threads, calls[i].name);
        expect_in_child(calls[i].number, SECCOMP_RET_ERRNO | ENOSYS, calls[i].threads, calls[i].name);
    }
}

/* Only those that a keeper alone makes: a program is not meant to survive its own. */
static void killing_the_thread(void **state)
{
    (void)state;
    static const int numbers[] = {SYS_close_range, SYS_seccomp, SYS_sync_file_range};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        expect_in_child(numbers[i], SECCOMP_RET_KILL_THREAD, 1, "a killing call");
}

/* As many processes as there are already: an ordinary user can begin no thread. */
static void no_more_threads(void **state)
{
    (void)state;
    int result;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        alarm(60);
        setrlimit(RLIMIT_NPROC, &none);
        _exit(getuid() == 0 && setuid(65533) != 0 ? 10 : use_token(1));
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(killing_the_thread),
        cmocka_unit_test(no_more_threads),
    };
    map = file_map_make(NULL, SIZE);
    if (use_token(2) != 0) {
        file_map_end(&map);
        skip_all("no thread can have descriptors of its own here");
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
