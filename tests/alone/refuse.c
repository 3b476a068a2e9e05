/* SPDX-License-Identifier: MIT */
/*
 * A container that refuses: usage: refuse namespaces|tracing PROGRAM [ARG...]. The program and all that it starts may
 * not make namespaces or mount, or may not trace.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static int refuse(scmp_filter_ctx filter, int call)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
}

static int refuse_namespaces(scmp_filter_ctx filter)
{
    int status = 0;
    for (unsigned bit = 1; bit != 0 && !status; bit <<= 1)
        if (NAMESPACES & bit)
            status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                      SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit));
    return status || refuse(filter, SCMP_SYS(unshare)) || refuse(filter, SCMP_SYS(setns)) ||
           refuse(filter, SCMP_SYS(mount)) || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int main(int argc, char **argv)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (argc < 3 || !filter)
        return 2;
    if (strcmp(argv[1], "tracing") == 0 ? refuse(filter, SCMP_SYS(ptrace)) : refuse_namespaces(filter))
        return 2;
    if (seccomp_load(filter) != 0)
        return 2;
    seccomp_release(filter);
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
