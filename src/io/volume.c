/* SPDX-License-Identifier: MIT */
/* Owns the volumes of the process, one for each device number. Called when a file is opened or a filter attached. */
#include "src/io/volume.h"

#include "src/io/park.h"
#include "src/io/stack.h"
#include "src/os/os.h"

#include <pthread.h>

static struct nv_volume *volumes;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct nv_volume *make(uint64_t device)
{
    struct nv_volume *volume = nv_os->resize(NULL, sizeof(*volume));
    if (!volume)
        return NULL;
    *volume = (struct nv_volume){.next = volumes, .device = device, .serve = nv_driver_serve};
    volumes = volume;
    return volume;
}

/* Whether it is for this thread to mount. A filter that opens files while it hears of the volume goes on at once. */
static bool begin_mounting(struct nv_volume *volume)
{
    nv_park_lock(volume);
    while (atomic_load(&volume->state) == NV_VOLUME_MOUNTING && volume->mounter != nv_park_self())
        (void)nv_park_wait(volume, NULL);
    bool mine = atomic_load(&volume->state) == NV_VOLUME_NEW;
    if (mine) {
        volume->mounter = nv_park_self();
        atomic_store(&volume->state, NV_VOLUME_MOUNTING);
    }
    nv_park_unlock(volume);
    return mine;
}

static void end_mounting(struct nv_volume *volume, enum nv_volume_state state)
{
    nv_park_lock(volume);
    atomic_store(&volume->state, state);
    nv_park_release_all(volume);
    nv_park_unlock(volume);
}

static struct nv_volume *mount(struct nv_volume *volume)
{
    if (!begin_mounting(volume))
        return volume;
    NTSTATUS status = nv_stack_mount(volume);
    end_mounting(volume, NT_SUCCESS(status) ? NV_VOLUME_MOUNTED : NV_VOLUME_NEW);
    return NT_SUCCESS(status) ? volume : NULL;
}

struct nv_volume *nv_volume_get(uint64_t device)
{
    pthread_mutex_lock(&lock);
    struct nv_volume *volume = volumes;
    while (volume && volume->device != device)
        volume = volume->next;
    if (!volume)
        volume = make(device);
    pthread_mutex_unlock(&lock);
    if (!volume || atomic_load(&volume->state) == NV_VOLUME_MOUNTED)
        return volume;
    return mount(volume);
}

struct nv_volume *nv_volume_next(const struct nv_volume *volume)
{
    pthread_mutex_lock(&lock);
    struct nv_volume *next = volume ? volume->next : volumes;
    pthread_mutex_unlock(&lock);
    return next;
}

NTSTATUS nv_volume_send(struct nv_volume *volume, struct nv_request *request)
{
    return atomic_load_explicit(&volume->serve, memory_order_acquire)(request);
}

void nv_volume_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

/* What another thread was about to mount, nobody mounts in the child. */
void nv_volume_after_fork(bool in_child)
{
    for (struct nv_volume *volume = volumes; in_child && volume; volume = volume->next)
        if (atomic_load(&volume->state) == NV_VOLUME_MOUNTING && volume->mounter != nv_park_self())
            atomic_store(&volume->state, NV_VOLUME_NEW);
    pthread_mutex_unlock(&lock);
}
