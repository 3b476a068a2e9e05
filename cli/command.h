/* SPDX-License-Identifier: MIT */
/* What the files of the command line share: the subcommands, and the exit statuses of nvrtl itself. */
#ifndef NV_COMMAND_H
#define NV_COMMAND_H

#include <stddef.h>

enum {
    NV_EXIT_NOT_SERVED = 1, /* info, flush: a file could not be served */
    NV_EXIT_USAGE = 2,
    NV_EXIT_FINDINGS = 99,
    NV_EXIT_FAILED = 125, /* nvrtl failed, or nothing could be verified */
    NV_EXIT_SIGNAL = 130, /* crash: it was interrupted before a state failed */
};

/* Each takes its own arguments, argv[0] being "nvrtl NAME", and returns the exit status. */
int nv_command_bench(int argc, char **argv);
int nv_command_check(int argc, char **argv);
int nv_command_crash(int argc, char **argv);
int nv_command_flush(int argc, char **argv);
int nv_command_info(int argc, char **argv);

/* The folder that holds libnvrtl-verifier.so: as the user says, or of this build, or where it was installed. */
const char *nv_verifier_path(char *buffer, size_t buffer_bytes);

/*
 * The folders, with a colon between, of the libraries that stand in for PMDK's in a verified run; NULL: none are there.
 */
const char *nv_drop_in_path(const char *verifier, char *buffer, size_t buffer_bytes);
/* Of the library that is preloaded to see flush instructions; NULL: it is not there. */
const char *nv_traps_path(const char *verifier, char *buffer, size_t buffer_bytes);

/* The program that calls recovery functions, found likewise. */
const char *nv_recovery_host_path(char *buffer, size_t buffer_bytes);

#endif
