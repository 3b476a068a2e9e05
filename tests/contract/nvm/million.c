/* SPDX-License-Identifier: MIT */
/* A million tokens live at once, each for a range of its own; then all are freed, and none is live. */
#include "tests/support/memory.h"

#include <stdlib.h>

#define COUNT 1000000

static struct file_map map;

static void a_million_live_tokens(void **state)
{
    (void)state;
    skip_emulated("a million questions to the kernel take an emulator half an hour");
    PVOID *tokens = malloc(COUNT * sizeof(*tokens));
    for (size_t i = 0; i < COUNT; i++)
        if (RtlGetNonVolatileToken(map.base + i % 60000, 1 + i % 5000, &tokens[i]) != STATUS_SUCCESS)
            fail_msg("token %zu", i);
    for (size_t i = 0; i < COUNT; i += 97) {
        char *end = map.base + i % 60000 + 1 + i % 5000;
        if (RtlFlushNonVolatileMemory(tokens[i], end - 1, 1, 1) != STATUS_SUCCESS ||
            RtlFlushNonVolatileMemory(tokens[i], end - 1, 2, 1) != STATUS_INVALID_PARAMETER)
            fail_msg("token %zu stands for another range", i);
    }
    for (size_t i = 0; i < COUNT; i++)
        if (RtlFreeNonVolatileToken(tokens[i]) != STATUS_SUCCESS)
            fail_msg("token %zu was not live", i);
    for (size_t i = 0; i < COUNT; i++)
        if (RtlDrainNonVolatileFlush(tokens[i]) != STATUS_INVALID_PARAMETER)
            fail_msg("token %zu is live", i);
    free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_million_live_tokens)};
    map = file_map_make(NULL, 16 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
