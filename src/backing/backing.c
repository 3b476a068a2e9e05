/* SPDX-License-Identifier: MIT */
/*
 * Owns what is known of each file while tokens or handles stand for it. Called by binding.c for mapped pages, and by
 * whoever flushes an open file.
 *
 * No descriptor is held: msync of the mapping needs none. It writes what is dirty in a range of pages, and makes the
 * device flush once, as fdatasync does for the whole file. A descriptor would have to be opened by a path that may lead
 * elsewhere by now, and closing it would drop the program's fcntl locks.
 */
#include "src/backing/backing.h"

#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* A sync under way, on its thread's stack. */
struct sync {
    struct sync *earlier;
    struct sync *later;
    uint64_t ticket;
};

struct nv_backing {
    struct nv_backing *next; /* in its bucket */
    uint64_t device;
    uint64_t inode;
    size_t references;
    NTSTATUS failure;
    uint64_t tickets;   /* given to syncs so far */
    struct sync *first; /* the syncs under way, in the order in which they began */
    struct sync *last;
    pthread_cond_t ended; /* the first sync under way has ended */
};

#define BUCKETS 256
#define INTERRUPTIONS 100 /* a sync of a network file may be interrupted; not for ever */

static struct nv_backing *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything here; never held over a system call */

static struct nv_backing **bucket(uint64_t device, uint64_t inode)
{
    uint64_t mixed = (device * 31 + inode) * 0x9E3779B97F4A7C15u;
    return &buckets[mixed >> 56];
}

static struct nv_backing *make(uint64_t device, uint64_t inode)
{
    struct nv_backing *backing = nv_os->resize(NULL, sizeof(*backing));
    if (!backing)
        return NULL;
    *backing = (struct nv_backing){.device = device, .inode = inode};
    pthread_cond_init(&backing->ended, NULL);
    struct nv_backing **head = bucket(device, inode);
    backing->next = *head;
    *head = backing;
    return backing;
}

struct nv_backing *nv_backing_get(uint64_t device, uint64_t inode)
{
    pthread_mutex_lock(&lock);
    struct nv_backing *backing = *bucket(device, inode);
    while (backing && (backing->device != device || backing->inode != inode))
        backing = backing->next;
    if (!backing)
        backing = make(device, inode);
    if (backing)
        backing->references++;
    pthread_mutex_unlock(&lock);
    return backing;
}

/* Under the lock. */
static void drop(struct nv_backing *backing)
{
    struct nv_backing **link = bucket(backing->device, backing->inode);
    while (*link != backing)
        link = &(*link)->next;
    *link = backing->next;
    pthread_cond_destroy(&backing->ended);
    free(backing);
}

void nv_backing_put(struct nv_backing *backing)
{
    pthread_mutex_lock(&lock);
    if (--backing->references == 0 && backing->failure == STATUS_SUCCESS)
        drop(backing);
    pthread_mutex_unlock(&lock);
}

NTSTATUS nv_backing_failure(struct nv_backing *backing)
{
    pthread_mutex_lock(&lock);
    NTSTATUS failure = backing->failure;
    pthread_mutex_unlock(&lock);
    return failure;
}

void nv_backing_forget(struct nv_backing *backing)
{
    pthread_mutex_lock(&lock);
    backing->failure = STATUS_SUCCESS;
    pthread_mutex_unlock(&lock);
}

NTSTATUS nv_backing_failure_on(uint64_t device)
{
    NTSTATUS failure = STATUS_SUCCESS;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS && failure == STATUS_SUCCESS; i++)
        for (struct nv_backing *backing = buckets[i]; backing && failure == STATUS_SUCCESS; backing = backing->next)
            if (backing->device == device)
                failure = backing->failure;
    pthread_mutex_unlock(&lock);
    return failure;
}

/* What nobody refers to was kept for its failure alone. */
void nv_backing_forget_on(uint64_t device)
{
    struct nv_backing *next;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct nv_backing *backing = buckets[i]; backing; backing = next) {
            next = backing->next;
            if (backing->device != device)
                continue;
            backing->failure = STATUS_SUCCESS;
            if (backing->references == 0)
                drop(backing);
        }
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static void begin(struct nv_backing *backing, struct sync *sync)
{
    *sync = (struct sync){.earlier = backing->last, .ticket = backing->tickets++};
    if (backing->last)
        backing->last->later = sync;
    else
        backing->first = sync;
    backing->last = sync;
}

