/* SPDX-License-Identifier: MIT */
/*
 * The two images of the files at stake: the view, which the program uses, and the durable image, the files themselves.
 * The image knows every file by its inode in the view, and the names that it has in the durable image.
 *
 * One thread (the supervisor) uses it. Functions that can fail return 0 or a negative errno.
 */
#ifndef NV_IMAGE_H
#define NV_IMAGE_H

#include "supervise/run.h"
#include "trace/shadow.h"
#include "verify/ledger.h"

#include <sys/stat.h>

#define NV_BLOCK_BYTES ((uint64_t)4096) /* what a system call makes durable is compared and copied by blocks */

struct nv_object;
struct nv_observer;
struct nv_record;
struct nv_hint;
struct nv_hints;

/* One folder at stake. */
struct nv_folder {
    char *path;      /* absolute, without symbolic links */
    int real;        /* the durable image's folder */
    int view;        /* the view's, mounted over it */
    int upper;       /* an overlay's upper layer: what the program has changed; -1: the view is a copy */
    uint64_t device; /* of the view */
    bool own_device; /* no file outside the view has that device */
    struct nv_object *root;
};

/* A name in the durable image. */
struct nv_entry {
    char *name;
    struct nv_object *parent, *object;
    struct nv_entry *next_sibling, *previous_sibling; /* in the parent */
    struct nv_entry *next_name;                       /* of the object */
    struct nv_entry *next_hash;
    uint64_t seen; /* the last listing that still had it */
};

/* A block that a failed sync has lost: what stood there then. */
struct nv_lost {
    uint64_t block, hash;
};

/* A file, folder, symbolic link or other node of the view. */
struct nv_object {
    uint64_t device, inode, birth_ns; /* in the view */
    mode_t type;                      /* S_IFMT bits */
    struct nv_folder *folder;
    struct nv_entry *names;    /* in the durable image */
    struct nv_entry *children; /* of a folder, in the durable image */
    struct nv_object *next_hash, *next, *previous;

    int durable, view;       /* descriptors, or -1 */
    bool nameless;           /* durable without a name: `durable` is all there is of it, and stays open */
    bool excluded;           /* mounted through from the files themselves: the same in both images */
    bool unjudged;           /* something that made it durable could not be seen */
    bool sync_when_named;    /* a folder that was synced before it had a durable name (posix) */
    bool new_metadata;       /* it was created in the run, and no sync of it has completed */
    bool initial;            /* it was there when the run began */
    uint64_t real_change_ns; /* mtime of the durable file, when the run last wrote it; 0: never */
    uint64_t view_change_ns; /* mtime of the view's, when both were last equal */
    uint64_t real_bytes;     /* and the size */
    mode_t view_mode;        /* of an initial one: as the view could express it, when the run began */
    bool written;            /* the run has changed the durable file */
    bool same;               /* at the end: judged, and equal in both images */
    bool foreign;            /* another program has changed the durable file */
    bool contested;          /* and the run changed it, too */
    uint64_t durable_bytes;  /* size of the durable file */
    uint8_t *synced_blocks;  /* a bit for each block that a sync ever copied */
    uint64_t synced_block_bits;
    struct nv_lost *lost; /* in order */
    size_t lost_count;
    bool sync_failed; /* a sync of it has, or a drain */
    bool drain_failed;
    bool trusted; /* and a later one has succeeded */

    struct nv_hint *hint; /* what may differ (hints.h); NULL: never known */
    bool untold;          /* it differed where the hint said that it could not */

    int watch; /* of a folder: inotify's number, or -1 */
    bool dirty, dirty_below;
    uint64_t listed;                    /* the last gathering that listed it */
    uint64_t new_listing, new_sequence; /* of a new folder: the gathering that met it, and its place in the order */
    uint64_t wanted;                    /* the gathering that gives it a name */

    uint32_t verifier_file; /* its number in the ledger, or 0 */
    int lines_fd;
    struct nv_page_records *pages; /* NULL: no verifier knows the file */
    uint64_t lines_bytes;
    uint32_t trace_number; /* of a recorded run: the object in its trace; 0: not told of */
    uint64_t trace_bytes;  /* the size that was told */
    int shadow_fd;         /* shadow.h */
    struct nv_shadow shadow;
};

struct nv_image {
    enum nv_file_system_model model;
    struct nv_folder *folders;
    size_t folder_count;
    struct nv_object *objects;
    struct nv_object **object_hash;
    struct nv_entry **entry_hash;
    size_t object_buckets, entry_buckets, object_count, entry_count;
    size_t descriptors, descriptors_max;

