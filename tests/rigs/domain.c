/* SPDX-License-Identifier: MIT */
/*
 * Owns the command domain of rig-client: what survives a power failure, as a token of a new mapping of the file knows
 * it.
 *
 *     domain FILE sync|plain|view
 *         maps it with MAP_SYNC (and fails where that cannot be), without, or as a view of a section; prints domain and
 *         way to write back.
 */
#include "client.h"

#include <stdio.h>
#include <string.h>

int command_domain(int count, char **arguments)
{
    const bool is_view = !strcmp(arguments[1], "view"), synchronous = !strcmp(arguments[1], "sync");
    NVRTL_TOKEN_INFORMATION information;
    struct region region;
    (void)count;
    region_open(&region, arguments[0]);
    region_map(&region, PAGE, synchronous);
    if (is_view)
        region_map_view(&region);
    PVOID token = is_view ? region.view_token : region.token;
    char *base = is_view ? region.view : region.base;
    must(RtlWriteNonVolatileMemory(token, base, "there", 5, WRITE_NV_MEMORY_FLAG_PERSIST) == STATUS_SUCCESS, "write");
    must(NvrtlQueryToken(token, &information, sizeof information) == STATUS_SUCCESS, "query");
    printf("%s %s %s\n",
           is_view              ? "view"
           : region.synchronous ? "sync"
                                : "plain",
           NvrtlDomainName(information.Domain), information.WriteBack);
    region_close(&region);
    return 0;
}
