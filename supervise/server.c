/* SPDX-License-Identifier: MIT */
/*
 * Where verifiers inside the program ask for the ledger and for the durable image of a file. One question a connection.
 */
#include "nvrtl/status.h"
#include "src/nvm/seam.h"
#include "src/os/os.h"
#include "supervise/observer.h"
#include "supervise/shadow.h"
#include "supervise/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int open_ledger(struct nv_supervisor *supervisor)
{
    void *ledger;

    supervisor->ledger_fd = memfd_create("nvrtl-ledger", MFD_CLOEXEC);
    if (supervisor->ledger_fd < 0 || ftruncate(supervisor->ledger_fd, sizeof(struct nv_ledger)))
        return -errno;
    ledger = mmap(NULL, sizeof(struct nv_ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                  supervisor->ledger_fd, 0);
    if (ledger == MAP_FAILED)
        return -errno;
    supervisor->ledger = ledger;
    supervisor->image.ledger = ledger;
    supervisor->ledger->domain = (uint32_t)supervisor->options->domain;
    supervisor->ledger->fail_sync = supervisor->options->fail_sync;
    supervisor->ledger->performance = supervisor->options->performance;
    supervisor->ledger->traces = supervisor->options->trace != NULL;
    return 0;
}

static int open_log(struct nv_supervisor *supervisor)
{
    if (!supervisor->options->trace)
        return 0;
    supervisor->log_fd = nv_log_new();
    return supervisor->log_fd < 0 ? supervisor->log_fd : 0;
}

static socklen_t address_of(const struct nv_supervisor *supervisor, struct sockaddr_un *address)
{
    size_t length = strlen(supervisor->socket_name);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path + 1, supervisor->socket_name, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

int nv_server_open(struct nv_supervisor *supervisor)
{
    struct sockaddr_un address;
    uint64_t random;
    socklen_t length;
    int status;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return -errno;
    snprintf(supervisor->socket_name, sizeof supervisor->socket_name, "nvrtl-%d-%016lx", (int)getpid(), random);
    length = address_of(supervisor, &address);
    supervisor->server = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (supervisor->server < 0 || bind(supervisor->server, (struct sockaddr *)&address, length) ||
        listen(supervisor->server, 64))
        return -errno;
    status = open_ledger(supervisor);
    return status ? status : open_log(supervisor);
}

void nv_server_close(struct nv_supervisor *supervisor)
{
    if (supervisor->server >= 0)
        close(supervisor->server);
    if (supervisor->ledger)
        munmap(supervisor->ledger, sizeof(struct nv_ledger));
    if (supervisor->ledger_fd >= 0)
        close(supervisor->ledger_fd);
    if (supervisor->log_fd >= 0)
        close(supervisor->log_fd);
}

static int number_of(struct nv_image *image, struct nv_object *object)
{
    struct nv_object **grown;

    if (object->verifier_file)
        return 0;
    grown = realloc(image->verifier_files, (image->verifier_file_count + 1) * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    image->verifier_files = grown;
    grown[image->verifier_file_count++] = object;
    object->verifier_file = (uint32_t)image->verifier_file_count;
    return 0;
}

/* As the first fault of a synchronous (MAP_SYNC) mapping does: the file's name and size are durable from here on. */
static int make_metadata_durable(struct nv_image *image, struct nv_object *object)
{
    int status = nv_content_sync(image, object, UINT64_MAX, UINT64_MAX);

    if (status)
        return status;
    object->new_metadata = false;
    object->written = true;
    return nv_lines_provide(object, object->durable_bytes);
}

/* What a token needs of its file. In the posix model the name is left as it is. */
static int prepare_file(struct nv_image *image, const struct nv_verifier_request *request, struct nv_object *object)
{
    int status = 0;

    if (image->model == NV_FS_JOURNALED)
        status = nv_names_sync(image, NULL);
    else if (!object->names && !object->nameless)
        status = nv_image_make_nameless(image, object);
    if (!status && !object->names && !object->nameless)
        return -ENOENT;
    if (!status)
        status = make_metadata_durable(image, object);
    if (!status)
        nv_observe_token(image, object);
    return status ? status : nv_lines_provide(object, request->end);
}

static void send_reply(int connection, struct nv_verifier_reply reply, const int *descriptors, size_t count)
{
    struct iovec body = {&reply, sizeof reply};
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    struct cmsghdr *header;

    memset(&control, 0, sizeof control);
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    (void)sendmsg(connection, &message, MSG_NOSIGNAL);
}

static void reply_with(int connection, int32_t status, uint32_t file, const int *descriptors, size_t count)
{
    send_reply(connection, (struct nv_verifier_reply){.status = status, .file = file}, descriptors, count);
}

static void serve_file(struct nv_supervisor *supervisor, int connection, const struct nv_verifier_request *request)
{
    struct nv_image *image = &supervisor->image;
    struct nv_object *object;
    int status;

    nv_image_make_room(image);
    status = nv_names_meet(image, request->device, request->inode, &object);
    if (!status && object && !object->excluded && request->kind == NV_VERIFIER_FILE)
        status = prepare_file(image, request, object);
    if (!status && object)
        status = number_of(image, object);
    if (status == -ENOENT || !object || object->excluded)
        reply_with(connection, NV_VERIFIER_NOT_AT_STAKE, 0, NULL, 0);
    else if (status)
        reply_with(connection, STATUS_INSUFFICIENT_RESOURCES, 0, NULL, 0);
    else
        reply_with(connection, STATUS_SUCCESS, object->verifier_file, (int[]){object->durable, object->lines_fd},
                   request->kind == NV_VERIFIER_FILE ? 2 : 0);
}

/* For a verifier that tells what changes in a file. */
static void serve_shadow(struct nv_supervisor *supervisor, int connection, const struct nv_verifier_request *request)
{
    struct nv_verifier_reply reply = {.status = STATUS_INSUFFICIENT_RESOURCES};
    struct nv_image *image = &supervisor->image;
    struct nv_object *object;
    int status = nv_names_meet(image, request->device, request->inode, &object), view = -1;

    if (!status && object)
        status = nv_shadow_provide(image, object, request->end);
    if (!status && object)
        view = nv_object_view(image, object);
    if (view >= 0)
        reply = (struct nv_verifier_reply){
            .status = STATUS_SUCCESS, .file = object->verifier_file, .object = object->trace_number};
    send_reply(connection, reply, view >= 0 ? (int[]){view, object->shadow_fd} : NULL, view >= 0 ? 2 : 0);
}

/* Where the images differ in a range that the program has expectations of. */
static void serve_compare(struct nv_supervisor *supervisor, int connection, const struct nv_verifier_request *request)
{
    struct nv_verifier_reply reply = {.status = STATUS_SUCCESS};
    struct nv_ledger_range range = {
        .file = request->file, .offset = request->offset, .length_bytes = request->end - request->offset};
    int status = nv_expect_difference(&supervisor->image, &range, &reply.offset);

    if (status)
        reply.status = STATUS_INSUFFICIENT_RESOURCES;
    (void)send(connection, &reply, sizeof reply, MSG_NOSIGNAL);
}

static void serve(struct nv_supervisor *supervisor, int connection)
{
    struct timeval patience = {.tv_sec = 2};
    struct nv_verifier_request request;

    if (setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        recv(connection, &request, sizeof request, 0) != sizeof request)
        return;
    if (request.version != NV_SEAM_VERSION)
        reply_with(connection, STATUS_NOT_SUPPORTED, 0, NULL, 0);
    else if (request.kind == NV_VERIFIER_HELLO)
        reply_with(connection, STATUS_SUCCESS, 0, &supervisor->ledger_fd, 1);
    else if (request.kind == NV_VERIFIER_FILE || request.kind == NV_VERIFIER_NAME)
        serve_file(supervisor, connection, &request);
    else if (request.kind == NV_VERIFIER_SHADOW && supervisor->log_fd >= 0)
        serve_shadow(supervisor, connection, &request);
    else if (request.kind == NV_VERIFIER_LOG && supervisor->log_fd >= 0)
        reply_with(connection, STATUS_SUCCESS, 0, &supervisor->log_fd, 1);
    else if (request.kind == NV_VERIFIER_COMPARE)
        serve_compare(supervisor, connection, &request);
    else
        reply_with(connection, STATUS_INVALID_PARAMETER, 0, NULL, 0);
}

bool nv_server_serve(struct nv_supervisor *supervisor)
{
    int connection = accept4(supervisor->server, NULL, NULL, SOCK_CLOEXEC);

    if (connection < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
    serve(supervisor, connection);
    close(connection);
    return true;
}

/* A socket for a program that cannot reach ours: its environment is another, or its network. */
static int connect_for(struct nv_supervisor *supervisor)
{
    struct sockaddr_un address;
    socklen_t length = address_of(supervisor, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    while (fd >= 0 && connect(fd, (struct sockaddr *)&address, length)) {
        int number = errno;

        if (number == EAGAIN) { /* too many are waiting for us */
            nv_server_serve(supervisor);
            continue;
        }
        close(fd);
        errno = number;
        return -1;
    }
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, 0);
    return fd;
}

static int open_library(const struct nv_supervisor *supervisor)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/" NV_VERIFIER_LIBRARY, supervisor->options->verifier_path);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void nv_handle_msync_or_wish(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                             struct nv_answer *answer)
{
    struct seccomp_notif_addfd add = {.id = call->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .newfd_flags = O_CLOEXEC};
    int own;

    if (call->data.args[0] != NV_OS_SUPERVISOR_ADDRESS) {
        nv_handle_msync(supervisor, call, answer);
        return;
    }
    own = call->data.args[1] == NV_OS_WISH_LIBRARY ? open_library(supervisor) : connect_for(supervisor);
    *answer = (struct nv_answer){.answered = true, .error = ENOENT};
    if (own < 0)
        return;
    add.srcfd = (uint32_t)own;
    if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
        answer->sent = true;
    close(own);
}
