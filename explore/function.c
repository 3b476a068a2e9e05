/* SPDX-License-Identifier: MIT */
/*
 * Keeps the files' contents in memory that the host has mapped copy-on-write: a state is written there, looked at by a
 * child of the host, and undone. Where the host cannot have an address that the program had, another host is tried.
 */
#include "explore/function.h"
#include "explore/host.h"
#include "explore/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOSTS_MAX 64 /* that are tried: each has its libraries elsewhere */
#define STACK_BYTES ((size_t)65536)
#define PROMISES_AT (NV_HOST_AREA_BYTES / 2)

struct nv_function {
    const struct nv_recover_options *options;
    const struct nv_stake *stake;
    char *library, *name;
    struct nv_store *store;
    uint64_t *mapped_bytes; /* by object: as the host has mapped it */
    size_t mapped_room;
    struct nv_host_area *area;
    int area_descriptor, socket;
    int output[2];
    pid_t host;
    uint64_t point; /* whose promises are in the area */
    uint64_t file_count;
    bool reads_known;
    struct nv_read *reads;
    size_t read_count, read_room;
};

/* -- the host -- */

struct start {
    const struct nv_function *function;
    int socket;
};

/* In a child that shares our memory, until it executes. */
static int start_host(void *context)
{
    const struct start *start = context;
    const struct nv_function *function = start->function;
    char *const words[] = {(char *)(uintptr_t)NV_HOST_PROGRAM, function->library, function->name, NULL};
    /* Out of the way of the numbers that they are to have. */
    int socket = fcntl(start->socket, F_DUPFD, 10), area = fcntl(function->area_descriptor, F_DUPFD, 10);
    int output = fcntl(function->output[1], F_DUPFD, 10), nothing = open("/dev/null", O_RDONLY);
    if (dup2(nothing, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(socket, NV_HOST_SOCKET) < 0 ||
        dup2(area, NV_HOST_AREA) < 0)
        _exit(1);
    for (int i = 5; i < 64; i++)
        close(i);
    setsid();
    execv(function->options->host, words);
    _exit(127);
}

static int start(struct nv_function *function)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return -errno;
    char *stack = malloc(STACK_BYTES);
    struct start context = {function, ends[1]};
    function->host =
        stack ? clone(start_host, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD, &context) : -1;
    int error = function->host < 0 ? -errno : 0;
    free(stack);
    close(ends[1]);
    function->socket = ends[0];
    return error;
}

