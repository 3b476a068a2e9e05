/* SPDX-License-Identifier: MIT */
/*
 * Differing ranges of one file, sorted by what is alike of them: each kind is one finding, however many ranges it has.
 * It knows the verifier's records and the report, and nothing of a supervisor: a run without one is judged by it, too.
 */
#ifndef NV_KINDS_H
#define NV_KINDS_H

#include "report/report.h"
#include "verify/ledger.h"

#define NV_KIND_BUCKETS 4096

struct nv_kind {
    enum nv_rule rule;
    uint16_t write_place, flush_place;
    uint64_t offset, length, total, count;
    struct nv_kind *next;             /* in its bucket */
    const struct nv_finding *finding; /* that tells of it */
    size_t sample_bytes;
    uint8_t view[NV_SAMPLE_BYTES_MAX], durable[NV_SAMPLE_BYTES_MAX];
};

/* All zero is none. */
struct nv_kinds {
    struct nv_kind *buckets[NV_KIND_BUCKETS];
    struct nv_kind *last; /* that the range before belonged to */
    uint64_t last_end;
};

/* What a finding tells of its file. */
struct nv_kind_file {
    const char *path;
    bool durable;  /* there is something durable of it */
    bool by_token; /* its lines have records: the advice is for those who call the interface */
};

/*
 * What is wrong with a line that differs, and who wrote and flushed it last. `record` NULL: nothing is known of it;
 * `line`, its 64 bytes in the view, NULL: it is not whole. `synced`: a sync has made it durable before.
 */
struct nv_kind nv_kind_classify(const struct nv_line_record *record, const uint8_t *line, bool synced);

/* A range of a kind; it goes on from the one before where that was alike. NULL: no memory. */
struct nv_kind *nv_kinds_note(struct nv_kinds *kinds, const struct nv_kind *wanted, uint64_t from, uint64_t to);

/* The first bytes of the first range, as both images have them. */
void nv_kind_take_sample(struct nv_kind *kind, const uint8_t *view, const uint8_t *durable, uint64_t length);

/* A finding of the kind. 0 or a negative errno. */
int nv_kind_report(struct nv_kind *kind, const struct nv_kind_file *file, const struct nv_ledger *ledger,
                   struct nv_report *report);

/* All kinds, each a finding; the first error. */
int nv_kinds_report(struct nv_kinds *kinds, const struct nv_kind_file *file, const struct nv_ledger *ledger,
                    struct nv_report *report);

void nv_kinds_free(struct nv_kinds *kinds);

#endif
