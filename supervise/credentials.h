/* SPDX-License-Identifier: MIT */
/* Opening files with no more rights than the program has. */
#ifndef NV_CREDENTIALS_H
#define NV_CREDENTIALS_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { NV_GROUPS_MAX = 256 };

struct nv_credentials {
    uint64_t user, group; /* that files are opened by */
    uint64_t groups[NV_GROUPS_MAX];
    size_t group_count;
    struct __user_cap_data_struct capabilities[2];
    bool switched; /* user or groups, not the capabilities alone */
};

/* Until nv_credentials_restore, the calling thread opens files as `thread` would. 0, or NV_HIDDEN: that cannot be. */
int nv_credentials_take(struct nv_credentials *own, pid_t thread);
void nv_credentials_restore(const struct nv_credentials *own);

#endif
