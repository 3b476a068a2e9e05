/* SPDX-License-Identifier: MIT */
/*
 * The rights of a thread of the program, taken by the supervisor while it opens a file in its place. System calls, not
 * libc's functions: those would switch every thread of the supervisor.
 */
#include "supervise/credentials.h"
#include "supervise/target.h"

#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (1ull << (capability))
#define FILE_CAPABILITIES (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID))

enum { FILE_SYSTEM_ID = 3 }; /* of the real, effective, saved and file system's number */

static int read_thread(pid_t thread, struct nv_credentials *found, uint64_t *capabilities)
{
    uint64_t users[4], groups[4];
    int count = nv_target_status_list(thread, "Groups:", 10, found->groups, NV_GROUPS_MAX);

    if (nv_target_status_list(thread, "Uid:", 10, users, 4) != 4 ||
        nv_target_status_list(thread, "Gid:", 10, groups, 4) != 4 || count < 0 ||
        nv_target_status_list(thread, "CapEff:", 16, capabilities, 1) != 1)
        return NV_HIDDEN;
    found->user = users[FILE_SYSTEM_ID];
    found->group = groups[FILE_SYSTEM_ID];
    found->group_count = (size_t)count;
    return 0;
}

static struct __user_cap_header_struct header(void)
{
    return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static int read_own(struct nv_credentials *own)
{
    struct __user_cap_header_struct version = header();
    gid_t groups[NV_GROUPS_MAX];
    int count = getgroups(NV_GROUPS_MAX, groups);

    if (count < 0 || syscall(SYS_capget, &version, own->capabilities))
        return NV_HIDDEN;
    own->group_count = (size_t)count;
    for (size_t i = 0; i < own->group_count; i++)
        own->groups[i] = groups[i];
    own->user = (uint64_t)setfsuid((uid_t)-1);
    own->group = (uint64_t)setfsgid((gid_t)-1);
    return 0;
}

static bool same_groups(const struct nv_credentials *left, const struct nv_credentials *right)
{
    return left->group_count == right->group_count &&
           !memcmp(left->groups, right->groups, left->group_count * sizeof left->groups[0]);
}

static int set_groups(const struct nv_credentials *wanted)
{
    gid_t groups[NV_GROUPS_MAX];

    for (size_t i = 0; i < wanted->group_count; i++)
        groups[i] = (gid_t)wanted->groups[i];
    return syscall(SYS_setgroups, wanted->group_count, groups) ? -errno : 0;
}

/* setfsuid tells of no failure but by what it finds the next time. */
static int become(const struct nv_credentials *wanted, bool groups)
{
    if (groups && set_groups(wanted))
        return NV_HIDDEN;
    (void)setfsgid((gid_t)wanted->group);
    (void)setfsuid((uid_t)wanted->user);
    if ((uint64_t)setfsgid((gid_t)-1) != wanted->group || (uint64_t)setfsuid((uid_t)-1) != wanted->user)
        return NV_HIDDEN;
    return 0;
}

/* The program may hold rights over files that the supervisor does not; never the other way round. */
static int limit_capabilities(const struct nv_credentials *own, uint64_t theirs)
{
    struct __user_cap_data_struct limited[2] = {own->capabilities[0], own->capabilities[1]};
    struct __user_cap_header_struct version = header();

    limited[0].effective &= (uint32_t)(theirs | ~FILE_CAPABILITIES);
    return syscall(SYS_capset, &version, limited) ? NV_HIDDEN : 0;
}

int nv_credentials_take(struct nv_credentials *own, pid_t thread)
{
    struct nv_credentials wanted;
    uint64_t capabilities;
    int status = read_thread(thread, &wanted, &capabilities);
    bool groups;

    *own = (struct nv_credentials){0};
    if (status || (status = read_own(own)))
        return status;
    groups = !same_groups(own, &wanted);
    own->switched = groups || own->user != wanted.user || own->group != wanted.group;
    if (own->switched)
        status = become(&wanted, groups);
    if (!status)
        status = limit_capabilities(own, capabilities);
    if (status)
        nv_credentials_restore(own);
    return status;
}

/* The kernel takes a process that changes its user for one that may not be dumped, and hides its /proc. */
void nv_credentials_restore(const struct nv_credentials *own)
{
    struct __user_cap_header_struct version = header();

    if (own->switched) {
        (void)setfsuid((uid_t)own->user);
        (void)setfsgid((gid_t)own->group);
        (void)set_groups(own);
    }
    (void)syscall(SYS_capset, &version, own->capabilities);
    if (own->switched)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
