/* SPDX-License-Identifier: MIT */
/* Owns the volumes of the process, one for each device number. Called when a file is opened or a filter attached. */
#include "src/io/volume.h"

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

struct nv_volume *nv_volume_get(uint64_t device)
{
    pthread_mutex_lock(&lock);
    struct nv_volume *volume = volumes;
    while (volume && volume->device != device)
        volume = volume->next;
    if (!volume)
        volume = make(device);
    pthread_mutex_unlock(&lock);
    return volume;
}

NTSTATUS nv_volume_send(struct nv_volume *volume, struct nv_request *request)
{
    return atomic_load_explicit(&volume->serve, memory_order_acquire)(request);
}

void nv_volume_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_volume_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}
