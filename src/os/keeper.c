/* SPDX-License-Identifier: MIT */
/*
 * Owns keepers: threads that hold a descriptor of a file in a descriptor table of their own. Called through nv_os by
 * the backing of a file.
 *
 * To close a descriptor of a file drops the fcntl locks that its descriptor table's owner holds on the file, so none of
 * ours may ever be in the program's table; and only another thread can have another table.
 */
#include "src/os/keeper.h"

#include "src/os/keeper_thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENCE_S 1
#define WATCH_NS 100000u

/* With every signal blocked, those of the C library, too. */
static int begin(struct nv_os_keeper *keeper)
{
    int saved = errno, error = -EINVAL;
    uint64_t every = ~(uint64_t)0, before;
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, &before, sizeof(every)) == 0) {
        error = nv_keeper_begin(keeper);
        (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
    }
    errno = saved;
    return error;
}

static void futex(_Atomic uint32_t *word, int how, uint32_t value, const struct timespec *limit)
{
    int saved = errno;
    (void)syscall(SYS_futex, word, how, value, limit, NULL, 0);
    errno = saved;
}

/* The kernel's word: the thread touches nothing any more. */
static void wait_until_gone(struct nv_os_keeper *keeper)
{
    uint32_t thread;
    while ((thread = atomic_load_explicit(&keeper->thread, memory_order_acquire)) != 0)
        futex(&keeper->thread, FUTEX_WAIT, thread, NULL);
}

/*
 * Until the word is another. False: the thread is gone. It never goes by itself, but a filter of the program may end
 * it.
 */
static bool wait_while(struct nv_os_keeper *keeper, _Atomic uint32_t *word, uint32_t value)
{
    const struct timespec limit = {PATIENCE_S, 0};
    while (atomic_load_explicit(word, memory_order_acquire) == value) {
        if (!atomic_load_explicit(&keeper->thread, memory_order_acquire))
            return atomic_load_explicit(word, memory_order_acquire) != value;
        futex(word, FUTEX_WAIT_PRIVATE, value, &limit);
    }
    return true;
}

int nv_keeper_start(struct nv_os_file *file, struct nv_os_keeper **keeper)
{
    struct nv_os_keeper *made = nv_os->resize(NULL, sizeof(*made));
    if (!made)
        return -ENOMEM;
    *made =
        (struct nv_os_keeper){.file = file, .device = file->device, .inode = file->inode, .descriptor = -1, .maps = -1};
    int error = begin(made);
    if (!error && !wait_while(made, &made->ready, 0))
        error = -ESRCH;
    if (!error)
        error = made->error;
    if (error) {
        wait_until_gone(made);
        free(made);
        return error;
    }
    made->file = NULL;
    *keeper = made;
    return 0;
}

static void ring(struct nv_os_keeper *keeper)
{
    atomic_fetch_add_explicit(&keeper->bell, 1, memory_order_release);
    futex(&keeper->bell, FUTEX_WAKE_PRIVATE, 1, NULL);
}

/*
 * The writes of a fast device end in less time than a thread takes to wake up. So whoever waits for them is woken when
 * they are started, and watches for the end, for a while; unless the keeper would need this very CPU.
 */
static void watch(struct nv_os_keeper *keeper, struct nv_keeper_request *request)
{
    unsigned cpu;
    uint64_t began_ns = nv_os->clock_ns(), ns = 0;
    bool shared = syscall(SYS_getcpu, &cpu, NULL, NULL) != 0 || cpu == request->cpu;
    while (!shared && ns < WATCH_NS && atomic_load_explicit(&request->state, memory_order_acquire) != NV_KEEPER_DONE)
        ns = nv_os->clock_ns() - began_ns;
    (void)wait_while(keeper, &request->state, NV_KEEPER_STARTED);
    atomic_store_explicit(&keeper->wait_ns, nv_os->clock_ns() - began_ns, memory_order_relaxed);
}

int nv_keeper_write(struct nv_os_keeper *keeper, const struct nv_os_pages *pages)
{
    struct nv_keeper_request request = {
        .pages = pages,
        .tell_start = atomic_load_explicit(&keeper->wait_ns, memory_order_relaxed) < WATCH_NS,
    };
    request.next = atomic_load_explicit(&keeper->requests, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&keeper->requests, &request.next, &request, memory_order_release,
                                                  memory_order_relaxed))
        continue;
    ring(keeper);
    if (!wait_while(keeper, &request.state, NV_KEEPER_ASKED))
        return -ESRCH;
    if (atomic_load_explicit(&request.state, memory_order_acquire) == NV_KEEPER_STARTED)
        watch(keeper, &request);
    return atomic_load_explicit(&request.state, memory_order_acquire) == NV_KEEPER_DONE ? request.error : -ESRCH;
}

void nv_keeper_end(struct nv_os_keeper *keeper)
{
    atomic_store_explicit(&keeper->ends, true, memory_order_release);
    ring(keeper);
    wait_until_gone(keeper);
    free(keeper);
}

void nv_keeper_forget(struct nv_os_keeper *keeper)
{
    free(keeper);
}