    bool keeps_owners;  /* the view tells owners apart: what it says of them is meant */
    bool inodes_return; /* an inode number may be used again: the birth time tells files apart */

    int notify; /* inotify */
    struct nv_object **watched;
    size_t watched_count;
    uint64_t listing;            /* counts gatherings */
    bool unwatched;              /* some folder could not be watched */
    uint64_t sequence;           /* counts what the kernel told of names */
    struct nv_name_note **notes; /* events.c: what came last for each name */
    bool notes_lost;
    char rescued[256];     /* finish.c: the folder with what could not be brought home */
    char failed_name[256]; /* the first that could not be made durable */
    bool adopt_views;      /* gathering opens what it finds under a new name: the end of the run */
    unsigned aside;        /* counts temporary names */
    void *buffers;         /* two of NV_CHUNK_BYTES, for comparing */
    bool blind;            /* some file was made durable unseen, and there is no telling which: nothing is judged */

    struct nv_record *record;     /* of syncs (record.h); NULL: nobody asked for it */
    struct nv_observer *observer; /* of a recorded run (observer.h); else NULL */
    struct nv_hints *hints;       /* NULL: all is compared */
    uint64_t bytes_made_durable, syncs, tokens;
    struct nv_ledger *ledger;
    struct nv_object **verifier_files; /* [id - 1] */
    size_t verifier_file_count;
};

/* image.c: the table */
int nv_image_init(struct nv_image *image, enum nv_file_system_model model);
void nv_image_free(struct nv_image *image);
struct nv_object *nv_image_find(const struct nv_image *image, uint64_t device, uint64_t inode);
/* Find the view's file, or take it in. A different birth time means that the inode number was used again. */
struct nv_object *nv_image_object(struct nv_image *image, struct nv_folder *folder, const struct statx *view);
struct nv_entry *nv_image_entry(const struct nv_image *image, const struct nv_object *parent, const char *name);
int nv_image_link(struct nv_image *image, struct nv_object *parent, const char *name, struct nv_object *object);
void nv_image_unlink(struct nv_image *image, struct nv_entry *entry);
/* Whether a path is the folder's or leads below it; both are absolute. */
bool nv_path_below(const char *path, const char *folder);
/* Whether a path leads into any folder at stake. */
bool nv_image_holds(const struct nv_image *image, const char *path);
uint64_t nv_nanoseconds(struct timespec time);
/* The path of a name in its folder ("" for the root). -ENAMETOOLONG when it does not fit. */
int nv_entry_path(const struct nv_entry *entry, char *path, size_t path_bytes);
int nv_object_path(const struct nv_object *object, char *path, size_t path_bytes);
/* Descriptors: of the durable file (read and write; a folder's read only), and of the view's (read). */
int nv_object_durable(struct nv_image *image, struct nv_object *object);
int nv_object_view(struct nv_image *image, struct nv_object *object);
int nv_image_make_nameless(struct nv_image *image, struct nv_object *object);
void nv_object_adopt_view(struct nv_image *image, struct nv_object *object, int fd);
void nv_object_forget_descriptors(struct nv_image *image, struct nv_object *object);
/*
 * The run has written the durable file: what changes it from here on is another program. `whole`: both images are
 * equal.
 */
void nv_object_agree(struct nv_object *object, bool whole);
/*
 * Whether another program has changed the durable file since: then its version stays, and the run's is its own matter.
 * A file under a token is written by the program itself, so nothing can be told there.
 */
bool nv_object_find_foreign(struct nv_image *image, struct nv_object *object);
/* Close what can be opened again, when too much is open. Called between syncs, when no descriptor is in use. */
void nv_image_make_room(struct nv_image *image);
uint64_t nv_statx_device(const struct statx *status);
/* Whether it is that object, and not another that has its inode number by now. */
bool nv_image_same(const struct nv_image *image, const struct nv_object *object, const struct statx *status);
#define NV_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME)

/* content.c: bytes */
#define NV_CHUNK_BYTES ((size_t)262144)
/*
 * Make [from, to) of the file durable as it is in the view, and its size; nothing but the size when from is UINT64_MAX.
 */
