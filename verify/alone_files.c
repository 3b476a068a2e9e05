/* SPDX-License-Identifier: MIT */
/*
 * Owns the files that a run without a supervisor has met. They are opened apart, so that no fcntl lock of the program
 * is dropped when they are closed. Called by alone.c and alone_views.c.
 */
#include "verify/alone_files.h"
#include "verify/apart.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES ((uint64_t)4096)
#define ROOM_MIN ((uint64_t)1 << 30) /* a file may grow as far, or to twice its length */

static const struct nv_runtime *runtime;
static struct nv_alone_file *files;
static uint32_t file_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void nv_alone_files_open(const struct nv_runtime *lent)
{
    runtime = lent;
}

/* -- apart -- */

struct opening {
    struct nv_alone_file *file;
    struct stat status;
    char *private; /* where a private mapping is put; NULL: the durable image is mapped */
    uint64_t offset;
    size_t size_bytes;
    bool done;
};

/* What cannot be mapped privately is tried elsewhere first: a failure would leave a hole. */
static void map_durable(struct opening *opening, int file)
{
    struct nv_alone_file *made = opening->file;
    void *trial = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);

    if (trial == MAP_FAILED)
        return;
    munmap(trial, PAGE_BYTES);
    made->found_device = opening->status.st_dev;
    made->found_inode = opening->status.st_ino;
    made->bytes += 2 * (uint64_t)opening->status.st_size;
    made->bytes = (made->bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    made->durable = mmap(NULL, made->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    opening->done = made->durable != MAP_FAILED;
}

static void map_private(struct opening *opening, int file)
{
    const struct nv_alone_file *known = opening->file;

    if (opening->status.st_dev == known->found_device && opening->status.st_ino == known->found_inode)
        opening->done = mmap(opening->private, opening->size_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, (off_t)opening->offset) != MAP_FAILED;
}

static void open_file(void *context)
{
    struct opening *opening = context;
    int file = open(opening->file->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (file < 0)
        return;
    if (fstat(file, &opening->status) == 0 && S_ISREG(opening->status.st_mode))
        (opening->private != NULL ? map_private : map_durable)(opening, file);
    close(file);
}

bool nv_alone_files_map_private(const struct nv_alone_file *file, uint64_t offset, char *start, size_t size_bytes)
{
    struct opening opening = {
        .file = (struct nv_alone_file *)(uintptr_t)file, .private = start, .offset = offset, .size_bytes = size_bytes};

    return nv_apart(open_file, &opening) && opening.done;
}

/* -- meeting -- */

/* Whether the path has led to the very file: asked of the mapping, since stat() may number files in another way. */
static bool is_of(const struct nv_alone_file *file, const struct nv_segment *segment)
{
    struct nv_segment *found = NULL;
    size_t count = 0;
    bool same;

    if (runtime->resolve(file->durable, 1, &found, &count) < 0)
        return false;
    same = count == 1 && found->device == segment->device && found->inode == segment->inode;
    free(found);
    return same;
}

/* Records are shared with forked children, as the durable image is. */
static bool map_lines(struct nv_alone_file *file)
{
    uint64_t bytes = NV_LINES_HEADER_BYTES + file->bytes / PAGE_BYTES * sizeof(struct nv_page_records);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    file->header = (struct nv_lines_header *)(void *)memory;
    file->pages = (struct nv_page_records *)(void *)(memory + NV_LINES_HEADER_BYTES);
    return true;
}

static void forget(struct nv_alone_file *file)
{
    if (file->durable != NULL && file->durable != MAP_FAILED)
        munmap(file->durable, file->bytes);
    free(file->path);
    free(file);
}

static struct nv_alone_file *open_new(const struct nv_segment *segment)
{
    struct nv_alone_file *file = calloc(1, sizeof *file);
    struct opening opening = {.file = file};

    if (file == NULL)
        return NULL;
    file->device = segment->device;
    file->inode = segment->inode;
    file->bytes = ROOM_MIN + segment->offset + (uint64_t)(segment->end - segment->start);
    file->path = strdup(segment->path);
    if (file->path != NULL && nv_apart(open_file, &opening) && opening.done && is_of(file, segment) && map_lines(file))
        return file;
    forget(file);
    return NULL;
}

static struct nv_alone_file *find(uint64_t device, uint64_t inode)
{
    struct nv_alone_file *file = files;

    while (file != NULL && (file->device != device || file->inode != inode))
        file = file->next;
    return file;
}

struct nv_alone_file *nv_alone_files_meet(const struct nv_segment *segment)
{
    struct nv_alone_file *file;

    pthread_mutex_lock(&mutex);
    file = find(segment->device, segment->inode);
    if (file == NULL && (file = open_new(segment)) != NULL) {
        file->id = ++file_count;
        file->next = files;
        files = file;
    }
    pthread_mutex_unlock(&mutex);
    if (file == NULL || segment->offset + (uint64_t)(segment->end - segment->start) > file->bytes)
        return NULL;
    (void)nv_alone_files_measure(file);
    return file;
}

struct nv_alone_file *nv_alone_files_find(uint64_t device, uint64_t inode)
{
    struct nv_alone_file *file;

    pthread_mutex_lock(&mutex);
    file = find(device, inode);
    pthread_mutex_unlock(&mutex);
    return file;
}

struct nv_alone_file *nv_alone_files_at(uint32_t id)
{
    struct nv_alone_file *file;

    pthread_mutex_lock(&mutex);
    for (file = files; file != NULL && file->id != id;)
        file = file->next;
    pthread_mutex_unlock(&mutex);
    return file;
}

struct nv_alone_file *nv_alone_files_of(dev_t found_device, ino_t found_inode)
{
    struct nv_alone_file *file;

    pthread_mutex_lock(&mutex);
    for (file = files; file != NULL && (file->found_device != found_device || file->found_inode != found_inode);)
        file = file->next;
    pthread_mutex_unlock(&mutex);
    return file;
}

/* Of a file that has lost its name it is known how long it was. */
uint64_t nv_alone_files_measure(struct nv_alone_file *file)
{
    struct stat status;

    if (stat(file->path, &status) == 0 && status.st_dev == file->found_device && status.st_ino == file->found_inode) {
        uint64_t bytes = ((uint64_t)status.st_size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;

        atomic_store(&file->header->reach_bytes, bytes < file->bytes ? bytes : file->bytes);
    }
    return atomic_load(&file->header->reach_bytes);
}

void nv_alone_files_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_alone_files_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
