/* SPDX-License-Identifier: MIT */
/*
 * The program under test: does what the driver says, one operation at a time, in the thread that the driver names.
 * Started by nvrtl check with the number of its socket.
 */
#include "tests/verified/operation.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/nvrtl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct slot {
    char *start; /* of the mapping */
    size_t length;
    uint64_t offset; /* of start in the file */
    PVOID token;
} slots[OPERATION_SLOTS];

static struct turn {
    sem_t go, done;
    struct operation operation;
    int64_t result;
} turns[OPERATION_THREADS];

static uint8_t bytes[1 << 16];

static int64_t outcome(int status)
{
    return status < 0 ? -errno : 0;
}

/* Open, act, close. */
static int64_t with_file(const struct operation *operation, int flags,
                         int64_t (*act)(const struct operation *operation, int fd))
{
    int fd = open(operation->path, flags | O_CLOEXEC);
    int64_t result;

    if (fd < 0)
        return -errno;
    result = act(operation, fd);
    close(fd);
    return result;
}

static int64_t act_write(const struct operation *operation, int fd)
{
    operation_fill(bytes, operation->seed, operation->length);
    if (pwrite(fd, bytes, operation->length, (off_t)operation->offset) == (ssize_t)operation->length)
        return 0;
    return errno ? -errno : -EIO;
}

static int64_t act_flagged_write(const struct operation *operation, int fd)
{
    struct iovec part = {bytes, operation->length};

    operation_fill(bytes, operation->seed, operation->length);
    if (pwritev2(fd, &part, 1, (off_t)operation->offset, (int)operation->flags) == (ssize_t)operation->length)
        return 0;
    return errno ? -errno : -EIO;
}

static int64_t act_truncate(const struct operation *operation, int fd)
{
    return outcome(ftruncate(fd, (off_t)operation->offset));
}

static int64_t act_fsync(const struct operation *operation, int fd)
{
    (void)operation;
    return outcome(fsync(fd));
}

static int64_t act_fdatasync(const struct operation *operation, int fd)
{
    (void)operation;
    return outcome(fdatasync(fd));
}

static int64_t act_syncfs(const struct operation *operation, int fd)
{
    (void)operation;
    return outcome(syncfs(fd));
}

static int64_t act_sync_range(const struct operation *operation, int fd)
{
    unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

    return outcome(sync_file_range(fd, (off_t)operation->offset, (off_t)operation->length, flags));
}

