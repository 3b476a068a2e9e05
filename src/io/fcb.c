/* SPDX-License-Identifier: MIT */
/* Owns the file control blocks. Called when a file is opened, closed, renamed, deleted, and flushed. */
#include "src/io/fcb.h"

#include "src/os/os.h"

#include <nvrtl/status.h>
#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 256
#define READS (FILE_READ_DATA | FILE_EXECUTE)
#define WRITES (FILE_WRITE_DATA | FILE_APPEND_DATA)

static struct nv_fcb *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything here; never held over a system call */

static struct nv_fcb **bucket(uint64_t device, uint64_t inode)
{
    return &buckets[(device * 31 + inode) * 0x9E3779B97F4A7C15u >> 56];
}

/* Under the lock. */
static struct nv_fcb *find(uint64_t device, uint64_t inode)
{
    struct nv_fcb *fcb = *bucket(device, inode);
    while (fcb && (fcb->device != device || fcb->inode != inode))
        fcb = fcb->next;
    return fcb;
}

/* Under the lock. */
static struct nv_fcb *make(uint64_t device, uint64_t inode)
{
    struct nv_fcb *fcb = nv_os->resize(NULL, sizeof(*fcb));
    struct nv_fcb **head = bucket(device, inode);
    if (!fcb)
        return NULL;
    *fcb = (struct nv_fcb){.next = *head, .device = device, .inode = inode};
    *head = fcb;
    return fcb;
}

struct nv_fcb *nv_fcb_get(uint64_t device, uint64_t inode)
{
    pthread_mutex_lock(&lock);
    struct nv_fcb *fcb = find(device, inode);
    if (!fcb)
        fcb = make(device, inode);
    if (fcb)
        fcb->references++;
    pthread_mutex_unlock(&lock);
    return fcb;
}

/* Under the lock. */
static void take_out(struct nv_fcb *fcb)
{
    struct nv_fcb **link = bucket(fcb->device, fcb->inode);
    while (*link != fcb)
        link = &(*link)->next;
    *link = fcb->next;
}

void nv_fcb_put(struct nv_fcb *fcb)
{
    pthread_mutex_lock(&lock);
    bool is_last = --fcb->references == 0;
    if (is_last)
        take_out(fcb);
    pthread_mutex_unlock(&lock);
    if (is_last)
        free(fcb);
}

/* As IoCheckShareAccess is documented. Under the lock. */
static bool may_share(const struct nv_fcb *fcb, ACCESS_MASK access, ULONG share)
{
    if (((access & READS) && fcb->read_shared < fcb->sharers) ||
        ((access & WRITES) && fcb->write_shared < fcb->sharers) ||
        ((access & DELETE) && fcb->delete_shared < fcb->sharers))
        return false;
    return !((fcb->readers && !(share & FILE_SHARE_READ)) || (fcb->writers && !(share & FILE_SHARE_WRITE)) ||
             (fcb->deleters && !(share & FILE_SHARE_DELETE)));
}

/* Under the lock. `by` is 1 or -1. */
static void count(struct nv_fcb *fcb, ACCESS_MASK access, ULONG share, int by)
{
    fcb->handles += by;
    if (!(access & (READS | WRITES | DELETE)))
        return;
    fcb->sharers += by;
    fcb->readers += access & READS ? by : 0;
    fcb->writers += access & WRITES ? by : 0;
    fcb->deleters += access & DELETE ? by : 0;
    fcb->read_shared += share & FILE_SHARE_READ ? by : 0;
    fcb->write_shared += share & FILE_SHARE_WRITE ? by : 0;
    fcb->delete_shared += share & FILE_SHARE_DELETE ? by : 0;
}

NTSTATUS nv_fcb_open(struct nv_fcb *fcb, ACCESS_MASK access, ULONG share)
{
    bool shares = access & (READS | WRITES | DELETE);
    NTSTATUS status = STATUS_SUCCESS;
    pthread_mutex_lock(&lock);
    if (fcb->delete_pending)
        status = STATUS_DELETE_PENDING;
    else if (shares && !may_share(fcb, access, share))
        status = STATUS_SHARING_VIOLATION;
    else
        count(fcb, access, share, 1);
    pthread_mutex_unlock(&lock);
    return status;
}

bool nv_fcb_close(struct nv_fcb *fcb, ACCESS_MASK access, ULONG share)
{
    pthread_mutex_lock(&lock);
    count(fcb, access, share, -1);
    bool is_to_go = fcb->handles == 0 && fcb->delete_pending;
    pthread_mutex_unlock(&lock);
    return is_to_go;
}

bool nv_fcb_is_open(uint64_t device, uint64_t inode)
{
    pthread_mutex_lock(&lock);
    struct nv_fcb *fcb = find(device, inode);
    bool is_open = fcb && fcb->handles > 0;
    pthread_mutex_unlock(&lock);
    return is_open;
}

size_t nv_fcb_count(void)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct nv_fcb *fcb = buckets[i]; fcb; fcb = fcb->next)
            count++;
    pthread_mutex_unlock(&lock);
    return count;
}

void nv_fcb_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_fcb_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}