static void end(struct nv_function *function)
{
    if (function->socket >= 0)
        close(function->socket);
    function->socket = -1;
    if (function->host > 0) {
        kill(function->host, SIGKILL);
        while (waitpid(function->host, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    function->host = -1;
}

/* descriptor -1: none goes along. */
static int ask(const struct nv_function *function, const struct nv_host_request *request, int descriptor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {(void *)(uintptr_t)request, sizeof *request};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(function->socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Its output is read meanwhile: else who writes much would wait for us. */
static int hear(const struct nv_function *function, struct nv_host_answer *answer, struct nv_ending *ending)
{
    for (;;) {
        struct pollfd watched[] = {{function->socket, POLLIN, 0}, {function->output[0], POLLIN, 0}};
        if (poll(watched, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (watched[1].revents)
            nv_ending_read(ending, function->output[0]);
        if (!watched[0].revents)
            continue;
        ssize_t got = recv(function->socket, answer, sizeof *answer, 0);
        nv_ending_read(ending, function->output[0]);
        return got == sizeof *answer ? 0 : got < 0 ? -errno : -EPIPE;
    }
}

/* 0, a negative errno, or enum nv_host_result. */
static int call(const struct nv_function *function, const struct nv_host_request *request, int descriptor,
                struct nv_host_answer *answer, struct nv_ending *ending)
{
    int error = ask(function, request, descriptor);
    error = error ? error : hear(function, answer, ending);
    return error ? error : (int)answer->result;
}

/* -- files -- */

static int note_mapped(struct nv_function *function, uint32_t object, uint64_t length_bytes)
{
    if (object >= function->mapped_room) {
        size_t room = (size_t)object * 2 + 16;
        uint64_t *grown = reallocarray(function->mapped_bytes, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        memset(grown + function->mapped_room, 0, (room - function->mapped_room) * sizeof *grown);
        function->mapped_bytes = grown;
        function->mapped_room = room;
    }
    function->mapped_bytes[object] = length_bytes;
    return 0;
}

/* So much of it that no state has more. */
static int map(struct nv_function *function, uint32_t object, uint64_t size_bytes)
{
    struct nv_host_request request = {.kind = NV_HOST_MAP, .object = object, .length_bytes = size_bytes};
    struct nv_host_answer answer;
    struct nv_ending unheard;
    struct nv_stored *stored;
    if (object < function->stake->object_count) {
        const struct nv_stake_object *known = &function->stake->objects[object];
        request.address = known->address;
        if (known->mapped_bytes > request.length_bytes)
            request.length_bytes = known->mapped_bytes;
        if (known->extent_bytes > request.length_bytes)
            request.length_bytes = known->extent_bytes;
    }
    request.length_bytes = (request.length_bytes + NV_HOST_PAGE_BYTES) & ~(NV_HOST_PAGE_BYTES - 1);
    int error = nv_store_get(function->store, object, &stored);
    unheard.output_bytes = 0;
    error = error ? error : call(function, &request, stored->descriptor, &answer, &unheard);
    return error ? error : note_mapped(function, object, request.length_bytes);
}

static int map_where_it_was(struct nv_function *function)
{
    int error = 0;
    for (uint32_t i = 0; !error && i < function->stake->object_count; i++)
        error = function->stake->objects[i].address ? map(function, i, 0) : 0;
    return error;
}

/* -- opening -- */

static int load(struct nv_function *function)
{
    const struct nv_host_request request = {.kind = NV_HOST_LOAD};
    struct nv_host_answer answer;
    struct nv_ending unheard = {.output_bytes = 0};
    return call(function, &request, -1, &answer, &unheard);
}

/* 0, a negative errno, or enum nv_host_result. */
static int start_until_free(struct nv_function *function)
{
    int result = NV_HOST_TAKEN;
    for (int i = 0; result == NV_HOST_TAKEN && i < HOSTS_MAX; i++) {
        end(function);
        result = start(function);
        result = result ? result : map_where_it_was(function);
        result = result ? result : load(function);
    }
    return result;
}

static int prepare(struct nv_function *function)
{
    const char *text = function->options->function, *colon = strrchr(text, ':');
    function->library = colon ? strndup(text, (size_t)(colon - text)) : NULL;
    function->name = colon ? strdup(colon + 1) : NULL;
    if (!function->library || !function->name)
        return colon ? -ENOMEM : -EINVAL;
    /* A file here is not looked for among the system's libraries. */
    char *whole = realpath(function->library, NULL);
    if (whole) {
        free(function->library);
        function->library = whole;
    }
    function->area_descriptor = memfd_create("nvrtl-recovery", MFD_CLOEXEC);
    if (function->area_descriptor < 0 || ftruncate(function->area_descriptor, (off_t)NV_HOST_AREA_BYTES))
        return -errno;
    void *area = mmap(NULL, NV_HOST_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                      function->area_descriptor, 0);
    if (area == MAP_FAILED)
        return -errno;
    function->area = area;
    int error = nv_ending_pipe(function->output);
    return error ? error : nv_store_new(-1, &function->store);
}

struct nv_function *nv_function_open(const struct nv_recover_options *options, const struct nv_stake *stake,
                                     char *error, size_t error_bytes)
{
    struct nv_function *function = calloc(1, sizeof *function);
    if (!function) {
        snprintf(error, error_bytes, "cannot go on: %s", strerror(ENOMEM));
        return NULL;
    }
    function->options = options;
    function->stake = stake;
    function->area_descriptor = function->socket = function->output[0] = function->output[1] = -1;
    function->host = -1;
    int result = prepare(function);
    result = result ? result : start_until_free(function);
    if (!result)
        return function;
    if (result == NV_HOST_FAILED)
        snprintf(error, error_bytes, "%s: %s", options->function, function->area->error);
    else if (result == NV_HOST_TAKEN)
        snprintf(error, error_bytes, "%s: an address that the program had mapped a file at is never free",
                 options->function);
    else
        snprintf(error, error_bytes, "%s: its host, %s, cannot run: %s", options->function, options->host,
                 strerror(-result));
    nv_function_close(function);
    return NULL;
}

void nv_function_close(struct nv_function *function)
{
    if (!function)
        return;
    end(function);
    if (function->area)
        munmap(function->area, NV_HOST_AREA_BYTES);
    if (function->area_descriptor >= 0)
        close(function->area_descriptor);
    for (int i = 0; i < 2; i++)
        if (function->output[i] >= 0)
            close(function->output[i]);
    nv_store_free(function->store);
    free(function->mapped_bytes);
    free(function->reads);
    free(function->library);
    free(function->name);
    free(function);
}

/* -- states -- */

int nv_function_base(struct nv_function *function, const struct nv_model *model, const struct nv_state *base)
{
    return nv_store_base(function->store, model, base);
}

static void put_promises(struct nv_function *function, const struct nv_state *state)
{
    uint64_t room = NV_HOST_AREA_BYTES - PROMISES_AT - 1;
    if (function->point == state->point)
        return;
    function->point = state->point;
    function->area->promises = PROMISES_AT;
    function->area->promises_bytes = state->promises_bytes < room ? state->promises_bytes : room;
    char *text = (char *)function->area + PROMISES_AT;
    if (state->promises_bytes)
        memcpy(text, state->promises, function->area->promises_bytes);
    text[function->area->promises_bytes] = '\0';
}

/* Folders at stake stand in front where there are several. */
static int put_path(struct nv_function *function, const struct nv_state_entry *entry, uint64_t *at)
{
    const char *folder = "", *slash;
    if (function->stake->folder_count > 1 && entry->folder < function->stake->folder_count) {
        folder = function->stake->folders[entry->folder];
        slash = strrchr(folder, '/');
        folder = slash ? slash + 1 : folder;
    }
    int length =
        snprintf((char *)function->area + *at, PROMISES_AT - *at, "%s%s%s", folder, *folder ? "/" : "", entry->path);
    if (length < 0 || *at + (uint64_t)length + 1 >= PROMISES_AT)
        return -ENOBUFS;
    function->area->files[function->file_count].path = (uint32_t)*at;
    *at += (uint64_t)length + 1;
    return 0;
}

static int put_file(struct nv_function *function, const struct nv_state_entry *entry, uint64_t *at)
{
    struct nv_stored *stored;
    int error = nv_store_apply(function->store, entry, &stored);
    if (error)
        return error;
    if (entry->object >= function->mapped_room || function->mapped_bytes[entry->object] < entry->size_bytes ||
        !function->mapped_bytes[entry->object])
        error = map(function, entry->object, entry->size_bytes);
    if (error)
        return error < 0 ? error : -ENOMEM;
    struct nv_host_file *file = &function->area->files[function->file_count];
    file->object = entry->object;
    file->size_bytes = entry->size_bytes;
    file->pages = *at;
    *at += (entry->size_bytes / NV_HOST_PAGE_BYTES + 8) / 8 + 1;
    error = *at < PROMISES_AT ? put_path(function, entry, at) : -ENOBUFS;
    function->file_count++;
    return error;
}

static int put_files(struct nv_function *function, const struct nv_state *state)
{
    uint64_t at = sizeof *function->area + state->entry_count * sizeof function->area->files[0];
    int error = at < PROMISES_AT ? 0 : -ENOBUFS;
    function->file_count = 0;
    for (size_t i = 0; !error && i < state->entry_count; i++)
        error = S_ISREG(state->entries[i].mode) ? put_file(function, &state->entries[i], &at) : 0;
    function->area->file_count = function->file_count;
    return error;
}

int nv_function_run(struct nv_function *function, const struct nv_state *state, struct nv_ending *ending)
{
    struct nv_host_request request = {.kind = NV_HOST_RUN,
                                      .timeout_ms = (uint64_t)(function->options->timeout_seconds * 1e3)};
    struct nv_host_answer answer;
    ending->output_bytes = 0;
    put_promises(function, state);
    int error = put_files(function, state);
    error = error ? error : call(function, &request, -1, &answer, ending);
    function->reads_known = !error && answer.kind == NV_ENDED_EXIT && function->area->reads_known;
    int failed = nv_store_restore(function->store);
    if (error)
        return error < 0 ? error : -ENOMEM;
    ending->kind = (enum nv_ending_kind)answer.kind;
    ending->number = answer.number;
    return failed;
}

/* -- what it read -- */

static bool add_read(struct nv_function *function, const struct nv_read *read)
{
    if (function->read_count == function->read_room) {
        size_t room = function->read_room ? function->read_room * 2 : 64;
        struct nv_read *grown = reallocarray(function->reads, room, sizeof *grown);
        if (!grown)
            return false;
        function->reads = grown;
        function->read_room = room;
    }
    function->reads[function->read_count++] = *read;
    return true;
}

/* Pages one behind the other are one range. */
static bool add_pages(struct nv_function *function, const struct nv_host_file *file)
{
    const uint8_t *bits = (const uint8_t *)function->area + file->pages;
    uint64_t pages = (file->size_bytes + NV_HOST_PAGE_BYTES - 1) / NV_HOST_PAGE_BYTES;
    for (uint64_t at = 0; at < pages; at++) {
        uint64_t from = at;
        while (at < pages && bits[at / 8] >> at % 8 & 1)
            at++;
        struct nv_read read = {file->object, from * NV_HOST_PAGE_BYTES, (at - from) * NV_HOST_PAGE_BYTES};
        if (at > from && !add_read(function, &read))
            return false;
    }
    return true;
}

bool nv_function_reads(struct nv_function *function, const struct nv_read **reads, size_t *count)
{
    function->read_count = 0;
    if (!function->reads_known)
        return false;
    for (uint64_t i = 0; i < function->file_count; i++)
        if (!add_pages(function, &function->area->files[i]))
            return false;
    *reads = function->reads;
    *count = function->read_count;
    return true;
}
