/* SPDX-License-Identifier: MIT */
/*
 * Owns the form of the trace file: a head, one zstd frame with all events, and a tail that says how many there are. The
 * supervisor writes it while the program runs; the explorer loads it whole.
 */
#include "trace/file.h"
#include "trace/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define LEVEL 1 /* the program waits for what the supervisor does */
#define HEAD_MAGIC "nvrtl\ntr"
#define TAIL_MAGIC "nvrtl\nte"
#define VERSION 1u

struct head {
    char magic[8];
    uint32_t version;
    uint32_t event_header_bytes;
};

struct tail {
    uint64_t events, bytes; /* of events, not compressed */
    uint64_t check;         /* of the two above */
    char magic[8];
};

static uint64_t tail_check(const struct tail *tail)
{
    return (tail->events * 0x9e3779b97f4a7c15u ^ tail->bytes) * 0xff51afd7ed558ccdu;
}

/* ---- writing ---- */

struct nv_trace_writer {
    int descriptor;
    int error; /* the first one */
    ZSTD_CCtx *zstd;
    uint8_t *buffer;
    size_t buffer_bytes;
    struct tail tail;
};

static int write_whole(int descriptor, const void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t written = write(descriptor, (const char *)bytes + done, length - done);

        if (written < 0 && errno != EINTR)
            return -errno;
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static void free_writer(struct nv_trace_writer *writer)
{
    if (writer->descriptor >= 0)
        close(writer->descriptor);
    ZSTD_freeCCtx(writer->zstd);
    free(writer->buffer);
    free(writer);
}

static int begin_writing(struct nv_trace_writer *writer, const char *path)
{
    struct head head = {HEAD_MAGIC, VERSION, sizeof(struct nv_trace_event)};

    writer->buffer_bytes = ZSTD_CStreamOutSize();
    writer->buffer = malloc(writer->buffer_bytes);
    writer->zstd = ZSTD_createCCtx();
    if (!writer->buffer || !writer->zstd ||
        ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1)))
        return -ENOMEM;
    writer->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return writer->descriptor < 0 ? -errno : write_whole(writer->descriptor, &head, sizeof head);
}

int nv_trace_create(const char *path, struct nv_trace_writer **writer)
{
    int status;

    *writer = calloc(1, sizeof **writer);
    if (!*writer)
        return -ENOMEM;
    (*writer)->descriptor = -1;
    status = begin_writing(*writer, path);
    if (!status)
        return 0;
    free_writer(*writer);
    *writer = NULL;
    return status;
}

