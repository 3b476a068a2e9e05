/* SPDX-License-Identifier: MIT */
/*
 * Owns the command domain of rig-client: what survives a power failure, as a token of a new mapping of the file knows
 * it.
 *
 *     domain FILE sync|plain
 *         maps it with MAP_SYNC (and fails where that cannot be), or without; prints domain and way to write back.
 */
#include "client.h"

#include <stdio.h>
#include <string.h>

int command_domain(int count, char **arguments)
{
    const bool synchronous = !strcmp(arguments[1], "sync");
    NVRTL_TOKEN_INFORMATION information;
    struct region region;
    (void)count;
    region_open(&region, arguments[0]);
    region_map(&region, PAGE, synchronous);
    must(RtlWriteNonVolatileMemory(region.token, region.base, "there", 5, WRITE_NV_MEMORY_FLAG_PERSIST) ==
             STATUS_SUCCESS,
         "write");
    must(NvrtlQueryToken(region.token, &information, sizeof information) == STATUS_SUCCESS, "query");
    printf("%s %s %s\n", region.synchronous ? "sync" : "plain", NvrtlDomainName(information.Domain),
           information.WriteBack);
    region_close(&region);
    return 0;
}
