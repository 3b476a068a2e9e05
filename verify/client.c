/* SPDX-License-Identifier: MIT */
/*
 * Owns the way to the supervisor. A connection lives as long as one question, so that the program's table of
 * descriptors is left as it was, a forked child needs no care, and a program that closes every descriptor it can think
 * of harms nothing. Called by files.c and seam.c.
 */
#include "verify/client.h"
#include "nvrtl/status.h"
#include "src/nvm/seam.h"
#include "src/os/os.h"
#include "verify/alone.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address;
static socklen_t address_bytes;

void nv_client_open(const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;

    if (length < 2 || name[0] != '@' || length > sizeof address.sun_path)
        return;
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, name, length);
    address.sun_path[0] = '\0';
    address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static int dial(void)
{
    while (address_bytes != 0) {
        int socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        if (socket_fd < 0)
            return -1;
        if (connect(socket_fd, (const struct sockaddr *)&address, address_bytes) == 0)
            return socket_fd;
        close(socket_fd);
        if (errno != EINTR)
            break;
    }
    return (int)syscall(SYS_msync, (uintptr_t)NV_OS_SUPERVISOR_ADDRESS, (size_t)NV_OS_WISH_SOCKET, MS_SYNC);
}

static bool say(int socket_fd, const struct nv_verifier_request *request)
{
    ssize_t sent;

    do {
        sent = send(socket_fd, request, sizeof *request, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *request;
}

/* Take the descriptors out of a message; what does not fit is closed. Returns how many came. */
static size_t unpack(struct msghdr *message, int *descriptors, size_t room)
{
    size_t came = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int descriptor;

            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            if (came < room)
                descriptors[came] = descriptor;
            else
                close(descriptor);
            came++;
        }
    }
    return came;
}

static bool hear(int socket_fd, struct nv_verifier_reply *reply, int *descriptors, size_t *came)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(NV_CLIENT_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec body = {.iov_base = reply, .iov_len = sizeof *reply};
    struct msghdr message = {
        .msg_iov = &body, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t received;

    do {
        received = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0)
        return false;
    *came = unpack(&message, descriptors, NV_CLIENT_DESCRIPTORS);
    return received == (ssize_t)sizeof *reply;
}

static NTSTATUS converse(const struct nv_verifier_request *request, struct nv_verifier_reply *reply, int *descriptors,
                         size_t count)
{
    int held[NV_CLIENT_DESCRIPTORS];
    size_t came = 0;
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    int socket_fd = dial();

    if (socket_fd < 0)
        return status;
    if (say(socket_fd, request) && hear(socket_fd, reply, held, &came))
        status = reply->status;
    close(socket_fd);
    if (status >= 0 && came == count) {
        for (size_t i = 0; i < count; i++)
            descriptors[i] = held[i];
        return status;
    }
    for (size_t i = 0; i < came && i < NV_CLIENT_DESCRIPTORS; i++)
        close(held[i]);
    return status < 0 ? status : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS nv_client_ask(struct nv_verifier_request *request, struct nv_verifier_reply *reply, int *descriptors,
                       size_t count)
{
    int before = errno, cancel;
    NTSTATUS status;

    request->version = NV_SEAM_VERSION;
    memset(reply, 0, sizeof *reply);
    if (nv_alone_is_on())
        return nv_alone_answer(request, reply);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    status = converse(request, reply, descriptors, count);
    pthread_setcancelstate(cancel, NULL);
    errno = before;
    return status;
}
