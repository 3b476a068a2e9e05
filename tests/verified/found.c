/* SPDX-License-Identifier: MIT */
/*
 * Mistakes that the random tests have found once, each by its shortest way: the files are compared with the model after
 * every operation, the findings at the end.
 *
 * found NVRTL WORKLOAD
 */
#include "tests/verified/compare.h"
#include "tests/verified/follow.h"
#include "tests/verified/options.h"
#include "tests/verified/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

enum { OPERATIONS = 12, LINE_10 = 640, NO_DRAIN = WRITE_NV_MEMORY_FLAG_NO_DRAIN };

#define CREATE(file)                                                                                                   \
    {                                                                                                                  \
        .kind = OP_CREATE, .path = (file)                                                                              \
    }
#define WRITE(file, number, at, bytes)                                                                                 \
    {                                                                                                                  \
        .kind = OP_PWRITE, .path = (file), .seed = (number), .offset = (at), .length = (bytes)                         \
    }
#define STORE(file, number, at, bytes)                                                                                 \
    {                                                                                                                  \
        .kind = OP_STORE, .path = (file), .seed = (number), .offset = (at), .length = (bytes)                          \
    }
#define MSYNC(file, bytes)                                                                                             \
    {                                                                                                                  \
        .kind = OP_MSYNC, .path = (file), .length = (bytes), .flags = MS_SYNC                                          \
    }
#define FSYNC(file)                                                                                                    \
    {                                                                                                                  \
        .kind = OP_FSYNC, .path = (file)                                                                               \
    }
#define FOLDER(folder)                                                                                                 \
    {                                                                                                                  \
        .kind = OP_FSYNC_FOLDER, .path = (folder)                                                                      \
    }
#define RENAME(old, new)                                                                                               \
    {                                                                                                                  \
        .kind = OP_RENAME, .path = (old), .path2 = (new)                                                               \
    }
#define TOKEN(file)                                                                                                    \
    {                                                                                                                  \
        .kind = OP_TOKEN, .path = (file), .length = 4096                                                               \
    }
#define NV_WRITE(number, how)                                                                                          \
    {                                                                                                                  \
        .kind = OP_NV_WRITE, .seed = (number), .offset = LINE_10, .length = 64, .flags = (how)                         \
    }

static const struct found {
    const char *name;
    bool posix, scratch, overlay;
    struct operation operations[OPERATIONS]; /* ends with OP_EXIT, or at the last */
    size_t count;
} table[] = {
    {"what a synchronous write copies is newer than what was in flight for its block",
     false,
     false,
     false,
     {TOKEN("f0"),
      NV_WRITE(1, WRITE_NV_MEMORY_FLAG_FLUSH | NO_DRAIN),
      {.kind = OP_NV_STORE, .seed = 2, .offset = LINE_10, .length = 64},
      {.kind = OP_DSYNC_WRITE, .path = "f0", .seed = 3, .offset = 3000, .length = 8, .flags = O_DSYNC},
      {.kind = OP_NV_DRAIN}},
     5},
    {"a file that moves through a moment without a durable name keeps its bytes",
     true,
     false,
     false,
     {{.kind = OP_MKDIR, .path = "d0"},
      FOLDER("."),
      WRITE("f0", 1, 0, 500),
      FSYNC("f0"),
      RENAME("f0", "d0/f0"),
      FOLDER("."),
      FOLDER("d0")},
     7},
    {"a file that is replaced under one name keeps its bytes under another",
     true,
     false,
     false,
     {{.kind = OP_MKDIR, .path = "d0"},
      FOLDER("."),
      {.kind = OP_LINK, .path = "f0", .path2 = "d0/f5"},
      CREATE("n"),
      RENAME("n", "f0"),
      FOLDER("."),
      FOLDER("d0")},
     7},
    {"names in a folder that only its parent's sync has met",
     true,
     false,
     false,
     {{.kind = OP_MKDIR, .path = "d0"}, FOLDER("."), CREATE("d0/n"), {.kind = OP_SYNCFS, .path = "."}},
     4},
    {"msync of a file that no sync has met, without a name",
     true,
     false,
     false,
     {CREATE("n"),
      {.kind = OP_TRUNCATE, .path = "n", .offset = 4096},
      STORE("n", 1, 100, 50),
      MSYNC("n", 4096),
      FOLDER(".")},
     5},
    {"msync of a file that no sync has met",
     false,
     false,
     false,
     {CREATE("n"), {.kind = OP_TRUNCATE, .path = "n", .offset = 4096}, STORE("n", 1, 100, 50), MSYNC("n", 4096)},
     4},
    {"msync of a file that has another name since the last sync",
     false,
     false,
     false,
     {RENAME("f0", "f9"), STORE("f9", 1, 100, 50), MSYNC("f9", 4096)},
     3},
    {"a removed file is not judged",
     false,
     false,
     false,
     {WRITE("f0", 1, 0, 500), FSYNC("f0"), WRITE("f0", 2, 0, 500), {.kind = OP_UNLINK, .path = "f0"}},
     4},
    {"a token of a file with the inode number of a removed one",
     false,
     true,
     false,
     {CREATE("n"),
      {.kind = OP_TRUNCATE, .path = "n", .offset = 4096},
      TOKEN("n"),
      NV_WRITE(1, WRITE_NV_MEMORY_FLAG_PERSIST),
      {.kind = OP_FREE},
      {.kind = OP_UNLINK, .path = "n"},
      FOLDER("."),
      CREATE("m"),
      {.kind = OP_TRUNCATE, .path = "m", .offset = 4096},
      TOKEN("m"),
      NV_WRITE(2, WRITE_NV_MEMORY_FLAG_PERSIST)},
     11},
    {"an overlay's file that was made, synced, renamed and changed",
     false,
     false,
     true,
     {CREATE("n"), WRITE("n", 1, 0, 500), FSYNC("n"), WRITE("n", 2, 0, 500), RENAME("n", "m")},
     5},
};

static struct model model;

static void run(const struct session_options *options, const struct found *found)
{
    struct session_options how = *options;
    struct session session;

    session_describe("%s", found->name);
    how.posix = found->posix;
    how.scratch = found->scratch;
    how.overlay = found->overlay;
    model_init(&model, how.posix, how.domain);
    model_add_file(&model, "f0", 1000, 8192);
    session_guard(60);
    session_make(&session);
    session_write_files(&session, &model);
    session_start(&session, &how);
    if (!session_hello(&session))
        session_fail("the workload did not start");
    for (size_t i = 0; i < found->count; i++) {
        follow_operation(&session, &model, &found->operations[i]);
        compare_durable(&model, session.files);
    }
    follow_end(&session, &model);
    report_check(session.report);
    session_remove(&session);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct session_options how = {.domain = NvrtlDomainCpuCache};

    options_parse(&options, argc, argv);
    how.nvrtl = options.nvrtl;
    how.workload = options.workload;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        run(&how, &table[i]);
    return 0;
}
