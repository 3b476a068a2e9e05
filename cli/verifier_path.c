/* SPDX-License-Identifier: MIT */
/*
 * Where libnvrtl-verifier.so, libpmem.so.1 and the recovery host are: so that nvrtl runs from its build tree as well as
 * installed. check.c and crash.c ask.
 */
#include "cli/command.h"
#include "cli/config.h"
#include "explore/host.h"
#include "src/nvm/seam.h"
#include "verify/ledger.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder beside the running program's of that name, if the file is there. */
static bool in_build_tree(const char *folder, const char *file, char *buffer, size_t buffer_bytes)
{
    char program[PATH_MAX], whole[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return false;
    *slash = '\0';
    int written = snprintf(whole, sizeof whole, "%s/%s/%s", program, folder, file);
    if (written < 0 || (size_t)written >= sizeof whole || access(whole, R_OK) != 0)
        return false;
    written = snprintf(buffer, buffer_bytes, "%s/%s", program, folder);
    return written > 0 && (size_t)written < buffer_bytes;
}

const char *nv_verifier_path(char *buffer, size_t buffer_bytes)
{
    const char *chosen = secure_getenv("NVRTL_VERIFIER_PATH");
    if (!chosen || !*chosen)
        return in_build_tree("verify", NV_VERIFIER_LIBRARY, buffer, buffer_bytes) ? buffer : NV_LIBRARY_FOLDER "/nvrtl";
    char whole[PATH_MAX];
    if (!realpath(chosen, whole) || strlen(whole) >= buffer_bytes)
        return chosen;
    return strcpy(buffer, whole);
}

const char *nv_traps_path(const char *verifier, char *buffer, size_t buffer_bytes)
{
    int length = snprintf(buffer, buffer_bytes, "%s/" NV_TRAPS_LIBRARY, verifier);
    return length > 0 && (size_t)length < buffer_bytes && access(buffer, R_OK) == 0 ? buffer : NULL;
}

const char *nv_drop_in_path(const char *verifier, char *buffer, size_t buffer_bytes)
{
    static const char *const places[] = {"%s", "%s/../compat/libpmem"}; /* installed, and in the build tree */
    char folder[PATH_MAX], library[PATH_MAX];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int length = snprintf(library, sizeof library, places[i], verifier);
        if (length < 0 || (size_t)length >= sizeof library || !realpath(library, folder))
            continue;
        length = snprintf(library, sizeof library, "%s/libpmem.so.1", folder);
        if (length < 0 || (size_t)length >= sizeof library || access(library, R_OK) != 0)
            continue;
        length = snprintf(buffer, buffer_bytes, "%s:%s/verified", folder, folder);
        return length > 0 && (size_t)length < buffer_bytes ? buffer : NULL;
    }
    return NULL;
}

const char *nv_recovery_host_path(char *buffer, size_t buffer_bytes)
{
    size_t room = buffer_bytes > sizeof "/" NV_HOST_PROGRAM ? buffer_bytes - sizeof "/" NV_HOST_PROGRAM : 0;
    if (in_build_tree("explore", NV_HOST_PROGRAM, buffer, room))
        return strcat(buffer, "/" NV_HOST_PROGRAM);
    return NV_LIBRARY_FOLDER "/nvrtl/" NV_HOST_PROGRAM;
}