/* Under the lock. */
static void end(struct nv_backing *backing, struct sync *sync)
{
    if (sync->earlier)
        sync->earlier->later = sync->later;
    else
        backing->first = sync->later;
    if (sync->later)
        sync->later->earlier = sync->earlier;
    else
        backing->last = sync->earlier;
    pthread_cond_broadcast(&backing->ended);
}

/*
 * The status of a failed msync, and whether it says that data may be lost. ENOMEM is how msync tells of pages that are
 * not mapped; but a file system may be out of memory as well.
 */
static NTSTATUS judge(int error, char *start, size_t size_bytes, bool *lost)
{
    *lost = error != -ENOMEM || nv_os->check_mapped(start, size_bytes) != -ENOMEM;
    return *lost ? nv_os_status(error) : STATUS_INVALID_PARAMETER;
}

static NTSTATUS sync_pages(char *start, size_t size_bytes, bool *lost)
{
    int error = -EINTR;
    for (int i = 0; i < INTERRUPTIONS && error == -EINTR; i++)
        error = nv_os->sync(start, size_bytes);
    if (error == 0)
        return STATUS_SUCCESS;
    return judge(error, start, size_bytes, lost);
}

static int call(int descriptor, enum nv_file_sync how)
{
    switch (how) {
    case NV_SYNC_WRITE:
        return nv_os->write_back(descriptor);
    case NV_SYNC_VOLUME:
        return nv_os->sync_volume(descriptor);
    case NV_SYNC_ALL:
    case NV_SYNC_DATA:
        break;
    }
    return nv_os->sync_file(descriptor, how == NV_SYNC_DATA);
}

/* A descriptor that is none, or of something that cannot be synced, says nothing of the file's data. */
static NTSTATUS sync_file(int descriptor, enum nv_file_sync how, bool *lost)
{
    int error = -EINTR;
    for (int i = 0; i < INTERRUPTIONS && error == -EINTR; i++)
        error = call(descriptor, how);
    *lost = error != 0 && error != -EBADF && error != -EINVAL;
    return error == 0 ? STATUS_SUCCESS : nv_os_file_status(error, descriptor);
}

/*
 * The kernel tells of a lost page to one caller only, which need not be the one that waits for that page. So a sync
 * that succeeded waits until those that ran beside it have said how they fared.
 */
static void wait_for_others(struct nv_backing *backing)
{
    uint64_t began_by_now = backing->tickets;
    while (backing->failure == STATUS_SUCCESS && backing->first && backing->first->ticket < began_by_now)
        pthread_cond_wait(&backing->ended, &lock);
}

/* Refuses with the remembered failure. */
static NTSTATUS enter(struct nv_backing *backing, struct sync *sync)
{
    pthread_mutex_lock(&lock);
    NTSTATUS failure = backing->failure;
    if (failure == STATUS_SUCCESS)
        begin(backing, sync);
    pthread_mutex_unlock(&lock);
    return failure;
}

/* The status of the sync, or of one beside it that has failed. */
static NTSTATUS leave(struct nv_backing *backing, struct sync *sync, NTSTATUS status, bool lost)
{
    pthread_mutex_lock(&lock);
    if (lost && backing->failure == STATUS_SUCCESS)
        backing->failure = status;
    end(backing, sync);
    if (status == STATUS_SUCCESS)
        wait_for_others(backing);
    if (backing->failure != STATUS_SUCCESS)
        status = backing->failure;
    pthread_mutex_unlock(&lock);
    return status;
}

NTSTATUS nv_backing_sync(struct nv_backing *backing, char *start, size_t size_bytes)
{
    struct sync sync;
    bool lost = false;
    NTSTATUS status = enter(backing, &sync);
    if (status != STATUS_SUCCESS)
        return status;
    status = sync_pages(start, size_bytes, &lost);
    return leave(backing, &sync, status, lost);
}

NTSTATUS nv_backing_sync_file(struct nv_backing *backing, int descriptor, enum nv_file_sync how)
{
    struct sync sync;
    bool lost = false;
    NTSTATUS status = enter(backing, &sync);
    if (status != STATUS_SUCCESS)
        return status;
    status = sync_file(descriptor, how, &lost);
    return leave(backing, &sync, status, lost);
}

void nv_backing_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_backing_after_fork(int in_child)
{
    for (size_t i = 0; in_child && i < BUCKETS; i++)
        for (struct nv_backing *backing = buckets[i]; backing; backing = backing->next) {
            backing->first = backing->last = NULL;
            pthread_cond_init(&backing->ended, NULL);
        }
    pthread_mutex_unlock(&lock);
}

size_t nv_backing_count(void)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct nv_backing *backing = buckets[i]; backing; backing = backing->next)
            count++;
    pthread_mutex_unlock(&lock);
    return count;
}
