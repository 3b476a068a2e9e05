/* SPDX-License-Identifier: MIT */
/*
 * A disk that is full: D is a small tmpfs. The sync in the program must be told so, what was durable before stays, and
 * the end says what it could not bring in. Needs a mount namespace, so root; skipped otherwise.
 *
 * no-space NVRTL WORKLOAD
 */
#include "tests/verified/options.h"
#include "tests/verified/session.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77 };

static int64_t act(struct session *session, const struct operation *operation)
{
    int64_t result;

    session_send(session, operation);
    if (!session_hear(session, &result))
        session_fail("the workload is gone");
    return result;
}

static void expect(struct session *session, struct operation operation, int64_t wanted)
{
    int64_t result = act(session, &operation);

    if (result != wanted) {
        session_show(&operation);
        session_fail("it must return %ld, and returned %ld", (long)wanted, (long)result);
    }
}

/* Write and sync files until one does not fit. Their number. */
static unsigned fill(struct session *session)
{
    for (unsigned i = 0; i < 1000; i++) {
        struct operation operation = {.kind = OP_CREATE, .seed = 1000 + i, .length = 60000};
        int64_t result;

        snprintf(operation.path, sizeof operation.path, "f%u", i);
        expect(session, operation, 0);
        operation.kind = OP_PWRITE;
        expect(session, operation, 0);
        operation.kind = OP_FSYNC;
        result = act(session, &operation);
        if (result == -ENOSPC)
            return i;
        if (result)
            session_fail("fsync of %s returned %ld", operation.path, (long)result);
    }
    session_fail("the disk is never full");
}

/* What the syncs said is durable is in the files. */
static void expect_files(const struct session *session, unsigned count)
{
    static uint8_t wanted[60000], found[60000];

    for (unsigned i = 0; i < count; i++) {
        char path[128];
        int fd;

        snprintf(path, sizeof path, "%s/f%u", session->files, i);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        operation_fill(wanted, 1000 + i, sizeof wanted);
        if (fd < 0 || read(fd, found, sizeof found) != sizeof found || memcmp(wanted, found, sizeof wanted) != 0)
            session_fail("%s was durable, and is lost", path);
        close(fd);
    }
}

static void expect_words(const struct session *session, const char *words)
{
    char text[4096] = "";
    int fd = open(session->messages, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof text - 1) < 0 || !strstr(text, words))
        session_fail("nvrtl does not say: %s", words);
    close(fd);
}

static void run(const struct session_options *how)
{
    struct operation end = {.kind = OP_EXIT};
    struct session session;
    unsigned count;
    int status;

    session_describe("%s", how->posix ? "posix" : "journaled");
    session_guard(60);
    session_make(&session);
    if (mount("no-space", session.files, "tmpfs", 0, "size=1m"))
        session_fail("mount: %s", strerror(errno));
    session_start(&session, how);
    if (!session_hello(&session))
        session_fail("the workload did not start");
    count = fill(&session);
    if (!count)
        session_fail("nothing fitted");
    session_send(&session, &end);
    status = session_end(&session);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 125)
        session_fail("nvrtl must end with 125, and ended with %x", status);
    expect_words(&session, strerror(ENOSPC));
    expect_words(&session, "f");
    expect_files(&session, count);
    if (umount2(session.files, MNT_DETACH))
        session_fail("umount: %s", strerror(errno));
    session_remove(&session);
    printf("%s: %u files fitted\n", how->posix ? "posix" : "journaled", count);
}

int main(int argc, char **argv)
{
    struct session_options how = {.domain = NvrtlDomainCpuCache};
    struct options options = {0};

    options_parse(&options, argc, argv);
    how.nvrtl = options.nvrtl;
    how.workload = options.workload;
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
        printf("skipped: a small disk cannot be mounted: %s (root may)\n", strerror(errno));
        return SKIPPED;
    }
    run(&how);
    how.posix = true;
    run(&how);
    return 0;
}
