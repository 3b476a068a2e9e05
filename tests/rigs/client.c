/* SPDX-License-Identifier: MIT */
/*
 * rig-client: the program that tests of guest/ run on disks that fail, are recorded, or are memory. Its commands are in
 * the table below; each says more where it is written.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int count, char **arguments);
    int count_min;
    const char *usage;
} commands[] = {
    {"write", command_write, 5, "WAY KIND FILE GROUPS PAGES [RECORDER]"},
    {"verify", command_verify, 3, "FILE GROUPS PAGES"},
    {"domain", command_domain, 2, "FILE sync|plain|view"},
    {"failing", command_failing, 5, "WAY FILE IMAGE STATUS BREAK [MEND]"},
    {"told-once", command_told_once, 3, "FILE IMAGE BREAK"},
    {"shutdown", command_shutdown, 1, "FOLDER"},
};

void must(bool well, const char *what)
{
    if (well)
        return;
    perror(what);
    exit(3);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name) && argc - 2 >= commands[i].count_min)
            return commands[i].run(argc - 2, argv + 2);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stderr, "usage: rig-client %s %s\n", commands[i].name, commands[i].usage);
    return 2;
}
