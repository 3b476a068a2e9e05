/* SPDX-License-Identifier: MIT */
/*
 * What may differ between the images of a large file, so that a sync need not compare all of it: ranges that were told
 * of before they were written (watched.c). The difference alone still decides what is copied.
 *
 * A hint is good only while nothing can write the file untold. That is known from two sides: when it begins, a lease
 * says that nobody else has the file open; from then on inotify tells of every open. Any doubt ends it, and the file is
 * compared as a whole again: one that is mapped shared, above all.
 */
#ifndef NV_HINTS_H
#define NV_HINTS_H

#include "supervise/image.h"

#include <sys/types.h>

/* Below this, comparing costs less than being told. Writes of less than it that begin before it are not told of. */
#define NV_HINT_NEAR_BYTES ((uint64_t)65536)
/* Files that are this large when the run begins are watched from there on. */
#define NV_HINT_LARGE_BYTES ((uint64_t)1 << 20)

/* Ranges of whole blocks, in order and apart. */
struct nv_ranges {
    struct nv_range {
        uint64_t from, to;
    } * items;
    size_t count, capacity;
};

/* 0 or a negative errno. Without it all is compared. `near_bytes` as NV_HINT_NEAR_BYTES, or 0: all is told. */
int nv_hints_open(struct nv_image *image, uint64_t near_bytes);
void nv_hints_close(struct nv_image *image);
/* The view is made, and nobody has written to it yet. */
void nv_hints_begin_all(struct nv_image *image);
/*
 * `own` is a new descriptor for writing, that the program is about to get. Whether all writes to the file will be told.
 */
bool nv_hint_begin(struct nv_image *image, struct nv_object *object, int own);
/* Read what inotify tells: whoever has opened a file may write it untold. */
void nv_hints_notice(struct nv_image *image);
/* An open of ours has just been made, after nv_hints_notice. */
void nv_hints_skip_own(struct nv_image *image, const struct nv_object *object);

/* Whether it is known what may differ. */
bool nv_hint_is_good(const struct nv_object *object);
/* The file, or (NULL) any, may be written untold. */
void nv_hint_end(struct nv_image *image, struct nv_object *object);

/* [from, to) has been written. */
void nv_hint_add(struct nv_object *object, uint64_t from, uint64_t to);
/* The thread is about to change [from, to). It may do so at any time until it makes its next call. */
void nv_hint_write(struct nv_image *image, struct nv_object *object, pid_t thread, uint64_t from, uint64_t to);
/*
 * The same, told by the thread that receives calls, of a file by its numbers in the view: what it tells counts from the
 * next call of another function here on. False: no memory.
 */
bool nv_hints_tell(struct nv_hints *hints, pid_t thread, uint64_t device, uint64_t inode, uint64_t from, uint64_t to);
/* The same, where the write begins wherever the file's position then is: `from`, unless others write so, too. */
void nv_hint_write_on(struct nv_image *image, struct nv_object *object, pid_t thread, uint64_t from, uint64_t length);
/* The thread has made another call; no descriptor is in use. */
void nv_hints_passed(struct nv_image *image, pid_t thread);
/* All of it may differ: the durable file is another. */
void nv_hint_all(struct nv_object *object);

/*
 * What may differ in [from, to): to be compared, and freed. It counts as equal from here on, but for writes that may
 * still come. 0 or a negative errno.
 */
int nv_hint_take(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to, struct nv_ranges *taken);
/* It could not be made equal. */
void nv_hint_give_back(struct nv_object *object, const struct nv_ranges *taken);
/* [from, to) was compared, hint or not. */
void nv_hint_is_equal(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to);
/* A range that differs. False: no hint said that it may. */
bool nv_hint_covers(const struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to);

#endif
