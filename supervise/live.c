/* SPDX-License-Identifier: MIT */
/*
 * Sockets and fifos that are in use, as /proc tells: a list is made when the first such node is met, if it can be
 * made then. Making the view
 * asks for those in a folder at stake.
 */
#include "supervise/live.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_socket(struct nv_live *live, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    char **grown = realloc(live->sockets, (live->socket_count + 1) * sizeof *grown);

    if (grown)
        live->sockets = grown;
    if (grown && name)
        grown[live->socket_count++] = name;
    else {
        free(name);
        live->uncertain = true;
    }
}

/* Seven columns, and the path as it was given to bind: it may be relative. */
static void list_sockets(struct nv_live *live)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    FILE *list = fopen("/proc/net/unix", "re");

    live->sockets_listed = true;
    live->uncertain = live->uncertain || !list;
    while (list && (length = getline(&line, &capacity, list)) > 0) {
        char *path = line;

        line[length - 1] = 0;
        for (int column = 0; column < 7; column++) {
            path += strcspn(path, " ");
            path += strspn(path, " ");
        }
        if (*path && *path != '@')
            add_socket(live, path);
    }
    free(line);
    if (list)
        fclose(list);
}

bool nv_live_socket(struct nv_live *live, const char *name)
{
    if (!live->sockets_listed)
        list_sockets(live);
    for (size_t i = 0; i < live->socket_count; i++)
        if (!strcmp(live->sockets[i], name))
            return true;
    return live->uncertain;
}

static void add_fifo(struct nv_live *live, const struct stat *status)
{
    struct nv_live_fifo *grown = realloc(live->fifos, (live->fifo_count + 1) * sizeof *grown);

    live->uncertain = live->uncertain || !grown;
    if (!grown)
        return;
    live->fifos = grown;
    grown[live->fifo_count++] = (struct nv_live_fifo){status->st_dev, status->st_ino};
}

static void list_descriptors(struct nv_live *live, int process)
{
    int folder = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    struct dirent *item;
    struct stat status;

    if (!stream)
        return;
    while ((item = readdir(stream)))
        if (item->d_name[0] != '.' && !fstatat(dirfd(stream), item->d_name, &status, 0) && S_ISFIFO(status.st_mode))
            add_fifo(live, &status);
    closedir(stream);
}

/* Who opens one end waits in the kernel, without a descriptor yet, until somebody opens the other. */
static bool waits_for_partner(int process)
{
    char place[64];
    int fd = openat(process, "wchan", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, place, sizeof place - 1);

    if (fd >= 0)
        close(fd);
    place[got > 0 ? got : 0] = 0;
    return !strcmp(place, "wait_for_partner") || !strcmp(place, "fifo_open");
}

void nv_live_list_fifos(struct nv_live *live)
{
    DIR *stream = opendir("/proc");
    struct dirent *item;

    live->fifos_listed = true;
    live->uncertain = live->uncertain || !stream;
    while (stream && (item = readdir(stream))) {
        int process = isdigit((unsigned char)item->d_name[0])
                          ? openat(dirfd(stream), item->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC)
                          : -1;

        if (process < 0)
            continue;
        list_descriptors(live, process);
        live->uncertain = live->uncertain || waits_for_partner(process);
        close(process);
    }
    if (stream)
        closedir(stream);
}

bool nv_live_fifo(struct nv_live *live, const struct stat *status)
{
    if (!live->fifos_listed)
        nv_live_list_fifos(live);
    for (size_t i = 0; i < live->fifo_count; i++)
        if (live->fifos[i].device == status->st_dev && live->fifos[i].inode == status->st_ino)
            return true;
    return live->uncertain;
}

void nv_live_free(struct nv_live *live)
{
    for (size_t i = 0; i < live->socket_count; i++)
        free(live->sockets[i]);
    free(live->sockets);
    free(live->fifos);
    *live = (struct nv_live){0};
}
