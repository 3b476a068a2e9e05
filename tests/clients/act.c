/* SPDX-License-Identifier: MIT */
/*
 * act VERB ARGUMENT... VERB ARGUMENT...: does one thing after another to files, each by the system calls that its verb
 * names. The tests say with it what a program does. Where an action fails, it says so and exits 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* What an action's function returns: 0, or -1 with errno. */
typedef int action(char **arguments);

static int done(int file, int result)
{
    int error = errno;
    if (file >= 0 && close(file) != 0 && result >= 0)
        return -1;
    errno = error;
    return result < 0 || file < 0 ? -1 : 0;
}

static int put(int file, const char *text, off_t offset)
{
    return pwrite(file, text, strlen(text), offset) == (ssize_t)strlen(text) ? 0 : -1;
}

/* -- writing, without and with a sync of its own -- */

static int put_opened(char **arguments, int flags)
{
    int file = open(arguments[0], O_WRONLY | O_CREAT | flags, 0666);
    return done(file, file < 0 ? -1 : put(file, arguments[1], 0));
}

static int act_write(char **arguments)
{
    return put_opened(arguments, 0);
}

static int act_write_dsync(char **arguments)
{
    return put_opened(arguments, O_DSYNC);
}

static int act_write_osync(char **arguments)
{
    return put_opened(arguments, O_SYNC);
}

static int act_append(char **arguments)
{
    return put_opened(arguments, O_APPEND);
}

static int act_overwrite(char **arguments)
{
    int file = open(arguments[0], O_WRONLY);
    return done(file, file < 0 ? -1 : put(file, arguments[2], atol(arguments[1])));
}

static int put_flagged(char **arguments, int flags)
{
    struct iovec vector = {arguments[2], strlen(arguments[2])};
    int file = open(arguments[0], O_WRONLY | O_CREAT, 0666);
    return done(file, file < 0 ? -1 : (int)pwritev2(file, &vector, 1, atol(arguments[1]), flags));
}

static int act_write_rwf_dsync(char **arguments)
{
    return put_flagged(arguments, RWF_DSYNC);
}

static int act_write_rwf_sync(char **arguments)
{
    return put_flagged(arguments, RWF_SYNC);
}

static int act_write_stdio(char **arguments)
{
    FILE *file = fopen(arguments[0], "w");
    if (!file)
        return -1;
    int result = fprintf(file, "%s\n", arguments[1]) < 0 || fflush(file) || fsync(fileno(file)) ? -1 : 0;
    return fclose(file) ? -1 : result;
}

/* Write through one descriptor, sync through another. */
static int act_write_twin(char **arguments)
{
    int file = open(arguments[0], O_WRONLY | O_CREAT, 0666), twin = open(arguments[0], O_RDONLY);
    int result = file < 0 || twin < 0 ? -1 : put(file, arguments[1], 0) ? -1 : fsync(twin);
    return done(file, done(twin, result));
}

/* -- stores to a mapping -- */

static int store(char **arguments, int flags)
{
    const long offset = atol(arguments[1]);
    const size_t length = (size_t)offset + strlen(arguments[2]);
    int file = open(arguments[0], O_RDWR);
    char *memory = file < 0 ? MAP_FAILED : mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED)
        return done(file, -1);
    memcpy(memory + offset, arguments[2], strlen(arguments[2]));
    int result = flags ? msync(memory, length, flags) : 0;
    munmap(memory, length);
    return done(file, result);
}

static int act_map(char **arguments)
{
    return store(arguments, 0);
}

static int act_map_sync(char **arguments)
{
    return store(arguments, MS_SYNC);
}

static int act_map_async(char **arguments)
{
    return store(arguments, MS_ASYNC);
}

/* -- syncs -- */

static int act_fsync(char **arguments)
{
    int file = open(arguments[0], O_RDONLY);
    return done(file, file < 0 ? -1 : fsync(file));
}

static int act_fdatasync(char **arguments)
{
    int file = open(arguments[0], O_RDONLY);
    return done(file, file < 0 ? -1 : fdatasync(file));
}

static int act_syncfs(char **arguments)
{
    int file = open(arguments[0], O_RDONLY);
    return done(file, file < 0 ? -1 : syncfs(file));
}

static int act_sync(char **arguments)
{
    (void)arguments;
    sync();
    return 0;
}

static int act_sync_range(char **arguments)
{
    int file = open(arguments[0], O_RDWR);
    const unsigned flags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return done(file, file < 0 ? -1 : sync_file_range(file, 0, 0, flags));
}

static int submit(const char *path, unsigned short operation)
{
    aio_context_t context = 0;
    struct io_event event;
    int file = open(path, O_RDWR);
    struct iocb block = {.aio_fildes = (unsigned)file, .aio_lio_opcode = operation}, *list[] = {&block};
    if (file < 0 || syscall(SYS_io_setup, 1, &context) || syscall(SYS_io_submit, context, 1L, list) != 1 ||
        syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL) != 1)
        return done(file, -1);
    syscall(SYS_io_destroy, context);
    errno = (int)-event.res;
    return done(file, event.res < 0 ? -1 : 0);
}

