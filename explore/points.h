/* SPDX-License-Identifier: MIT */
/*
 * A crash point, and the choices there: first those of structure (which names and lengths are there: `parts`), then,
 * under a layout that these make, those of contents (`views`). explore.c goes through them; images.c shows one.
 */
#ifndef NV_EXPLORE_POINTS_H
#define NV_EXPLORE_POINTS_H

#include "explore/choices.h"
#include "explore/model.h"
#include "explore/poset.h"

enum { NV_NEWEST = 0xffffffffu };

enum nv_part_kind { NV_PART_JOURNAL, NV_PART_NAMES, NV_PART_LENGTH };

/* One choice of structure. 0: as it is durable. */
struct nv_part {
    enum nv_part_kind kind;
    uint32_t count;  /* of alternatives; the last is the newest */
    uint32_t object; /* LENGTH */
    uint32_t *ops;   /* NAMES: which operations they are */
    uint32_t op_count;
    uint8_t
        *sets; /* NAMES: for each alternative a byte for each of them; NULL: the first ones, as many as its number */
};

/* A file that has a name in the layout. */
struct nv_place {
    uint32_t object;
    uint64_t bytes;         /* its length */
    uint64_t cut;           /* the event of the last cut that is there */
    uint64_t durable_end;   /* behind it nothing durable shows, but in units of its own */
    struct nv_hash fixed;   /* of what is not in views */
    struct nv_hash content; /* of all, with the choices that are made now */
    uint32_t first;         /* entry, then by `next` */
    bool changed;
};

struct nv_entry {
    uint32_t slot;
    uint32_t folder; /* at stake */
    uint32_t place;
    uint32_t next;   /* entry + 1 of the same file; 0: the last */
    uint32_t parent; /* entry + 1; 0: the folder at stake */
    mode_t mode;
    struct nv_hash path;
    struct nv_hash hash; /* as the file is now */
};

/* A unit that shows in the layout, and the content chosen for it. */
struct nv_unit_view {
    uint32_t unit; /* among the point's */
    uint32_t place;
    const struct nv_choices *choices;
    struct nv_hash base; /* of what the base state shows there */
    uint32_t chosen;
};

struct nv_point {
    struct nv_model *model;
    uint64_t number; /* from 1 */
    uint32_t most;   /* contents of one unit */
    bool complete;   /* no choice was left out of parts or choices so far */
    struct nv_part *parts;
    size_t part_count;
    struct nv_unit **units; /* all that are pending, by object and index */
    size_t unit_count;

    /* The layout. */
    uint64_t layout; /* how often it was laid out */
    uint32_t *chosen_parts;
    bool *has_op;    /* which operations on names are there */
    uint32_t *slots; /* objects */
    mode_t *modes;   /* by object; 0: as it is durable */
    struct nv_extent {
        uint32_t chosen; /* its LENGTH part's alternative */
        uint32_t cuts;   /* of those that are pending, so many are there: in a journal */
    } * extents;         /* by object */
    uint32_t *place_of;  /* by object: place + 1 */
    struct nv_place *places;
    size_t place_count;
    struct nv_entry *entries;
    size_t entry_count, entry_capacity;
    struct nv_unit_view *views;
    size_t view_count;
    struct nv_hash image; /* the sum of all entries, but for changed places */
    uint32_t *changed;    /* places with other contents than their entries say */
    size_t changed_count;
};

/* The model stands behind the event. Negative errno. */
int nv_point_open(struct nv_point *point, struct nv_model *model, uint64_t number);
void nv_point_close(struct nv_point *point);

/* Lay out names and lengths; each view shows its oldest content. `parts`: an alternative for each. */
int nv_point_lay_out(struct nv_point *point, const uint32_t *parts);
/* NAMES: whether the i-th of its operations is there in an alternative. */
bool nv_part_has(const struct nv_part *part, uint32_t chosen, uint32_t i);
/* The hash of what is chosen. */
struct nv_hash nv_point_image(struct nv_point *point);
/* Choose the content of a view. */
void nv_point_choose(struct nv_point *point, size_t view, uint32_t choice);
/* Which length a file has: 0 the durable one, then those pending. */
size_t nv_point_length(const struct nv_point *point, uint32_t object);

#endif
