/* SPDX-License-Identifier: MIT */
/*
 * Sockets and fifos that are in use, as the kernel tells: a list is made when the first such node is met, if it can be
 * made then. Making the view asks for those in a folder at stake.
 */
#include "supervise/live.h"
#include "supervise/target.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void add(struct nv_live_list *list, uint64_t device, uint64_t inode)
{
    struct nv_live_node *grown = realloc(list->nodes, (list->count + 1) * sizeof *grown);

    list->uncertain = list->uncertain || !grown;
    if (!grown)
        return;
    list->nodes = grown;
    grown[list->count++] = (struct nv_live_node){device, inode};
}

static bool has(const struct nv_live_list *list, uint64_t device, uint64_t inode)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->nodes[i].device == device && list->nodes[i].inode == inode)
            return true;
    return list->uncertain;
}

/* ---- sockets ---- */

static void add_socket(struct nv_live_list *list, const struct nlmsghdr *header)
{
    const struct unix_diag_msg *message = NLMSG_DATA(header);
    int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *message));

    for (const struct rtattr *item = (const struct rtattr *)(message + 1); RTA_OK(item, left);
         item = RTA_NEXT(item, left))
        if (item->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(item) >= sizeof(struct unix_diag_vfs))
            add(list, 0, ((const struct unix_diag_vfs *)RTA_DATA(item))->udiag_vfs_ino);
}

/* Returns whether there is more to come; a negative errno when the kernel does not tell. */
static int receive_sockets(struct nv_live_list *list, int netlink)
{
    _Alignas(struct nlmsghdr) char answer[16384];
    ssize_t got = recv(netlink, answer, sizeof answer, 0);
    int left = (int)got;

    if (got <= 0)
        return got < 0 && errno == EINTR ? 1 : -EIO;
    for (const struct nlmsghdr *header = (const struct nlmsghdr *)answer; NLMSG_OK(header, (unsigned)left);
         header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return 0;
        if (header->nlmsg_type == NLMSG_ERROR)
            return -EIO;
        add_socket(list, header);
    }
    return 1;
}

static int list_sockets(struct nv_live_list *list)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } question = {{sizeof question, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0},
                  {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_VFS}};
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), status = 1;

    if (netlink < 0 || send(netlink, &question, sizeof question, 0) != sizeof question)
        status = -EIO;
    while (status > 0)
        status = receive_sockets(list, netlink);
    if (netlink >= 0)
        close(netlink);
    return status;
}

/*
 * Which file system it is, the kernel tells by a number that need not be that of stat. It tells 32 bits of the inode.
 */
bool nv_live_socket(struct nv_live *live, const struct stat *status)
{
    if (!live->sockets.made && list_sockets(&live->sockets))
        live->sockets.uncertain = true;
    live->sockets.made = true;
    return has(&live->sockets, 0, (uint32_t)status->st_ino);
}

/* ---- fifos ---- */

static void list_descriptors(struct nv_live_list *list, int process)
{
    int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    struct dirent *item;
    struct stat status;

    if (!stream)
        return;
    while ((item = readdir(stream)))
        if (item->d_name[0] != '.' && !fstatat(dirfd(stream), item->d_name, &status, 0) && S_ISFIFO(status.st_mode))
            add(list, status.st_dev, status.st_ino);
    closedir(stream);
}

static bool read_text(int process, const char *name, char *text, size_t text_bytes)
{
    int fd = openat(process, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, text_bytes - 1);

    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

/* What a process that waits in open or openat names. */
static bool find_opened(pid_t number, int process, struct stat *status)
{
    char call[256], theirs[PATH_MAX], path[PATH_MAX + 64];
    unsigned long first, second;
    int which;

    if (!read_text(process, "syscall", call, sizeof call) || sscanf(call, "%d %lx %lx", &which, &first, &second) != 3)
        return false;
    if (which != SYS_openat) {
        second = first;
        first = (unsigned long)AT_FDCWD;
    }
    if (nv_target_string(number, second, theirs, sizeof theirs))
        return false;
    if (*theirs == '/')
        snprintf(path, sizeof path, "root%s", theirs);
    else if ((int)first == AT_FDCWD)
        snprintf(path, sizeof path, "cwd/%s", theirs);
    else
        snprintf(path, sizeof path, "fd/%d/%s", (int)first, theirs);
    return !fstatat(process, path, status, 0) && S_ISFIFO(status->st_mode);
}

/* Who opens one end waits in the kernel, without a descriptor yet, until somebody opens the other. */
static void list_waiting(struct nv_live_list *list, pid_t number, int process)
{
    char place[64];
    struct stat status;

    (void)read_text(process, "wchan", place, sizeof place);
    if (strcmp(place, "wait_for_partner") != 0 && strcmp(place, "fifo_open") != 0)
        return;
    if (find_opened(number, process, &status))
        add(list, status.st_dev, status.st_ino);
    else
        list->uncertain = true;
}

void nv_live_list_fifos(struct nv_live *live)
{
    struct nv_live_list *list = &live->fifos;
    DIR *stream = opendir("/proc");
    struct dirent *item;

    list->made = true;
    list->uncertain = !stream;
    while (stream && (item = readdir(stream))) {
        int process = isdigit((unsigned char)item->d_name[0])
                          ? openat(dirfd(stream), item->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC)
                          : -1;

        if (process < 0)
            continue;
        list_descriptors(list, process);
        list_waiting(list, atoi(item->d_name), process);
        close(process);
    }
    if (stream)
        closedir(stream);
}

bool nv_live_fifo(struct nv_live *live, const struct stat *status)
{
    if (!live->fifos.made)
        nv_live_list_fifos(live);
    return has(&live->fifos, status->st_dev, status->st_ino);
}

void nv_live_free(struct nv_live *live)
{
    free(live->sockets.nodes);
    free(live->fifos.nodes);
    *live = (struct nv_live){0};
}
