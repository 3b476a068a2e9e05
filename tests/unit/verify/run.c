/* SPDX-License-Identifier: MIT */
/* Owns the pretended run. Called by every test of this folder. */
#include "tests/unit/verify/run.h"
#include "nvrtl/status.h"
#include "verify/seam.h"
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FILES 16
#define MAPPINGS 64

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            perror(#condition);                                                                                        \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

struct nv_ledger *run_ledger;
const struct nv_seam *run_seam;
_Atomic unsigned run_plain_binds, run_plain_drains;
_Atomic unsigned run_connections;
_Atomic bool run_deaf;
const struct nv_region *run_live_token;

static int listener, ledger_fd;
static struct run_file files[FILES];
static _Atomic unsigned file_count;
static struct run_mapping mappings[MAPPINGS];
static unsigned mapping_count;

static void *share(int descriptor, uint64_t bytes)
{
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

    REQUIRE(start != MAP_FAILED);
    return start;
}

static void answer(int connection, const struct nv_verifier_reply *reply, const int *descriptors, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec body = {.iov_base = (void *)(uintptr_t)reply, .iov_len = sizeof *reply};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};

    memset(&control, 0, sizeof control);
    if (count != 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), descriptors, count * sizeof(int));
    }
    sendmsg(connection, &message, MSG_NOSIGNAL);
}

static void serve_file(int connection, const struct nv_verifier_request *request)
{
    struct nv_verifier_reply reply = {.status = NV_VERIFIER_NOT_AT_STAKE};
    struct run_file *file = NULL;

    for (unsigned i = 0; i < file_count; i++)
        if (files[i].device == request->device && files[i].inode == request->inode)
            file = &files[i];
    if (file != NULL && request->kind == NV_VERIFIER_NAME) {
        file->named++;
        reply = (struct nv_verifier_reply){.status = file->id != 0 ? STATUS_SUCCESS : reply.status, .file = file->id};
        answer(connection, &reply, NULL, 0);
        return;
    }
    if (file != NULL)
        file->asked++;
    if (file != NULL && file->id != 0) {
        uint64_t end = (request->end + NV_PAGE_BYTES - 1) / NV_PAGE_BYTES * NV_PAGE_BYTES;

        if (end > file->asked_end)
            file->asked_end = end;
        /* No longer than asked for: so that it shows when the verifier does not ask. */
        REQUIRE(ftruncate(file->lines_fd,
                          (off_t)(NV_LINES_HEADER_BYTES + file->asked_end / NV_PAGE_BYTES * sizeof *file->pages)) == 0);
        REQUIRE(ftruncate(file->durable_fd, (off_t)file->asked_end) == 0);
        file->header->reach_bytes = file->asked_end;
        reply.status = STATUS_SUCCESS;
        reply.file = file->id;
        answer(connection, &reply, (int[]){file->durable_fd, file->lines_fd}, 2);
        return;
    }
    answer(connection, &reply, NULL, 0);
}

static void *serve(void *unused)
{
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct nv_verifier_request request;

        if (connection < 0)
            continue;
        run_connections++;
        while (recv(connection, &request, sizeof request, 0) == (ssize_t)sizeof request) {
            struct nv_verifier_reply reply = {.status = STATUS_SUCCESS};

            if (run_deaf || request.version != NV_SEAM_VERSION)
                break;
            if (request.kind == NV_VERIFIER_HELLO)
                answer(connection, &reply, &ledger_fd, 1);
            else
                serve_file(connection, &request);
        }
        close(connection);
        run_connections--;
    }
    return unused;
}

static NTSTATUS resolve(const void *address, size_t size_bytes, struct nv_segment **segments, size_t *count)
{
    char *at = (char *)(uintptr_t)address, *end = at + size_bytes;

    *segments = calloc(4, sizeof **segments);
    *count = 0;
    for (unsigned i = 0; i < mapping_count && at < end;) {
        const struct run_mapping *mapping = &mappings[i++];
        struct nv_segment *segment = &(*segments)[*count];

        if (at < mapping->start || at >= mapping->end)
            continue;
        segment->start = at;
        segment->end = end < mapping->end ? end : mapping->end;
        segment->offset = mapping->offset + (uint64_t)(at - mapping->start);
        segment->device = mapping->file->device;
        segment->inode = mapping->file->inode;
        at = segment->end;
        (*count)++;
        i = 0;
    }
    if (at == end)
        return STATUS_SUCCESS;
    free(*segments);
    return STATUS_INFO_LENGTH_MISMATCH;
}

static bool find(PVOID token, struct nv_region *region)
{
    if (token == NULL || run_live_token == NULL)
        return false;
    *region = *run_live_token;
    return true;
}

static NTSTATUS plain_bind(struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    (void)segments, (void)count;
    region->engine = NULL;
    run_plain_binds++;
    return STATUS_SUCCESS;
}

static NTSTATUS plain_drain(const void *place)
{
    (void)place;
    run_plain_drains++;
    return STATUS_SUCCESS;
}

