/* SPDX-License-Identifier: MIT */
/*
 * A verified run without a supervisor: NVRTL_VERIFIER=1. What tokens cover is replaced by a private mapping of the
 * file, the view; the file itself is the durable image. When a token is freed, and when the program exits, what differs
 * is judged, then brought into the file, and the shared mapping is put back.
 *
 * All of it is off, and nv_alone_is_on is false, in a run with a supervisor.
 */
#ifndef NV_VERIFY_ALONE_H
#define NV_VERIFY_ALONE_H

#include "src/nvm/seam.h"
#include "verify/files.h"

/*
 * Begin, if the variable's text asks for it: "1", and words behind it (verify/alone.c has them). The ledger; NULL: it
 * does not, or it cannot be.
 */
struct nv_ledger *nv_alone_open(const char *words, const struct nv_runtime *runtime);

extern bool nv_alone_on;

static inline bool nv_alone_is_on(void)
{
    return __builtin_expect(nv_alone_on, 0);
}

/* A token is taken, or one call made: whether what it covers is (now) a view. */
bool nv_alone_bind(const struct nv_region *region, const struct nv_segment *segments, size_t count);
/* A token is freed. */
void nv_alone_release(const struct nv_region *region);

/* What the runtime asks of the seam in such a run. */
bool nv_alone_is_view(const void *address);
void nv_alone_group(bool begins);

/* In place of the supervisor's answers: a file's map and its number, long enough or not; and all other questions. */
NTSTATUS nv_alone_map(uint64_t device, uint64_t inode, uint32_t *id, struct nv_file_map **map);
void nv_alone_measure(uint64_t device, uint64_t inode);
NTSTATUS nv_alone_answer(const struct nv_verifier_request *request, struct nv_verifier_reply *reply);

/* alone.c's lock, for its other files; it may be taken again by who has it. */
void nv_alone_lock(void);
void nv_alone_unlock(void);
/* A mapping is about to go. */
void nv_alone_unmap(const void *address, size_t size_bytes);
/* The program is about to end. */
void nv_alone_conclude(int status);

void nv_alone_before_fork(void);
void nv_alone_after_fork(bool child);

/* -- the judge: a library of its own (alone/), loaded into the program with its report -- */

#define NV_ALONE_LIBRARY "libnvrtl-alone.so"
#define NV_ALONE_ENTRY "nvrtl_alone_judge"
#define NV_ALONE_VERSION 1u

/* What the result file gets for each report. */
#define NV_ALONE_CLEAN 'c'
#define NV_ALONE_ERRORS 'e'
#define NV_ALONE_FAILED 'f'

/* A page that differed when its token was freed: both images, and the records of its lines. */
struct nv_alone_page {
    uint64_t offset;
    char view[4096], durable[4096];
    struct nv_line_record records[64];
};

/* How the run was: for the report. */
struct nv_alone_run {
    const struct nv_ledger *ledger;
    const char *format, *output, *result, *suppressions; /* as the variables have them; NULL: the default */
    bool generate;                                       /* suppressions, too */
    bool calls;                                          /* the program's own calls are seen */
    uint64_t files, bytes;                               /* that were views */
    uint64_t bytes_made_durable, syncs;
    int status; /* that the program exits with */
};

struct nv_alone_judge {
    uint32_t version;
    /* A file is met. False: no memory. */
    bool (*meet)(uint32_t file, const char *path);
    /* What was under a token that is freed; at the program's end, too. `gives_up`: it does so with a status. */
    void (*judge)(const struct nv_ledger *ledger, uint32_t file, const struct nv_alone_page *pages, size_t count,
                  bool gives_up);
    /* Something that this run could not see. */
    void (*not_seen)(const char *sentence);
    /* Write the report. */
    void (*report)(const struct nv_alone_run *run);
};

typedef const struct nv_alone_judge *nv_alone_judge_entry(void);

#endif