static int compress(struct nv_trace_writer *writer, const void *bytes, size_t length, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {bytes, length, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {writer->buffer, writer->buffer_bytes, 0};
        int status;

        left = ZSTD_compressStream2(writer->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return -ENOMEM;
        status = write_whole(writer->descriptor, writer->buffer, out.pos);
        if (status)
            return status;
    } while (how == ZSTD_e_end ? left : in.pos < in.size);
    return 0;
}

int nv_trace_put(struct nv_trace_writer *writer, const struct nv_trace_event *event)
{
    static const uint8_t zeros[8];
    struct nv_trace_event header = *event;
    size_t padding = -event->payload_bytes & 7;

    header.bytes = (uint32_t)(sizeof header + event->payload_bytes + padding);
    if (!writer->error)
        writer->error = compress(writer, &header, sizeof header, ZSTD_e_continue);
    if (!writer->error && event->payload_bytes)
        writer->error = compress(writer, nv_trace_payload(event), event->payload_bytes, ZSTD_e_continue);
    if (!writer->error && padding)
        writer->error = compress(writer, zeros, padding, ZSTD_e_continue);
    writer->tail.events++;
    writer->tail.bytes += header.bytes;
    return writer->error;
}

int nv_trace_finish(struct nv_trace_writer *writer)
{
    int status = writer->error;

    memcpy(writer->tail.magic, TAIL_MAGIC, sizeof writer->tail.magic);
    writer->tail.check = tail_check(&writer->tail);
    if (!status)
        status = compress(writer, NULL, 0, ZSTD_e_end);
    if (!status)
        status = write_whole(writer->descriptor, &writer->tail, sizeof writer->tail);
    if (close(writer->descriptor) && !status)
        status = -errno;
    writer->descriptor = -1;
    free_writer(writer);
    return status;
}

/* ---- loading ---- */

/* A trace, and the memory in which its events lie. */
struct loaded {
    struct nv_trace trace; /* first */
    uint8_t *bytes;
    size_t size;
};

struct source {
    const uint8_t *bytes;
    size_t size;
    char *error;
    size_t error_bytes;
};

static int damaged(const struct source *source, const char *why)
{
    snprintf(source->error, source->error_bytes, "%s", why);
    return -EINVAL;
}

/* Memory for the events grows with what comes out: what the tail says of it is compared, and not trusted. */
static int decompress(const struct source *source, ZSTD_DCtx *zstd, struct loaded *loaded)
{
    ZSTD_inBuffer in = {source->bytes, source->size, 0};
    size_t room = 0, left = 1;

    while (left) {
        ZSTD_outBuffer out;
        size_t consumed = in.pos, size = loaded->size;

        if (room - loaded->size < ZSTD_DStreamOutSize()) {
            uint8_t *grown = realloc(loaded->bytes, room = room * 2 + ZSTD_DStreamOutSize());

            if (!grown)
                return -ENOMEM;
            loaded->bytes = grown;
        }
        out = (ZSTD_outBuffer){loaded->bytes, room, loaded->size};
        left = ZSTD_decompressStream(zstd, &out, &in);
        if (ZSTD_isError(left))
            return damaged(source, "it is damaged: its events cannot be decompressed");
        loaded->size = out.pos;
        if (left && in.pos == consumed && loaded->size == size)
            return damaged(source, "it is damaged: its events end too early");
    }
    return in.pos == in.size ? 0 : damaged(source, "it is damaged: there is more behind its events");
}

static int split(const struct source *source, struct loaded *loaded, uint64_t count)
{
    size_t at = 0;

    if (count > loaded->size / sizeof(struct nv_trace_event))
        return damaged(source, "it is damaged: events are missing");
    loaded->trace.events = calloc(count + 1, sizeof *loaded->trace.events);
    if (!loaded->trace.events)
        return -ENOMEM;
    for (uint64_t i = 0; i < count; i++) {
        const struct nv_trace_event *event = (const void *)(loaded->bytes + at);

        if (loaded->size - at < sizeof *event || event->bytes > loaded->size - at ||
            event->payload_bytes > event->bytes || event->bytes % 8 ||
            event->bytes != sizeof *event + (((uint64_t)event->payload_bytes + 7) & ~(uint64_t)7))
            return damaged(source, "it is damaged: an event has not the size that it says");
        loaded->trace.events[loaded->trace.event_count++] = event;
        at += event->bytes;
    }
    return at == loaded->size ? 0 : damaged(source, "it is damaged: there are more events than it says");
}

static int load(struct source *source, struct loaded *loaded)
{
    static const struct head head = {HEAD_MAGIC, VERSION, sizeof(struct nv_trace_event)};
    ZSTD_DCtx *zstd;
    struct tail tail;
    int status;

    if (source->size < sizeof head || memcmp(source->bytes, &head, offsetof(struct head, version)))
        return damaged(source, "it is no trace of nvrtl");
    if (memcmp(source->bytes, &head, sizeof head))
        return damaged(source, "it is a trace of another version of nvrtl");
    if (source->size < sizeof head + sizeof tail)
        return damaged(source, "it ends too early: its recording was not finished");
    memcpy(&tail, source->bytes + source->size - sizeof tail, sizeof tail);
    if (memcmp(tail.magic, TAIL_MAGIC, sizeof tail.magic) || tail.check != tail_check(&tail))
        return damaged(source, "it ends too early: its recording was not finished");
    source->bytes += sizeof head;
    source->size -= sizeof head + sizeof tail;
    zstd = ZSTD_createDCtx();
    if (!zstd)
        return -ENOMEM;
    status = decompress(source, zstd, loaded);
    ZSTD_freeDCtx(zstd);
    if (!status && loaded->size != tail.bytes)
        status = damaged(source, "it is damaged: it has not the size that it says");
    if (!status)
        status = split(source, loaded, tail.events);
    return status ? status : nv_trace_check(&loaded->trace, source->error, source->error_bytes);
}

static int load_descriptor(int descriptor, struct loaded *loaded, char *error, size_t error_bytes)
{
    struct source source = {.error = error, .error_bytes = error_bytes};
    struct stat status;
    void *bytes;
    int result;

    if (fstat(descriptor, &status))
        return -errno;
    if (!S_ISREG(status.st_mode) || !status.st_size)
        return damaged(&source, "it is no trace of nvrtl");
    bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    source.bytes = bytes;
    source.size = (size_t)status.st_size;
    result = load(&source, loaded);
    munmap(bytes, (size_t)status.st_size);
    return result;
}

int nv_trace_load(const char *path, struct nv_trace **trace, char *error, size_t error_bytes)
{
    char why[256] = "";
    struct loaded *loaded = calloc(1, sizeof *loaded);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = descriptor < 0 ? -errno : 0;

    *trace = NULL;
    if (!loaded)
        status = -ENOMEM;
    if (!status)
        status = load_descriptor(descriptor, loaded, why, sizeof why);
    if (descriptor >= 0)
        close(descriptor);
    if (!status) {
        *trace = &loaded->trace;
        return 0;
    }
    snprintf(error, error_bytes, "cannot read the trace %s: %s", path, *why ? why : strerror(-status));
    if (loaded)
        nv_trace_free(&loaded->trace);
    return status;
}

void nv_trace_free(struct nv_trace *trace)
{
    struct loaded *loaded = (struct loaded *)trace;

    if (!trace)
        return;
    free(loaded->bytes);
    free(loaded->trace.events);
    free(loaded);
}
