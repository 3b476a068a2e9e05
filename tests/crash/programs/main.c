/* SPDX-License-Identifier: MIT */
/*
 * Runs one of the programs, or judges what a power failure has left of it.
 *
 * usage: crash-programs list
 *        crash-programs run NAME right|wrong FILE
 *        crash-programs recover NAME PATH      PATH: the file, or the folder that it is in
 */
#include "tests/crash/programs/programs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    _exit(3);
}

static const struct program *const groups[] = {publish_programs, log_programs, structure_programs, promise_programs};
#define GROUPS (sizeof groups / sizeof *groups)

static const struct program *find(const char *name)
{
    for (size_t i = 0; i < GROUPS; i++)
        for (const struct program *program = groups[i]; program->name != NULL; program++)
            if (strcmp(program->name, name) == 0)
                return program;
    fprintf(stderr, "there is no program %s\n", name);
    exit(2);
}

static int list(void)
{
    for (size_t i = 0; i < GROUPS; i++)
        for (const struct program *program = groups[i]; program->name != NULL; program++)
            puts(program->name);
    return 0;
}

static int run(const struct program *program, bool right, const char *path)
{
    int descriptor = open(path, O_RDWR);
    struct pool pool;

    need(descriptor >= 0, path);
    pool.base = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    need(pool.base != MAP_FAILED, "mmap");
    close(descriptor);
    need(RtlGetNonVolatileToken(pool.base, POOL_BYTES, &pool.token) == STATUS_SUCCESS, "token");
    program->run(&pool, right);
    need(RtlFreeNonVolatileToken(pool.token) == STATUS_SUCCESS, "free");
    return 0;
}

static char *read_promises(void)
{
    const char *path = getenv("NVRTL_PROMISES");
    char *text = calloc(1, 65536);
    FILE *file = path != NULL ? fopen(path, "r") : NULL;

    need(text != NULL, "memory");
    if (file != NULL) {
        need(fread(text, 1, 65535, file) < 65535, path);
        fclose(file);
    }
    return text;
}

static int recover(const struct program *program, const char *path)
{
    char file[4096];
    struct stat status;
    NVRTL_RECOVERY_FILE only = {.Path = path, .Size = POOL_BYTES};
    NVRTL_RECOVERY_STATE state = {.FileCount = 1, .Files = &only, .Promises = read_promises()};
    int descriptor;

    state.PromisesSize = strlen(state.Promises);
    need(stat(path, &status) == 0, path);
    snprintf(file, sizeof file, "%s%s", path, S_ISDIR(status.st_mode) ? "/pool" : "");
    descriptor = open(file, O_RDONLY);
    need(descriptor >= 0 && fstat(descriptor, &status) == 0, file);
    only.Size = (SIZE_T)status.st_size;
    only.Address = mmap(NULL, POOL_BYTES, PROT_READ, MAP_PRIVATE, descriptor, 0);
    need(only.Address != MAP_FAILED, file);
    return program->recover(&state);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list();
    if (argc == 4 && strcmp(argv[1], "recover") == 0)
        return recover(find(argv[2]), argv[3]);
    if (argc == 5 && strcmp(argv[1], "run") == 0)
        return run(find(argv[2]), strcmp(argv[3], "right") == 0, argv[4]);
    return 2;
}
