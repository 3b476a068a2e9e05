/* SPDX-License-Identifier: MIT */
/*
 * Owns the user namespace that an ordinary user needs for any other. namespace.c and the cells of explore/ ask for it.
 */
#include "supervise/unshare.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
    int status = 0, fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) < 0)
        status = -errno;
    close(fd);
    return status;
}

static long read_number(const char *path, long otherwise)
{
    char text[32];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return otherwise;
    got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return otherwise;
    text[got] = 0;
    return strtol(text, NULL, 10);
}

void nv_unshare_refused(int number, char *error, size_t error_bytes)
{
    const char *hint = "a container must allow it: with Docker, run with --privileged, or with "
                       "--cap-add=SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined";

    if (!read_number("/proc/sys/kernel/unprivileged_userns_clone", 1))
        hint = "an administrator allows it by: sysctl kernel.unprivileged_userns_clone=1";
    else if (!read_number("/proc/sys/user/max_user_namespaces", 1))
        hint = "an administrator allows it by: sysctl user.max_user_namespaces=10000";
    else if (!read_number("/proc/sys/user/max_mnt_namespaces", 1))
        hint = "an administrator allows it by: sysctl user.max_mnt_namespaces=10000";
    else if (number == EMFILE || number == ENFILE)
        hint = "raise the limit of open files (ulimit -n)";
    else if (number == ENOMEM)
        hint = "memory is short";
    else if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0))
        hint = "an administrator allows it by: sysctl kernel.apparmor_restrict_unprivileged_userns=0";
    snprintf(
        error, error_bytes,
        "cannot make a mount namespace (%s); %s. Or nvrtl check --in-process, which needs none: it sees tokens and "
        "pools of libpmem alone",
        strerror(number), hint);
}

/* The user keeps its own number; the group too. */
static int map_user(uid_t user, gid_t group)
{
    char text[64];
    int status = write_file("/proc/self/setgroups", "deny");

    if (status && status != -ENOENT)
        return status;
    snprintf(text, sizeof text, "%u %u 1", user, user);
    status = write_file("/proc/self/uid_map", text);
    if (status)
        return status;
    snprintf(text, sizeof text, "%u %u 1", group, group);
    return write_file("/proc/self/gid_map", text);
}

int nv_unshare_as_user(int flags)
{
    uid_t user = geteuid();
    gid_t group = getegid();

    if (unshare(CLONE_NEWUSER | flags))
        return errno;
    return -map_user(user, group);
}
