/* SPDX-License-Identifier: MIT */
/* What each case of memory_program.c is told as: at the level of pages and, where that differs, of stores. */
/* clang-format off */
{"persist", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"order", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 64+64\n" "a flush 64+64\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a store 64+8\n" "a flush 64+64\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"evicted", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a changed 8192+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 8192+8\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"again", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a flush 0+64\n" "a changed 0+64\n" "a flush 0+64\n"
 "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+64\n" "a flush 0+64\n" "a store 8+8\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"ranges", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a changed 256+64\n" "a flush 192+128\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a store 256+8\n" "a flush 0+64\n" "a flush 192+128\n" "a drain\n"
 "a unmap 0+16384\n"},
{"written", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a store words 32+100\n" "a flush 0+192\n" "a drain\n" "a store words 4096+64\n"
 "a flush 4096+64\n" "a store words 8192+8\n" "a drain\n" "a unmap 0+16384\n",
 NULL},
{"promised", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a promise it is there\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a promise it is there\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"default", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a changed 64+64\n"
 "a flush 64+64\n" "a drain\n" "a changed 128+64\n" "a drain\n" "a map 0+16384\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a store 64+8\n"
 "a flush 64+64\n" "a drain\n" "a store 128+8\n" "a drain\n" "a map 0+16384\n" "a unmap 0+16384\n"},
{"stored", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+448\n" "a flush 0+4096\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+1\n" "a store 2+2\n" "a store 4+4\n" "a store words 64+37\n" "a store 124+7\n"
 "a store words 192+256\n" "a store 8+4\n" "a flush 0+4096\n" "a drain\n" "a unmap 0+16384\n"},
{"handed-over", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "b store 8+8\n" "a store 16+8\n" "b store 24+8\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"two-threads", NvrtlDomainCpuCache,
 "a map 0+16384\n" "b changed 64+64\n" "b flush 64+64\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "b store 64+8\n" "b flush 64+64\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"forked", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "b changed 64+64\n" "b flush 64+64\n"
 "b changed 128+64\n" "b drain\n" "a changed 192+64\n" "a flush 192+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n" "b store 64+8\n" "b store 128+8\n"
 "b flush 64+64\n" "b drain\n" "a store 192+8\n" "a flush 192+64\n" "a drain\n" "a unmap 0+16384\n"},
{"two-processes", NvrtlDomainCpuCache,
 "a map 0+16384\n" "b changed 0+64\n" "b flush 0+64\n" "b drain\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "b store 0+8\n" "b flush 0+64\n" "b drain\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"grown", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+65536\n" "a changed 49152+64\n" "a flush 49152+64\n" "a drain\n"
 "a unmap 0+65536\n",
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+65536\n" "a store 49152+8\n" "a flush 49152+64\n" "a drain\n"
 "a unmap 0+65536\n"},
{"unmapped", NvrtlDomainCpuCache,
 "a map 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a changed 64+64\n" "a flush 64+64\n" "a drain\n"
 "a unmap 0+16384\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a map 0+16384\n" "a store 64+8\n" "a flush 64+64\n" "a drain\n"
 "a unmap 0+16384\n" "a unmap 0+16384\n"},
{"many", NvrtlDomainCpuCache, ANY, NULL},
{"many-processes", NvrtlDomainCpuCache, ANY, NULL},

