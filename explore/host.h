/* SPDX-License-Identifier: MIT */
/*
 * What function.c and the recovery host (host.c), the warm process in which a recovery function runs, say to each
 * other: requests and answers by a socket, all that is long in shared memory.
 */
#ifndef NV_HOST_H
#define NV_HOST_H

#include <stdint.h>

#define NV_HOST_PROGRAM "nvrtl-recovery"

/* Descriptors that the host is started with; its output goes to a pipe, as its standard output and error. */
enum { NV_HOST_SOCKET = 3, NV_HOST_AREA = 4 };

enum nv_host_request_kind {
    NV_HOST_LOAD, /* the library and the function are its arguments */
    NV_HOST_MAP,  /* a file's memory comes with it */
    NV_HOST_RUN,  /* on the files of the area */
};

struct nv_host_request {
    uint32_t kind;
    uint32_t object;
    uint64_t address, length_bytes; /* MAP; address 0: anywhere */
    uint64_t timeout_ms;            /* RUN; 0: none */
};

enum nv_host_result { NV_HOST_DONE, NV_HOST_TAKEN /* address: another process may have it free */, NV_HOST_FAILED };

struct nv_host_answer {
    uint32_t result; /* enum nv_host_result */
    uint32_t kind;   /* enum nv_ending_kind */
    int32_t number;
};

/* One file of the state. */
struct nv_host_file {
    uint32_t object;
    uint32_t path; /* offset in the area */
    uint64_t size_bytes;
    uint64_t pages; /* offset in the area: a bit for each page that was touched */
};

/* In front of the shared memory; the files follow, and then texts and bits. */
struct nv_host_area {
    uint64_t file_count;
    uint64_t promises, promises_bytes; /* offset in the area */
    uint32_t reads_known;              /* the pages of the files are all that it touched */
    char error[256];                   /* of a request that failed */
    struct nv_host_file files[];
};

#define NV_HOST_AREA_BYTES (UINT64_C(1) << 32) /* of addresses */
#define NV_HOST_PAGE_BYTES UINT64_C(4096)

#endif
