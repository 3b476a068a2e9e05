/* SPDX-License-Identifier: MIT */
/* The program nvrtl: finds the subcommand in one table and hands over to it. */
#include "cli/command.h"
#include "cli/config.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name; /* as the subcommand shows itself in usage and errors */
    const char *arguments;
    const char *does;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"nvrtl info", "[FILE...]", "show the CPU's kernels and what makes each file durable", nv_command_info},
    {"nvrtl check", "[OPTION...] -- PROGRAM [ARG...]", "run a program and find what it never made durable",
     nv_command_check},
    {"nvrtl crash", "[OPTION...] --recover=COMMAND -- PROGRAM [ARG...]",
     "build what a power failure could leave, and run the program's recovery on it", nv_command_crash},
    {"nvrtl flush", "[OPTION...] FILE...", "make files, folders and file systems durable", nv_command_flush},
    {"nvrtl bench", "[OPTION...]", "measure this machine, beside libpmem and beside the limit", nv_command_bench},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])
#define PREFIX_BYTES (sizeof "nvrtl " - 1)

static void print_usage(FILE *out)
{
    fputs("Usage: nvrtl COMMAND [ARG...]\n"
          "Know that what you wrote to persistent memory and files is durable, and prove it.\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].does);
    fputs("\n  nvrtl COMMAND --help tells more of one command; nvrtl --version tells the version.\n", out);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name + PREFIX_BYTES, name) == 0)
            return &commands[i];
    return NULL;
}

/* A full disk must not look like success. */
static int close_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    perror("nvrtl: standard output");
    return NV_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    argp_err_exit_status = NV_EXIT_USAGE;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0) {
        print_usage(stdout);
        return close_output();
    }
    if (strcmp(name, "--version") == 0) {
        puts("nvrtl " NV_VERSION);
        return close_output();
    }
    const struct command *command = find_command(name);
    if (!command) {
        if (argc > 1)
            fprintf(stderr, "nvrtl: '%s' is no command; see nvrtl --help\n", name);
        else
            print_usage(stderr);
        return NV_EXIT_USAGE;
    }
    char title[32];
    snprintf(title, sizeof title, "%s", command->name);
    argv[1] = title;
    int status = command->run(argc - 1, argv + 1);
    int closed = close_output();
    return closed ? closed : status;
}