{"persist", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n"},
{"order", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+128\n" "a flush 0+4096\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a store 64+8\n" "a flush 0+4096\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n"},
{"evicted", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a changed 8192+64\n" "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 8192+8\n" "a store 0+8\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n"},
{"again", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a flush 0+4096\n" "a changed 0+64\n" "a flush 0+4096\n"
 "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+4096\n" "a flush 0+4096\n" "a store 8+8\n" "a flush 0+4096\n"
 "a drain all\n" "a unmap 0+16384\n"},
{"ranges", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a changed 256+64\n" "a flush 0+4096\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a store 256+8\n" "a flush 0+4096\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n"},
{"written", NvrtlDomainPageCache,
 "a map 0+16384\n" "a store 32+100\n" "a flush 0+4096\n" "a drain all\n" "a store 4096+64\n" "a flush 4096+4096\n"
 "a store 8192+8\n" "a drain all\n" "a unmap 0+16384\n",
 NULL},
{"promised", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a promise it is there\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a promise it is there\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n"},
{"default", NvrtlDomainPageCache,
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a changed 64+64\n"
 "a flush 0+4096\n" "a drain\n" "a changed 128+64\n" "a drain\n" "a map 0+16384\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a store 64+8\n"
 "a flush 0+4096\n" "a drain\n" "a store 128+8\n" "a drain\n" "a map 0+16384\n" "a unmap 0+16384\n"},
{"stored", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+448\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+1\n" "a store 2+2\n" "a store 4+4\n" "a store 64+37\n" "a store 124+7\n"
 "a store 192+256\n" "a store 8+4\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n"},
{"handed-over", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "b store 8+8\n" "a store 16+8\n" "b store 24+8\n" "a flush 0+4096\n"
 "a drain all\n" "a unmap 0+16384\n"},
{"two-threads", NvrtlDomainPageCache,
 "a map 0+16384\n" "b changed 64+64\n" "b flush 0+4096\n" "a changed 0+64\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "b store 64+8\n" "b flush 0+4096\n" "a store 0+8\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n"},
{"forked", NvrtlDomainPageCache,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+4096\n" "a drain all\n" "b changed 64+128\n" "b flush 0+4096\n"
 "b drain all\n" "a changed 192+64\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+4096\n" "a drain all\n" "b store 64+8\n" "b store 128+8\n"
 "b flush 0+4096\n" "b drain all\n" "a store 192+8\n" "a flush 0+4096\n" "a drain all\n" "a unmap 0+16384\n"},
{"two-processes", NvrtlDomainPageCache,
 "a map 0+16384\n" "b changed 0+64\n" "b flush 0+4096\n" "b drain all\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "b store 0+8\n" "b flush 0+4096\n" "b drain all\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n"},
{"grown", NvrtlDomainPageCache,
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+65536\n" "a changed 49152+64\n" "a flush 49152+4096\n"
 "a drain all\n" "a unmap 0+65536\n",
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+65536\n" "a store 49152+8\n" "a flush 49152+4096\n"
 "a drain all\n" "a unmap 0+65536\n"},
{"unmapped", NvrtlDomainPageCache,
 "a map 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a changed 64+64\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a map 0+16384\n" "a store 64+8\n" "a flush 0+4096\n" "a drain all\n"
 "a unmap 0+16384\n" "a unmap 0+16384\n"},
{"many", NvrtlDomainPageCache, ANY, NULL},
{"many-processes", NvrtlDomainPageCache, ANY, NULL},

{"persist", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"order", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 64+64\n" "a flush 64+64\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a store 64+8\n" "a flush 64+64\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"evicted", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a changed 8192+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 8192+8\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"again", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a flush 0+64\n" "a changed 0+64\n" "a flush 0+64\n"
 "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+64\n" "a flush 0+64\n" "a store 8+8\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"ranges", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a changed 256+64\n" "a flush 192+128\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a store 256+8\n" "a flush 0+64\n" "a flush 192+128\n" "a drain\n"
 "a unmap 0+16384\n"},
{"written", NvrtlDomainMemory,
 "a map 0+16384\n" "a store 32+100\n" "a flush 0+192\n" "a drain\n" "a store 4096+64\n" "a flush 4096+64\n"
 "a store 8192+8\n" "a drain\n" "a unmap 0+16384\n",
 NULL},
{"promised", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a promise it is there\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a promise it is there\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"default", NvrtlDomainMemory,
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a changed 64+64\n"
 "a flush 64+64\n" "a drain\n" "a changed 128+64\n" "a drain\n" "a map 0+16384\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a store 64+8\n"
 "a flush 64+64\n" "a drain\n" "a store 128+8\n" "a drain\n" "a map 0+16384\n" "a unmap 0+16384\n"},
{"stored", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+448\n" "a flush 0+4096\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+1\n" "a store 2+2\n" "a store 4+4\n" "a store 64+37\n" "a store 124+7\n"
 "a store 192+256\n" "a store 8+4\n" "a flush 0+4096\n" "a drain\n" "a unmap 0+16384\n"},
{"handed-over", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "b store 8+8\n" "a store 16+8\n" "b store 24+8\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"two-threads", NvrtlDomainMemory,
 "a map 0+16384\n" "b changed 64+64\n" "b flush 64+64\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "b store 64+8\n" "b flush 64+64\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n"},
{"forked", NvrtlDomainMemory,
 "a map 0+16384\n" "a changed 0+64\n" "a flush 0+64\n" "a drain\n" "b changed 64+64\n" "b flush 64+64\n"
 "b changed 128+64\n" "b drain\n" "a changed 192+64\n" "a flush 192+64\n" "a drain\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a flush 0+64\n" "a drain\n" "b store 64+8\n" "b store 128+8\n"
 "b flush 64+64\n" "b drain\n" "a store 192+8\n" "a flush 192+64\n" "a drain\n" "a unmap 0+16384\n"},
{"two-processes", NvrtlDomainMemory,
 "a map 0+16384\n" "b changed 0+64\n" "b flush 0+64\n" "b drain\n" "a flush 0+64\n" "a drain\n"
 "a unmap 0+16384\n",
 "a map 0+16384\n" "b store 0+8\n" "b flush 0+64\n" "b drain\n" "a flush 0+64\n" "a drain\n" "a unmap 0+16384\n"},
{"grown", NvrtlDomainMemory,
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+65536\n" "a changed 49152+64\n" "a flush 49152+64\n" "a drain\n"
 "a unmap 0+65536\n",
 "a map 0+16384\n" "a unmap 0+16384\n" "a map 0+65536\n" "a store 49152+8\n" "a flush 49152+64\n" "a drain\n"
 "a unmap 0+65536\n"},
{"unmapped", NvrtlDomainMemory,
 "a map 0+16384\n" "a map 0+16384\n" "a changed 0+64\n" "a changed 64+64\n" "a flush 64+64\n" "a drain\n"
 "a unmap 0+16384\n" "a unmap 0+16384\n",
 "a map 0+16384\n" "a store 0+8\n" "a map 0+16384\n" "a store 64+8\n" "a flush 64+64\n" "a drain\n"
 "a unmap 0+16384\n" "a unmap 0+16384\n"},
{"many", NvrtlDomainMemory, ANY, NULL},
{"many-processes", NvrtlDomainMemory, ANY, NULL},
    /* clang-format on */