static int act_fsync_aio(char **arguments)
{
    return submit(arguments[0], IOCB_CMD_FSYNC);
}

static int act_fdatasync_aio(char **arguments)
{
    return submit(arguments[0], IOCB_CMD_FDSYNC);
}

static int act_uring(char **arguments)
{
    struct io_uring_params parameters = {0};
    (void)arguments;
    return (int)syscall(SYS_io_uring_setup, 1L, &parameters);
}

/* -- names -- */

static int act_rename(char **arguments)
{
    return rename(arguments[0], arguments[1]);
}

static int act_exchange(char **arguments)
{
    return renameat2(AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], RENAME_EXCHANGE);
}

static int act_link(char **arguments)
{
    return link(arguments[0], arguments[1]);
}

static int act_unlink(char **arguments)
{
    return unlink(arguments[0]);
}

static int act_mkdir(char **arguments)
{
    return mkdir(arguments[0], 0777);
}

static int act_truncate(char **arguments)
{
    return truncate(arguments[0], atol(arguments[1]));
}

/* -- the program itself -- */

static int act_say(char **arguments)
{
    return puts(arguments[0]) < 0 || fflush(stdout) ? -1 : 0;
}

static int act_kill(char **arguments)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    return raise(atoi(arguments[0]));
}

/* Another process does the rest and this one waits for it, whatever becomes of it. */
static int act_fork(char **arguments)
{
    (void)arguments;
    pid_t process = fork();
    return process > 0 ? (int)waitid(P_PID, (id_t)process, &(siginfo_t){0}, WEXITED) : process;
}

static int act_wait(char **arguments)
{
    (void)arguments;
    while (pause() < 0)
        continue;
    return 0;
}

static int act_exit(char **arguments)
{
    _exit(atoi(arguments[0]));
}

static const struct {
    const char *verb;
    int arguments;
    action *act;
} actions[] = {
    {"write", 2, act_write},                     /* FILE TEXT: at its beginning */
    {"append", 2, act_append},                   /* FILE TEXT */
    {"overwrite", 3, act_overwrite},             /* FILE OFFSET TEXT */
    {"write-dsync", 2, act_write_dsync},         /* FILE TEXT: opened with O_DSYNC */
    {"write-osync", 2, act_write_osync},         /* FILE TEXT: opened with O_SYNC */
    {"write-rwf-dsync", 3, act_write_rwf_dsync}, /* FILE OFFSET TEXT: by pwritev2 */
    {"write-rwf-sync", 3, act_write_rwf_sync},   /* FILE OFFSET TEXT: by pwritev2 */
    {"write-stdio", 2, act_write_stdio},         /* FILE TEXT: with fflush and fsync */
    {"write-twin", 2, act_write_twin},           /* FILE TEXT: with fsync of another descriptor */
    {"map", 3, act_map},                         /* FILE OFFSET TEXT: stored, not synced */
    {"map-sync", 3, act_map_sync},               /* FILE OFFSET TEXT: with MS_SYNC */
    {"map-async", 3, act_map_async},             /* FILE OFFSET TEXT: with MS_ASYNC */
    {"fsync", 1, act_fsync},                     /* FILE or FOLDER */
    {"fdatasync", 1, act_fdatasync},             /* FILE or FOLDER */
    {"fsync-aio", 1, act_fsync_aio},             /* FILE: by io_submit */
    {"fdatasync-aio", 1, act_fdatasync_aio},     /* FILE: by io_submit */
    {"sync", 0, act_sync},                       /* */
    {"syncfs", 1, act_syncfs},                   /* FILE or FOLDER */
    {"sync-range", 1, act_sync_range},           /* FILE: sync_file_range, of all */
    {"uring", 0, act_uring},                     /* io_uring_setup */
    {"rename", 2, act_rename},                   /* FROM TO */
    {"exchange", 2, act_exchange},               /* FILE FILE: RENAME_EXCHANGE */
    {"link", 2, act_link},                       /* FROM TO */
    {"unlink", 1, act_unlink},                   /* FILE */
    {"mkdir", 1, act_mkdir},                     /* FOLDER */
    {"truncate", 2, act_truncate},               /* FILE BYTES */
    {"say", 1, act_say},                         /* TEXT: to standard output */
    {"kill", 1, act_kill},                       /* SIGNAL: itself */
    {"fork", 0, act_fork},                       /* another process does the rest */
    {"wait", 0, act_wait},                       /* for ever */
    {"exit", 1, act_exit},                       /* STATUS */
};

static int act_on(char **words, int count)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(words[0], actions[i].verb) != 0 || actions[i].arguments >= count)
            continue;
        if (actions[i].act(words + 1) >= 0)
            return 1 + actions[i].arguments;
        printf("act: %s: %s\n", words[0], strerror(errno));
        exit(1);
    }
    fprintf(stderr, "act: %s: no such action\n", words[0]);
    exit(2);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc;)
        i += act_on(argv + i, argc - i);
    return 0;
}
