/* SPDX-License-Identifier: MIT */
/* What each case of memory_lines.c is told as. */
/* clang-format off */
{"write-back", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a changed 128+64\n" "a flush 0+64\n" "a changed 512+64\n" "a drain\n", NULL},
{"flush-in-order", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 64+64\n" "a flush 64+64\n" "a drain\n", NULL},
{"stream", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 4096+64\n" "a flush 4096+64\n" "a drain\n", NULL},
{"pmem-persist", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "a changed 64+64\n" "a flush 64+64\n"
 "a changed 4096+64\n" "a drain\n" "a unmap 0+16384\n", NULL},
{"pmem-copy", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a store words 16+1000\n" "a flush 0+1024\n" "a drain\n" "a store words 4096+512\n"
 "a flush 4096+512\n" "a store words 8192+8\n" "a drain\n" "a unmap 0+16384\n", NULL},
{"pmem-persist", NvrtlDomainPageCache,
 "a map 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a unmap 0+16384\n" "a drain\n"
 "a map 0+16384\n" "a changed 64+64\n" "a flush 0+4096\n" "a unmap 0+16384\n" "a changed 4096+64\n" "a drain\n"
 "a unmap 0+16384\n", NULL},
{"pmem-copy", NvrtlDomainPageCache,
 "a map 0+16384\n" "a map 0+16384\n" "a store 16+1000\n" "a flush 0+4096\n" "a unmap 0+16384\n" "a drain\n"
 "a map 0+16384\n" "a store 4096+512\n" "a flush 4096+4096\n" "a unmap 0+16384\n" "a map 0+16384\n"
 "a store 8192+8\n" "a unmap 0+16384\n" "a drain\n" "a unmap 0+16384\n", NULL},
{"pmem-persist", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "a changed 64+64\n" "a flush 64+64\n"
 "a changed 4096+64\n" "a drain\n" "a unmap 0+16384\n", NULL},
{"pmem-copy", NvrtlDomainMemory,
 "a map 0+16384\n" "a store 16+1000\n" "a flush 0+1024\n" "a drain\n" "a store 4096+512\n" "a flush 4096+512\n"
 "a store 8192+8\n" "a drain\n" "a unmap 0+16384\n", NULL},
    /* clang-format on */
