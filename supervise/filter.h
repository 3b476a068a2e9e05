/* SPDX-License-Identifier: MIT */
/* Which system calls of the program are told to the supervisor, and which are denied. */
#ifndef NV_FILTER_H
#define NV_FILTER_H

#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A flag of sendmsg that does nothing here: the filter's own listener is sent when nobody listens yet. */
#define NV_FILTER_UNTOLD MSG_CONFIRM

struct nv_filter_options {
    int reserved_first;       /* descriptors from here on are told of when written to */
    int tell_read_only_opens; /* the view is an overlay */
    int watched_first;        /* and from here on of what changes a file (watched.c); 0: nothing is watched */
    uint64_t near_bytes;      /* but for short writes, at an offset below this */
};

/* Build the program of the filter: to be freed. NULL: no memory, or libseccomp failed. */
struct sock_filter;
struct nv_filter {
    struct sock_filter *instructions;
    unsigned short count;
};
/* filter_watched.c: put in front what changes a watched file, or lets others do so. 0 or a negative errno. */
int nv_filter_watch(struct nv_filter *filter, const struct nv_filter_options *options);
int nv_filter_build(const struct nv_filter_options *options, struct nv_filter *filter);
/* A filter by which the calls that change files stop for ptrace, in a recorded run. */
int nv_filter_build_stops(struct nv_filter *filter);
/* In the child: install it. The listener's descriptor, or a negative errno. */
int nv_filter_install(const struct nv_filter *filter);
/* The same, of one that stops calls, before the other; a notified call does not stop. 0 or a negative errno. */
int nv_filter_install_stops(const struct nv_filter *filter);

#endif
