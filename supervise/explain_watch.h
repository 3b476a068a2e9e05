/* SPDX-License-Identifier: MIT */
/* The files of the second run that hold bytes to be explained, and who changed those last. One thread uses it. */
#ifndef NV_EXPLAIN_WATCH_H
#define NV_EXPLAIN_WATCH_H

#include "supervise/explain_book.h"

#include <sys/types.h>

struct nv_watch;
struct nv_watched; /* a file with such bytes */

/* The folders at stake, absolute, NULL-terminated. NULL: no memory. */
struct nv_watch *nv_watch_new(struct nv_explain_book *book, char *const *folders);
void nv_watch_free(struct nv_watch *watch);

/* The file behind a descriptor of the program; NULL: nothing of it is watched. */
struct nv_watched *nv_watch_file(struct nv_watch *watch, pid_t thread, int fd);
/* The first page of [from, to), an offset in the file, that holds watched bytes there. False: none does. */
bool nv_watched_next(const struct nv_watched *file, uint64_t from, uint64_t to, uint64_t *page);

/* A store, known by what it was made with; its place is asked for once, when it is worth noting. */
struct nv_store {
    uint32_t (*place)(void *context); /* its number in the book, plus 1 */
    void *context;
    uint32_t known; /* what place has answered; 0: nothing yet */
};

/* The store may have changed [from, to); NULL: there is no telling which one has. */
void nv_watched_stored(struct nv_watched *file, uint64_t from, uint64_t to, struct nv_store *store);
/* A system call has written all of [from, to). */
void nv_watched_written(struct nv_watched *file, uint64_t from, uint64_t to, struct nv_store *store);

/* The number of a name that is asked for, by its absolute path; 0: it is not. */
bool nv_watch_has_names(const struct nv_watch *watch);
uint32_t nv_watch_name(const struct nv_watch *watch, const char *path);
/* A call has made or removed it. */
void nv_watch_named(struct nv_watch *watch, uint32_t name, struct nv_store *store);

/* When the run is over: answer each piece whose last change was seen. */
void nv_watch_answer(struct nv_watch *watch);

#endif
