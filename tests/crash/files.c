/* SPDX-License-Identifier: MIT */
/*
 * Ways to change files that a power failure may not leave by halves, each right, and wrong by one missing sync:
 *
 *     crash-files CASE right|wrong FOLDER     says "done" when the change is there to stay
 *     crash-files CASE check FOLDER           recovers, and looks at what was left
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES 3000 /* of each content: more than a sector */

static bool right;

static void must(bool well, const char *what)
{
    if (well)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static void put(const char *name, int flags, char fill)
{
    char bytes[BYTES];
    int file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);

    memset(bytes, fill, sizeof bytes);
    must(file >= 0 && write(file, bytes, sizeof bytes) == BYTES && close(file) == 0, name);
}

static void sync_of(const char *name)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);

    must(file >= 0 && fsync(file) == 0 && close(file) == 0, name);
}

static void done(void)
{
    puts("done");
    fflush(stdout);
}

/* How many contents of that fill the file holds, one behind the other; -1: something else, or there is none. */
static int holds(const char *name, char fill)
{
    int file = open(name, O_RDONLY | O_CLOEXEC), count = 0;
    char bytes[BYTES];
    ssize_t got = -1;

    if (file < 0)
        return -1;
    while ((got = read(file, bytes, sizeof bytes)) == BYTES && bytes[0] == fill && !memcmp(bytes, bytes + 1, BYTES - 1))
        count++;
    close(file);
    return got ? -1 : count;
}

static bool was_promised(void)
{
    const char *path = getenv("NVRTL_PROMISES");
    FILE *file = path ? fopen(path, "re") : NULL;
    int first = file ? fgetc(file) : EOF;

    must(file != NULL, "NVRTL_PROMISES");
    fclose(file);
    return first != EOF;
}

/* -- a file replaced by a new one, under its name -- */

static void replace(void)
{
    put("new", O_TRUNC, 'n');
    if (right)
        sync_of("new");
    must(rename("new", "old") == 0, "rename");
    sync_of(".");
    done();
}

static bool replaced(bool promised)
{
    return holds("old", 'n') == 1 || (!promised && holds("old", 'o') == 1);
}

/* -- a new file -- */

static void create(void)
{
    put("new", 0, 'n');
    sync_of("new");
    if (right)
        sync_of(".");
    done();
}

static bool created(bool promised)
{
    return !promised || holds("new", 'n') == 1;
}

/* -- a log that grows -- */

static void append(void)
{
    put("old", O_APPEND, 'o');
    if (right)
        sync_of("old");
    done();
}

static bool appended(bool promised)
{
    return !promised || holds("old", 'o') == 2;
}

/* -- data, and another file that says it is there -- */

static void order(void)
{
    put("data", 0, 'd');
    sync_of("."); /* its name alone is no data */
    if (right)
        sync_of("data");
    put("index", 0, 'i');
    sync_of("index");
    sync_of("data");
    sync_of(".");
    done();
}

static bool ordered(bool promised)
{
    bool listed = holds("index", 'i') == 1;

    return (listed || !promised) && (!listed || holds("data", 'd') == 1);
}

/* -- a change in place, with a journal that takes it back -- */

static void journal(void)
{
    put("journal", 0, 'o');
    sync_of("journal");
    sync_of(".");
    put("old", 0, 'n');
    sync_of("old");
    must(unlink("journal") == 0, "unlink");
    if (right)
        sync_of(".");
    done();
}

static bool journaled(bool promised)
{
    if (holds("journal", 'o') == 1)
        put("old", 0, 'o');
    return holds("old", 'n') == 1 || (!promised && holds("old", 'o') == 1);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool (*check)(bool promised);
} cases[] = {
    {"replace", replace, replaced}, {"create", create, created},     {"append", append, appended},
    {"order", order, ordered},      {"journal", journal, journaled},
};

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    must(chdir(argv[3]) == 0, argv[3]);
    right = strcmp(argv[2], "right") == 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], cases[i].name) != 0)
            continue;
        if (strcmp(argv[2], "check") == 0)
            return !cases[i].check(was_promised());
        cases[i].run();
        return 0;
    }
    return 2;
}
