/* SPDX-License-Identifier: MIT */
/*
 * A log that writes its lines back by instructions, as code does that knows of no library: right, or wrong in the one
 * way that its argument names. Nothing of nvrtl is in it.
 *
 *     traps-client WAY FILE
 */
#include <cpuid.h>
#include <fcntl.h>
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)1 << 20)
#define LINE ((size_t)64)
#define APART __attribute__((noinline))
enum { RECORDS = 100 };

static char *base;

static void open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || ftruncate(fd, FILE_BYTES) || fsync(fd))
        exit(1);
    base = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        exit(1);
    close(fd);
}

APART static void flush(const void *start, size_t bytes)
{
    uintptr_t end = (uintptr_t)start + bytes;

    for (uintptr_t line = (uintptr_t)start & ~(LINE - 1); line < end; line += LINE)
        _mm_clwb((void *)line);
}

APART static void flush_by_other_means(const void *start, size_t bytes, int means)
{
    uintptr_t end = (uintptr_t)start + bytes;

    for (uintptr_t line = (uintptr_t)start & ~(LINE - 1); line < end; line += LINE)
        switch (means) { /* in the function, what a jump table leads to */
        case 0:
            _mm_clflushopt((void *)line);
            _mm_mfence();
            break;
        case 1:
            _mm_clflush((void *)line); /* it waits for nothing */
            break;
        case 2:
            _mm_clwb((char *)base + (line - (uintptr_t)base) / 8 * 8);
            _mm_sfence();
            break;
        case 3:
            __asm__ volatile("clwb 128(%0,%1,8)\n\tsfence" : : "r"(line - 128 - 800), "r"((uintptr_t)100) : "memory");
            break;
        default:
            __asm__ volatile("clflushopt (%%rsp,%0)\n\tmfence" : : "r"(line) : "memory");
            exit(1);
        }
}

static char *record_at(size_t number)
{
    return base + 4096 + number * 3 * LINE;
}

APART static void append(size_t number)
{
    char *record = record_at(number);

    memset(record, 'a' + (int)(number % 26), 2 * LINE + 10);
    flush(record, 2 * LINE + 10);
    _mm_sfence();
    *(volatile uint64_t *)(void *)base = number + 1;
    flush(base, 8);
    _mm_sfence();
}

APART static void append_all(void)
{
    for (size_t i = 0; i < RECORDS; i++)
        append(i);
}

APART static void stream(size_t number, int fenced)
{
    __m128i value = _mm_set1_epi8((char)number);
    char *record = record_at(number);

    for (size_t at = 0; at < 2 * LINE; at += sizeof value)
        _mm_stream_si128((__m128i *)(void *)(record + at), value);
    _mm_stream_si64((long long *)(void *)(record + 2 * LINE), 0x0102030405060708);
    _mm_stream_si32((int *)(void *)(record + 2 * LINE + 8), 0x01020304);
    if (fenced)
        _mm_sfence();
}

/* The fence of another thread, or of an earlier flush, is none of this one. */
static void case_right(void)
{
    append_all();
}

static void case_other_means(void)
{
    for (int means = 0; means < 4; means++) {
        memset(record_at((size_t)means), 'x', LINE + 1);
        flush_by_other_means(record_at((size_t)means), LINE + 1, means);
    }
}

static void case_streams(void)
{
    for (size_t i = 0; i < RECORDS; i++)
        stream(i, 1);
}

static void *in_thread(void *context)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    sigprocmask(SIG_SETMASK, &all, NULL);
    append_all();
    return context;
}

static void case_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL))
        exit(1);
}

static void case_child(void)
{
    int status;
    pid_t child = fork();

    if (!child) {
        append_all();
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status)
        exit(1);
}

static void on_signal(int number)
{
    (void)number;
    append_all();
}

static void case_handler(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigfillset(&action.sa_mask);
    if (sigaction(SIGUSR1, &action, NULL) || raise(SIGUSR1))
        exit(1);
}

/* The program's own traps are its own. */
static volatile sig_atomic_t own_traps;

static void on_own_trap(int number)
{
    own_traps += number == SIGTRAP;
}

static void case_own_trap(void)
{
    if (signal(SIGTRAP, on_own_trap) == SIG_ERR)
        exit(1);
    append_all();
    __asm__ volatile("int3");
    raise(SIGTRAP);
    if (own_traps != 2)
        exit(3);
}

/* Where a file was, another is mapped, and then no file. */
static void case_remapped(void)
{
    append_all();
    munmap(base, FILE_BYTES);
    base = mmap(base, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    append_all();
    munmap(base, FILE_BYTES);
    open_file("second");
    append_all();
}

static void case_forgets_to_flush(void)
{
    append_all();
    record_at(3)[5] = 'X';
    _mm_sfence();
}

APART static void forget_to_fence(void)
{
    record_at(3)[5] = 'X';
    flush(record_at(3), 6);
    __asm__ volatile("" : : : "memory"); /* the call is not the function's last */
}

static void case_forgets_to_fence(void)
{
    append_all();
    forget_to_fence();
}

static void case_flushes_too_early(void)
{
    flush(record_at(1), 1);
    record_at(1)[0] = 'X';
    _mm_sfence();
}

static void case_forgets_to_fence_a_stream(void)
{
    stream(0, 1);
    stream(1, 0);
    flush(record_at(0), 1); /* no fence */
}

static void *fence(void *context)
{
    _mm_sfence();
    return context;
}

static void case_fences_elsewhere(void)
{
    pthread_t thread;

    append_all();
    forget_to_fence();
    if (pthread_create(&thread, NULL, fence, NULL) || pthread_join(thread, NULL))
        exit(1);
}

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
    {"right", case_right},
    {"other-means", case_other_means},
    {"streams", case_streams},
    {"thread", case_thread},
    {"child", case_child},
    {"handler", case_handler},
    {"own-trap", case_own_trap},
    {"remapped", case_remapped},
    {"forgets-to-flush", case_forgets_to_flush},
    {"forgets-to-fence", case_forgets_to_fence},
    {"flushes-too-early", case_flushes_too_early},
    {"forgets-to-fence-a-stream", case_forgets_to_fence_a_stream},
    {"fences-elsewhere", case_fences_elsewhere},
};

/* clflushopt and clwb */
static int has_instructions(void)
{
    unsigned a, b = 0, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 23 & 1) && (b >> 24 & 1);
}

int main(int count, char **words)
{
    if (!has_instructions())
        return 77;
    for (size_t i = 0; count > 2 && i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].name, words[1])) {
            open_file(words[2]);
            ways[i].run();
            return 0;
        }
    return 2;
}
