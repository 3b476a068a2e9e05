/* SPDX-License-Identifier: MIT */
/* Recovery functions for functions.py, which says what each is for. */
#include <nvrtl/recover.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma GCC visibility push(default)
NVRTL_RECOVERY_FUNCTION good, bad, in_place, whole_lines, reads_first_page, reads_in_a_child, reads_by_a_call, unmaps,
    last_line, promised, dies, hangs, leaves_children, exits;
#pragma GCC visibility pop

#define ADDRESS ((char *)0x7f1200000000)

static int calls; /* of this process */

static const NVRTL_RECOVERY_FILE *find(const NVRTL_RECOVERY_STATE *state, const char *path)
{
    for (SIZE_T i = 0; i < state->FileCount; i++)
        if (strcmp(state->Files[i].Path, path) == 0)
            return &state->Files[i];
    return NULL;
}

/* Looks at nothing. */
LONG good(const NVRTL_RECOVERY_STATE *state)
{
    return state->FileCount == 0 ? 0 : 0;
}

LONG bad(const NVRTL_RECOVERY_STATE *state)
{
    printf("%zu files\n", (size_t)state->FileCount);
    return -3;
}

/* The file is where the program had it, all of it can be read and written, and nothing stays of the last call. */
LONG in_place(const NVRTL_RECOVERY_STATE *state)
{
    const NVRTL_RECOVERY_FILE *file = find(state, "pool");
    if (!file || file->Address != ADDRESS || file->Size != 65536 || calls++)
        return 1;
    char *bytes = file->Address;
    for (SIZE_T i = 0; i < file->Size; i += 64) {
        if (bytes[i] == 'X')
            return 2;
        bytes[i] = 'X';
    }
    return 0;
}

/* Each line is old, or new with all that belongs to it. */
LONG whole_lines(const NVRTL_RECOVERY_STATE *state)
{
    const char *bytes = find(state, "pool")->Address;
    for (int i = 0; i < 16; i++) {
        const char *line = bytes + (size_t)i * 512;
        for (int k = 0; k < 64; k += 8)
            if (memcmp(line, line + k, 8) != 0 || (*line && *line != i + 1))
                return 1;
    }
    return 0;
}

/* The first line alone, in whose page are seven more. */
LONG reads_first_page(const NVRTL_RECOVERY_STATE *state)
{
    const volatile char *bytes = find(state, "pool")->Address;
    return bytes[0] > 1;
}

/* The same, by a child that nobody sees. */
LONG reads_in_a_child(const NVRTL_RECOVERY_STATE *state)
{
    const volatile char *bytes = find(state, "pool")->Address;
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(bytes[9 * 512] != 0);
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

/* By a call of the system: no instruction of the program touches the page. */
LONG reads_by_a_call(const NVRTL_RECOVERY_STATE *state)
{
    const char *bytes = find(state, "pool")->Address;
    char got = 1;
    int ends[2];
    if (pipe(ends) || write(ends[1], bytes + 9 * 512, 1) != 1 || read(ends[0], &got, 1) != 1)
        return 9;
    return got != 0;
}

LONG unmaps(const NVRTL_RECOVERY_STATE *state)
{
    const NVRTL_RECOVERY_FILE *file = find(state, "pool");
    const volatile char *bytes = file->Address;
    LONG result = bytes[9 * 512] != 0;
    munmap(file->Address, file->Size);
    return result;
}

LONG last_line(const NVRTL_RECOVERY_STATE *state)
{
    const volatile char *bytes = find(state, "pool")->Address;
    return bytes[9 * 512] != 0;
}

LONG promised(const NVRTL_RECOVERY_STATE *state)
{
    const NVRTL_RECOVERY_FILE *log = find(state, "log");
    if (strlen(state->Promises) != state->PromisesSize)
        return 4;
    if (strstr(state->Promises, "second\n"))
        return !log || log->Size != 23 || memcmp(log->Address, "hello world.second row.", 23) != 0;
    if (strstr(state->Promises, "hello\n"))
        return !log || log->Size < 12 || memcmp(log->Address, "hello world.", 12) != 0;
    return 0;
}

LONG dies(const NVRTL_RECOVERY_STATE *state)
{
    (void)state;
    return raise(SIGBUS);
}

LONG hangs(const NVRTL_RECOVERY_STATE *state)
{
    for (volatile SIZE_T count = state->FileCount;; count++)
        continue;
}

LONG leaves_children(const NVRTL_RECOVERY_STATE *state)
{
    (void)state;
    if (fork() == 0) {
        setsid();
        for (;;)
            pause();
    }
    return 0;
}

LONG exits(const NVRTL_RECOVERY_STATE *state)
{
    (void)state;
    exit(5);
}
