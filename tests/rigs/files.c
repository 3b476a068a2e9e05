/* SPDX-License-Identifier: MIT */
/*
 * rig-files FOLDER ROUNDS: what programs do with files, the same in each run: files replaced by renaming others, logs
 * that grow, and names that come and go; some of it synced, some written early without a promise, and most left to the
 * kernel.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned state = 1;

static unsigned below(unsigned limit)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

static void must(int result, const char *what)
{
    if (result >= 0)
        return;
    perror(what);
    exit(1);
}

static int opened(const char *name, int flags)
{
    int descriptor = open(name, flags | O_CREAT | O_CLOEXEC, 0644);

    must(descriptor, name);
    return descriptor;
}

static void put(int descriptor, size_t bytes)
{
    static char text[20000];

    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + below(26));
    must(write(descriptor, text, bytes) == (ssize_t)bytes ? 0 : -1, "write");
}

/* The kernel writes it now, or later: nothing is promised. */
static void maybe_sync(int descriptor)
{
    switch (below(5)) {
    case 0:
        must(fsync(descriptor), "fsync");
        break;
    case 1:
        must(fdatasync(descriptor), "fdatasync");
        break;
    case 2:
        must(sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE), "sync_file_range");
        break;
    default:
        break;
    }
}

static void replace(unsigned number)
{
    char name[32];
    int descriptor = opened("new", O_RDWR | O_TRUNC);

    sprintf(name, "kept-%u", number);
    put(descriptor, 1 + below(9000));
    maybe_sync(descriptor);
    must(rename("new", name), name);
    close(descriptor);
}

static void append(unsigned number)
{
    char name[32];
    int descriptor;

    sprintf(name, "log-%u", number);
    descriptor = opened(name, O_WRONLY | O_APPEND);
    put(descriptor, 1 + below(3000));
    maybe_sync(descriptor);
    close(descriptor);
}

static void overwrite(void)
{
    int descriptor = opened("table", O_RDWR);

    must((int)lseek(descriptor, (off_t)below(16) * 1000, SEEK_SET), "lseek");
    put(descriptor, 1 + below(5000));
    if (!below(4))
        must(ftruncate(descriptor, (off_t)below(16000)), "ftruncate");
    maybe_sync(descriptor);
    close(descriptor);
}

static void move_names(unsigned number)
{
    char folder[32], name[64], other[64];
    int descriptor;

    sprintf(folder, "folder-%u", number);
    sprintf(name, "%s/in", folder);
    sprintf(other, "%s/out", folder);
    if (mkdir(folder, 0755) == 0) {
        descriptor = opened(name, O_WRONLY);
        put(descriptor, 1 + below(600));
        maybe_sync(descriptor);
        close(descriptor);
        must(link(name, other), other);
        must(symlink("in", strcat(folder, "/there")), folder);
        return;
    }
    must(unlink(other), other);
    must(rename(name, other), other);
    must(rename(other, name), name);
    must(unlink(name), name);
    must(unlink(strcat(folder, "/there")), folder);
    folder[strlen(folder) - strlen("/there")] = '\0';
    must(rmdir(folder), folder);
}

int main(int argc, char **argv)
{
    int rounds = argc == 3 ? atoi(argv[2]) : 0;

    if (!rounds)
        return 2;
    must(chdir(argv[1]), argv[1]);
    for (int i = 0; i < rounds; i++)
        switch (below(4)) {
        case 0:
            replace(below(3));
            break;
        case 1:
            append(below(2));
            break;
        case 2:
            overwrite();
            break;
        default:
            move_names(below(3));
        }
    return 0;
}