static char *map_whole(int fd, size_t *length)
{
    struct stat status;

    if (fstat(fd, &status))
        return MAP_FAILED;
    *length = (size_t)status.st_size;
    return mmap(NULL, *length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int64_t act_store(const struct operation *operation, int fd)
{
    size_t length;
    char *start = map_whole(fd, &length);

    if (start == MAP_FAILED)
        return -errno;
    operation_fill((uint8_t *)start + operation->offset, operation->seed, operation->length);
    return outcome(munmap(start, length));
}

static int64_t act_msync(const struct operation *operation, int fd)
{
    size_t length;
    char *start = map_whole(fd, &length);
    int64_t result;

    if (start == MAP_FAILED)
        return -errno;
    result = outcome(msync(start + operation->offset, operation->length, (int)operation->flags));
    munmap(start, length);
    return result;
}

static int64_t act_token(const struct operation *operation, int fd)
{
    struct slot *slot = &slots[operation->slot];
    NVRTL_TOKEN_INFORMATION information;
    NTSTATUS status;

    slot->length = operation->length;
    slot->offset = operation->offset;
    slot->start = mmap(NULL, slot->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)slot->offset);
    if (slot->start == MAP_FAILED)
        return -errno;
    status = RtlGetNonVolatileToken(slot->start, slot->length, &slot->token);
    if (!NT_SUCCESS(status))
        return status;
    status = NvrtlQueryToken(slot->token, &information, sizeof information);
    return !NT_SUCCESS(status) ? status : information.Verified ? 0 : -ENOTSUP;
}

static int64_t do_create(const struct operation *operation)
{
    int fd = open(operation->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    return fd < 0 ? -errno : outcome(close(fd));
}

static int64_t do_files(const struct operation *operation)
{
    switch ((enum operation_kind)operation->kind) {
    case OP_TRUNCATE:
        return with_file(operation, O_RDWR, act_truncate);
    case OP_PWRITE:
        return with_file(operation, O_RDWR, act_write);
    case OP_STORE:
        return with_file(operation, O_RDWR, act_store);
    case OP_MSYNC:
        return with_file(operation, O_RDWR, act_msync);
    case OP_FSYNC:
        return with_file(operation, O_RDWR, act_fsync);
    case OP_FDATASYNC:
        return with_file(operation, O_RDWR, act_fdatasync);
    case OP_FSYNC_FOLDER:
        return with_file(operation, O_RDONLY | O_DIRECTORY, act_fsync);
    case OP_SYNCFS:
        return with_file(operation, O_RDONLY, act_syncfs);
    case OP_DSYNC_WRITE:
        return with_file(operation, O_RDWR | (int)operation->flags, act_write);
    case OP_RWF_WRITE:
        return with_file(operation, O_RDWR, act_flagged_write);
    case OP_SYNC_RANGE:
        return with_file(operation, O_RDWR, act_sync_range);
    case OP_TOKEN:
        return with_file(operation, O_RDWR, act_token);
    default:
        return -EINVAL;
    }
}

static int64_t do_names(const struct operation *operation)
{
    switch ((enum operation_kind)operation->kind) {
    case OP_CREATE:
        return do_create(operation);
    case OP_MKDIR:
        return outcome(mkdir(operation->path, 0755));
    case OP_RMDIR:
        return outcome(rmdir(operation->path));
    case OP_UNLINK:
        return outcome(unlink(operation->path));
    case OP_RENAME:
        return outcome(rename(operation->path, operation->path2));
    case OP_LINK:
        return outcome(link(operation->path, operation->path2));
    case OP_SYNC:
        sync();
        return 0;
    default:
        return do_files(operation);
    }
}

static NTSTATUS flush_two(PVOID token, const struct slot *slot, const struct operation *operation)
{
    NV_MEMORY_RANGE ranges[] = {{slot->start + operation->offset, operation->length},
                                {slot->start + operation->offset2, operation->length2}};

    return RtlFlushNonVolatileMemoryRanges(token, ranges, 2, operation->flags);
}

/* Offsets are from the start of the slot's mapping. */
static int64_t do_memory(const struct operation *operation)
{
    struct slot *slot = &slots[operation->slot];
    PVOID token = operation->default_token ? (PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN : slot->token;
    char *address = slot->start + operation->offset;
    NTSTATUS status;

    switch ((enum operation_kind)operation->kind) {
    case OP_FREE:
        status = RtlFreeNonVolatileToken(slot->token);
        munmap(slot->start, slot->length);
        break;
    case OP_NV_STORE:
        operation_fill((uint8_t *)address, operation->seed, operation->length);
        return 0;
    case OP_NV_WRITE:
        operation_fill(bytes, operation->seed, operation->length);
        status = RtlWriteNonVolatileMemory(token, address, bytes, operation->length, operation->flags);
        break;
    case OP_NV_FILL:
        status = RtlFillNonVolatileMemory(token, address, operation->length, (UCHAR)operation->seed, operation->flags);
        break;
    case OP_NV_FLUSH:
        status = RtlFlushNonVolatileMemory(token, address, operation->length, operation->flags);
        break;
    case OP_NV_RANGES:
        status = flush_two(token, slot, operation);
        break;
    case OP_NV_DRAIN:
        status = RtlDrainNonVolatileFlush(token);
        break;
    default:
        return do_names(operation);
    }
    return NT_SUCCESS(status) ? 0 : status;
}

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) && errno == EINTR)
        continue;
}

static void *take_turns(void *argument)
{
    struct turn *turn = argument;

    for (;;) {
        await(&turn->go);
        if (turn->operation.kind == OP_EXIT)
            return NULL;
        errno = 0;
        turn->result = do_memory(&turn->operation);
        sem_post(&turn->done);
    }
}

static int serve(int line)
{
    struct operation operation;
    struct acknowledgement word = {.process = getpid()};

    while (send(line, &word, sizeof word, MSG_NOSIGNAL) == sizeof word &&
           recv(line, &operation, sizeof operation, 0) == sizeof operation) {
        struct turn *turn = &turns[operation.thread];

        if (operation.kind == OP_EXIT)
            return 0;
        turn->operation = operation;
        sem_post(&turn->go);
        await(&turn->done);
        word.result = turn->result;
    }
    return 1;
}

int main(int argc, char **argv)
{
    pthread_t threads[OPERATION_THREADS];
    int status;

    if (argc != 2)
        return 2;
    for (size_t i = 0; i < OPERATION_THREADS; i++) {
        sem_init(&turns[i].go, 0, 0);
        sem_init(&turns[i].done, 0, 0);
        if (pthread_create(&threads[i], NULL, take_turns, &turns[i]))
            return 2;
    }
    status = serve(atoi(argv[1]));
    for (size_t i = 0; i < OPERATION_THREADS; i++) {
        turns[i].operation.kind = OP_EXIT;
        sem_post(&turns[i].go);
        pthread_join(threads[i], NULL);
    }
    return status;
}