static void listen_as(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;

    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, name);
    address.sun_path[0] = '\0';
    REQUIRE(bind(listener, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) == 0);
    REQUIRE(listen(listener, 64) == 0);
    REQUIRE(pthread_create(&thread, NULL, serve, NULL) == 0);
    REQUIRE(setenv(NV_VERIFIER_VARIABLE, name, 1) == 0);
}

void run_start(NVRTL_DOMAIN domain)
{
    static const struct nv_seam plain = {.version = NV_SEAM_VERSION, .bind = plain_bind, .drain_default = plain_drain};
    static const struct nv_runtime runtime = {
        .version = NV_SEAM_VERSION, .plain = &plain, .resolve = resolve, .find = find};
    char name[64];

    ledger_fd = memfd_create("ledger", MFD_CLOEXEC);
    REQUIRE(ftruncate(ledger_fd, sizeof *run_ledger) == 0);
    run_ledger = share(ledger_fd, sizeof *run_ledger);
    run_ledger->domain = (uint32_t)domain;
    snprintf(name, sizeof name, "@nvrtl-unit-verify-%ld", (long)getpid());
    listen_as(name);
    run_seam = nvrtl_verifier_seam(&runtime);
    REQUIRE(run_seam != NULL);
}

static void add_mapping(char *start, uint64_t bytes, struct run_file *file)
{
    REQUIRE(mapping_count < MAPPINGS);
    mappings[mapping_count++] = (struct run_mapping){.start = start, .end = start + bytes, .file = file};
}

struct run_file *run_file(uint64_t bytes, bool at_stake)
{
    struct run_file *file = &files[file_count];

    REQUIRE(file_count < FILES);
    file->device = 0x801;
    file->inode = 1000 + file_count * 256; /* no hash of a few bits tells them apart */
    file->bytes = bytes;
    file->id = at_stake ? file_count + 1 : 0;
    file->view_fd = memfd_create("view", MFD_CLOEXEC);
    file->durable_fd = memfd_create("durable", MFD_CLOEXEC);
    file->lines_fd = memfd_create("lines", MFD_CLOEXEC);
    REQUIRE(ftruncate(file->view_fd, (off_t)bytes) == 0);
    file->view = share(file->view_fd, bytes);
    file->durable = share(file->durable_fd, bytes);
    REQUIRE(ftruncate(file->lines_fd, (off_t)NV_LINES_HEADER_BYTES) == 0);
    file->header = share(file->lines_fd, NV_LINES_HEADER_BYTES + bytes / NV_PAGE_BYTES * sizeof *file->pages);
    file->pages = (struct nv_page_records *)(void *)((char *)file->header + NV_LINES_HEADER_BYTES);
    file_count++;
    add_mapping(file->view, bytes, file);
    return file;
}

char *run_map_both(struct run_file *first, struct run_file *second)
{
    uint64_t bytes = first->bytes + second->bytes;
    char *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(start != MAP_FAILED);
    REQUIRE(mmap(start, first->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, first->view_fd, 0) == start);
    REQUIRE(mmap(start + first->bytes, second->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, second->view_fd,
                 0) == start + first->bytes);
    add_mapping(start, first->bytes, first);
    add_mapping(start + first->bytes, second->bytes, second);
    return start;
}

void run_unmap_all(struct run_file *file)
{
    for (unsigned i = 0; i < mapping_count; i++)
        if (mappings[i].file == file)
            mappings[i].start = mappings[i].end = NULL;
}

NTSTATUS run_token(const void *address, size_t size_bytes, struct nv_region *region)
{
    struct nv_segment *segments;
    size_t count;
    NTSTATUS status = resolve(address, size_bytes, &segments, &count);

    if (!NT_SUCCESS(status))
        return status;
    region->base = (char *)(uintptr_t)address;
    region->size_bytes = size_bytes;
    status = run_seam->bind(region, segments, count);
    free(segments);
    return status;
}

void run_commit(struct run_file *file, uint64_t offset, uint32_t version)
{
    struct nv_page_records *page = &file->pages[offset / NV_PAGE_BYTES];

    nv_page_own(page, NV_PAGE_ALL);
    page->lines[offset / NV_LINE_BYTES % NV_PAGE_LINES].committed = version - page->page.passes;
}

void run_sync(struct run_file *file)
{
    for (uint64_t at = 0; at < file->asked_end; at += NV_LINE_BYTES)
        run_commit(file, at, run_line(file, at).flushes);
    memcpy(file->durable, file->view, file->asked_end < file->bytes ? file->asked_end : file->bytes);
}

NTSTATUS run_write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                   uint32_t flags)
{
    return region->engine->write(region, destination, source, size_bytes, flags, __builtin_return_address(0));
}

NTSTATUS run_flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags)
{
    return region->engine->flush(region, address, size_bytes, flags, __builtin_return_address(0));
}

NTSTATUS run_drain(const struct nv_region *region)
{
    return region->engine->drain(region, __builtin_return_address(0));
}
