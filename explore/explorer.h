/* SPDX-License-Identifier: MIT */
/*
 * One exploration: the trace, what was met so far, and the crash point at hand. explore.c goes through the states,
 * verdicts.c has them judged, shrink.c makes failures small, causes.c says what they hang on.
 */
#ifndef NV_EXPLORE_EXPLORER_H
#define NV_EXPLORE_EXPLORER_H

#include "explore/images.h"
#include "explore/seen.h"

/* A place in the trace where the power may fail. */
struct nv_crash {
    uint64_t taken; /* events before it */
    uint32_t place;
    uint16_t kind;
    bool distinct; /* the first with this stack */
    bool complete; /* nothing more is to be done */
    uint8_t pass;
    uint64_t done;  /* states of this pass */
    uint64_t fresh; /* images that the last visit met first */
};

/* All choices at a point: for each part an alternative, for each unit a content; NV_NEWEST: the newest. */
struct nv_choice {
    uint32_t *values;
    size_t part_count, count;
};

/* The causes of a failure at the point at hand, to know its like again. */
struct nv_pattern {
    size_t failure;
    bool missing;
    struct nv_choice values;
    uint8_t *hangs; /* on which of them */
};

struct nv_explorer {
    struct nv_subject subject;
    struct nv_explore_options options;
    const struct nv_judge *judge;
    struct nv_explore_result *result;
    struct nv_crash *crashes;
    size_t crash_count;

    struct nv_model model;
    struct nv_point point;
    const struct nv_crash *crash;
    struct nv_image image;
    bool based; /* the judge knows the point's base */
    struct nv_seen seen;
    struct nv_read_set *read_sets; /* verdicts.c */
    size_t read_set_count;
    struct nv_pattern *patterns; /* of failures at this point */
    size_t pattern_count;

    double started, told;
    uint64_t visits;
    bool exhausted; /* a budget is */
    bool sampled;   /* not all states were met */
    char *error;
    size_t error_bytes;
};

double nv_explorer_now(void);

/* verdicts.c: what the state that the point has chosen is judged to be. Negative errno. */
int nv_verdict_get(struct nv_explorer *explorer, bool may_skip, enum nv_verdict *verdict);
void nv_verdict_forget_point(struct nv_explorer *explorer);
struct nv_hash nv_verdict_key(struct nv_explorer *explorer);

/* The choices that the point has made, and the way back. -ENOMEM. */
int nv_choice_save(const struct nv_point *point, struct nv_choice *choice);
int nv_choice_load(struct nv_point *point, const struct nv_choice *choice);
int nv_choice_copy(struct nv_choice *to, const struct nv_choice *from);
void nv_choice_free(struct nv_choice *choice);
/* What a choice is at the end of all: nothing pending, or everything. */
uint32_t nv_choice_end(const struct nv_point *point, size_t i, bool newest);

/* shrink.c: the state that is chosen fails. It is a failure seen before, or one more. The choices stay. */
int nv_shrink(struct nv_explorer *explorer);
void nv_patterns_forget(struct nv_explorer *explorer);

/* causes.c: those of the choices that `hangs` marks. */
int nv_causes_find(struct nv_explorer *explorer, const struct nv_choice *choice, const uint8_t *hangs, bool missing,
                   struct nv_cause **causes, size_t *count);
void nv_causes_free(struct nv_cause *causes, size_t count);
bool nv_causes_alike(const struct nv_cause *a, size_t a_count, const struct nv_cause *b, size_t b_count);

/* ids.c: the choice that is loaded as text (NULL: no memory), and the way back. */
char *nv_id_make(struct nv_explorer *explorer, const struct nv_choice *choice);
int nv_id_read(struct nv_explorer *explorer, const char *id, uint64_t *point);
int nv_id_choose(struct nv_explorer *explorer, const char *id);

#endif
