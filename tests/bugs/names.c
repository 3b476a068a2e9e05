/* SPDX-License-Identifier: MIT */
/* Names of files and folders that no sync made durable. */
#include "tests/bugs/bugs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define POSIX "--fs=posix"

static int create(const char *name, const char *text, size_t length)
{
    int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    bug_check(file >= 0 && write(file, text, length) == (ssize_t)length);
    return file;
}

static void sync_folder(const char *name)
{
    int folder = open(name, O_RDONLY | O_DIRECTORY);
    bug_check(folder >= 0 && fsync(folder) == 0 && close(folder) == 0);
}

static void new_empty_file(struct bug_file *file, bool right)
{
    int made = create("lock", "", 0);
    (void)file;
    if (right)
        bug_check(fsync(made) == 0);
}

static void renamed(struct bug_file *file, bool right)
{
    (void)file;
    bug_check(rename("data", "renamed") == 0);
    if (right)
        sync_folder(".");
}

/* The careful way to replace a file, up to its last step. */
static void replaced(struct bug_file *file, bool right)
{
    int made = create("data.new", "new content", 11);
    (void)file;
    bug_check(fsync(made) == 0 && rename("data.new", "data") == 0);
    if (right)
        sync_folder(".");
}

static void linked(struct bug_file *file, bool right)
{
    (void)file;
    bug_check(link("data", "second") == 0);
    if (right)
        sync_folder(".");
}

static void new_folder(struct bug_file *file, bool right)
{
    (void)file;
    bug_check(mkdir("folder", 0700) == 0);
    if (right)
        sync_folder(".");
}

static void moved(struct bug_file *file, bool right)
{
    (void)file;
    bug_check(mkdir("folder", 0700) == 0);
    sync_folder(".");
    bug_check(rename("data", "folder/data") == 0);
    if (right)
        sync_folder("folder");
}

/* Where only a sync of the folder makes a name durable. */
static void file_but_not_its_name(struct bug_file *file, bool right)
{
    int made = create("new", "content", 7);
    sync_folder(".");
    (void)file;
    bug_check(fsync(made) == 0);
    bug_check(rename("new", "newer") == 0 && fsync(made) == 0);
    if (right)
        sync_folder(".");
}

static void wrong_folder(struct bug_file *file, bool right)
{
    (void)file;
    bug_check(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0);
    sync_folder(".");
    bug_check(link("data", "b/data") == 0);
    sync_folder(right ? "b" : "a");
}

/* The file is new, and nothing of it durable: content and name are one finding. */
static void new_file(struct bug_file *file, bool right)
{
    int made = create("new", "content", 7);
    (void)file;
    if (right)
        bug_check(fsync(made) == 0);
}

static const struct bug bugs[] = {
    {"new-empty-file", "name-not-flushed", new_empty_file, NULL},
    {"renamed", "name-not-flushed", renamed, NULL},
    {"replaced", "name-not-flushed", replaced, NULL},
    {"linked", "name-not-flushed", linked, NULL},
    {"new-folder", "name-not-flushed", new_folder, NULL},
    {"moved", "name-not-flushed", moved, NULL},
    {"file-but-not-its-name", "name-not-flushed", file_but_not_its_name, POSIX},
    {"wrong-folder", "name-not-flushed", wrong_folder, POSIX},
    {"new-file", "not-flushed", new_file, NULL},
};
BUG_CLASS(names, bugs);