int nv_content_sync(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to);
/* Mode, owner and times of the view's file, to the durable one. */
int nv_content_attributes(struct nv_image *image, struct nv_object *object, bool times);
/* Extended attributes of the user, and access control lists: what can be copied is. */
void nv_content_copy_attributes(int from, int to);
bool nv_content_was_synced(const struct nv_object *object, uint64_t offset);
/* Call `differs` for each differing run of lines, in order; `view_bytes` is the view's size. */
typedef int nv_difference_visitor(void *context, uint64_t offset, uint64_t length_bytes, const uint8_t *view,
                                  const uint8_t *durable);
/* The first byte of [from, to) that differs; NV_VERIFIER_EQUAL: none does. */
int nv_content_first_difference(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to,
                                uint64_t *offset);
int nv_content_compare(struct nv_image *image, struct nv_object *object, nv_difference_visitor *visit, void *context);
int nv_content_compare_range(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to,
                             nv_difference_visitor *visit, void *context);

/* lost.c: what a failed sync has lost */
/* A sync begins: whether it is the one that is to fail. */
bool nv_lost_any(const struct nv_image *image);
/* A sync of [from, to) has failed. 0 or a negative errno. */
int nv_lost_take(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to);
/* Whether the bytes of a block are those that were lost. */
bool nv_lost_is(const struct nv_object *object, uint64_t offset, const uint8_t *bytes, size_t length);
/* Whether what stands at the offset now is still what was lost. */
bool nv_lost_still(struct nv_object *object, uint64_t offset);
void nv_lost_forget(struct nv_object *object);

/* events.c: what the kernel tells of names */
int nv_names_watch(struct nv_image *image, struct nv_object *folder, int view_fd);
/* Read what the kernel told of changed folders; mark them. */
int nv_names_notice(struct nv_image *image);
void nv_names_mark(struct nv_image *image, struct nv_object *folder);
void nv_names_mark_all(struct nv_image *image);
/* When a name changed last, in an order of its own; 0: not known. */
uint64_t nv_names_sequence(const struct nv_image *image, const struct nv_object *folder, const char *name);
/* A name that was made anew, and not by moving a file there: between the old file and the new one there was none. */
bool nv_names_made_in_place(const struct nv_image *image, const struct nv_object *folder, const char *name);
/* Of one folder, or (NULL) of all. */
void nv_names_forget_notes(struct nv_image *image, const struct nv_object *only);

/* names.c: which names differ */
enum nv_change_kind { NV_NAME_NEW, NV_NAME_GONE };
struct nv_change {
    enum nv_change_kind kind;
    struct nv_object *folder; /* the parent */
    char *name;
    struct nv_object *object; /* that has the name now, or had it */
    uint64_t sequence;        /* when it happened, as far as the kernel told */
    size_t index;
    bool done;
    /* Of a new name: as the view had it. */
    mode_t mode;
    uid_t owner;
    gid_t group;
    uint32_t device_major, device_minor;
    char *target; /* of a symbolic link */
};
struct nv_changes {
    struct nv_change *items;
    size_t count, capacity;
    bool settled; /* nothing changed while it was gathered */
};
/* What differs in names: in all marked folders, or in one. */
int nv_names_gather(struct nv_image *image, struct nv_object *only, struct nv_changes *changes);
/*
 * Find a file of the view without making anything durable: a new one is met by listing what changed. NULL: not at
 * stake.
 */
int nv_names_meet(struct nv_image *image, uint64_t device, uint64_t inode, struct nv_object **found);
void nv_names_settle(struct nv_image *image, struct nv_object *only);
void nv_changes_free(struct nv_changes *changes);
/* apply.c: make it durable. The first error; image->failed_name tells the name. */
int nv_names_apply(struct nv_image *image, struct nv_changes *changes);
/* notice, gather and apply: what a sync does to names. */
int nv_names_sync(struct nv_image *image, struct nv_object *only);

/* upper.c: a file of an overlay's upper layer becomes that of the view; any other is left as it is. */
int nv_upper_translate(const struct nv_image *image, uint64_t *device, uint64_t *inode);

/* lines.c: the verifier's records of a file's lines */
int nv_lines_provide(struct nv_object *object, uint64_t end);
void nv_lines_forget(struct nv_object *object);

/* expect.c: what the program says must hold */
/*
 * The first byte of a range that is not durable as it is in the view; NV_VERIFIER_EQUAL: all of it is, or the file is
 * not at stake.
 */
int nv_expect_difference(struct nv_image *image, const struct nv_ledger_range *range, uint64_t *offset);
/* A sync is about to make [from, to) of the object durable: whether all that must be so before it is. */
void nv_expect_before_sync(struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to);

#endif
