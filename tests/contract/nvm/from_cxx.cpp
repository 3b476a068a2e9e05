// SPDX-License-Identifier: MIT
// The headers in a C++ program: every function links, and the structures have the sizes that Windows gives them.
#include <nvrtl/nvrtl.h>

static_assert(sizeof(NV_MEMORY_RANGE) == 16 && offsetof(NV_MEMORY_RANGE, Length) == 8, "as in winnt.h");
static_assert(sizeof(NTSTATUS) == 4 && sizeof(ULONG) == 4 && sizeof(SIZE_T) == 8, "as in winnt.h");

int main()
{
    char memory[8] = {};
    PVOID token = nullptr;
    NV_MEMORY_RANGE range = {memory, sizeof(memory)};
    NVRTL_TOKEN_INFORMATION information = {};
    int failed = 0;
    failed += RtlGetNonVolatileToken(memory, sizeof(memory), &token) != STATUS_INVALID_PARAMETER;
    failed += RtlFlushNonVolatileMemory(token, memory, 8, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) != STATUS_INVALID_PARAMETER;
    failed += RtlFlushNonVolatileMemoryRanges(token, &range, 1, 0) != STATUS_INVALID_PARAMETER;
    failed += RtlDrainNonVolatileFlush(token) != STATUS_INVALID_PARAMETER;
    const ULONG persist = WRITE_NV_MEMORY_FLAG_PERSIST;
    failed += RtlWriteNonVolatileMemory(token, memory, "x", 1, persist) != STATUS_INVALID_PARAMETER;
    failed += RtlFillNonVolatileMemory(token, memory, 8, 0, FILL_NV_MEMORY_FLAG_FLUSH) != STATUS_INVALID_PARAMETER;
    failed += RtlFreeNonVolatileToken(token) != STATUS_INVALID_PARAMETER;
    failed += NvrtlQueryToken(token, &information, sizeof(information)) != STATUS_INVALID_PARAMETER;
    failed += NvrtlForgetFailure(token) != STATUS_INVALID_PARAMETER;
    failed += RtlNtStatusToDosError(STATUS_INVALID_PARAMETER) != 87;
    failed += NvrtlDomainName(NvrtlDomainMemory)[0] != 'm';
    NvrtlIgnore(memory, sizeof(memory));
    NvrtlMark("from C++");
    return failed;
}
