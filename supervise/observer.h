/* SPDX-License-Identifier: MIT */
/*
 * The recording of a run: what its system calls do to the files at stake becomes events of the trace. turns.c stops
 * the program's calls; observe_*.c decode them and tell what they did, once they have returned; the rest of supervise/
 * tells of syncs. Nothing here does anything in a run that is not recorded.
 */
#ifndef NV_OBSERVER_H
#define NV_OBSERVER_H

#include "supervise/place.h"
#include "supervise/supervisor.h"
#include "trace/file.h"
#include "trace/log.h"

enum { NV_OBSERVE_CONTENTS = 32, NV_OBSERVE_PENDING = 1024, NV_OBSERVE_LINE_BYTES = 65536 };

/* A name in the view, as it was told. */
struct nv_told_name {
    struct nv_told_name *next;
    const struct nv_object *parent;
    struct nv_object *object;
    char text[];
};

/* A file that some process may be storing into, by a mapping. */
struct nv_mapped {
    struct nv_object *object;
    int content;   /* a descriptor of the view's file */
    bool writable; /* else it may become so, by mprotect */
};

struct nv_observer {
    struct nv_supervisor *supervisor;
    struct nv_log *log;
    uint64_t cursor; /* of what the file has of the log */
    struct nv_trace_writer *writer;
    int error;        /* the first one: the trace is not whole */
    uint32_t objects; /* numbered so far */
    struct nv_told_name **names;
    size_t name_buckets, name_count;
    struct {
        const struct nv_object *object;
        int descriptor;
    } contents[NV_OBSERVE_CONTENTS]; /* descriptors of files that were written to last */
    size_t next_content;
    struct nv_mapped *mapped;
    size_t mapped_count;
    uint8_t *buffer; /* NV_CHUNK_BYTES */
    struct nv_stacks *stacks;

    pid_t thread; /* whose call is told of */
    bool initial; /* it is what was there before */
    bool placed;  /* `place` is known */
    uint32_t place;
    bool stopped; /* the thread is: its stack can be read. Else events wait in `pending` until it is */
    struct nv_trace_event *pending[NV_OBSERVE_PENDING];
    size_t pending_count;

    struct stat acknowledged; /* the file behind --ack-fd */
    char line[NV_OBSERVE_LINE_BYTES];
    size_t line_bytes;
};

/* A system call of the program. */
struct nv_observed_call {
    pid_t thread;
    uint64_t number, arguments[6];
    int64_t result; /* when it has returned */
    const struct nv_observed_kind *kind;
    struct nv_object *object; /* of a descriptor */
    struct {
        int folder; /* a descriptor of ours, or -1 */
        char name[NAME_MAX + 1];
    } names[2];
    bool acknowledges;
};

/* ---- observe.c: the trace ---- */

/* Begin a trace, if one is wanted, with what is there. 0 or a negative errno. */
int nv_observe_open(struct nv_supervisor *supervisor);
/* What was appended to the log meanwhile goes into the file. */
void nv_observe_drain(struct nv_observer *observer);
/* The run is over: 0 when the trace is whole, or a negative errno. */
int nv_observe_end(struct nv_observer *observer);
void nv_observe_close(struct nv_supervisor *supervisor);

/* From here on it is this thread's call that is told of. `stopped`: by ptrace. */
void nv_observe_caller(struct nv_observer *observer, pid_t thread, bool stopped);
/* The thread of pending events is stopped (0: it never will be): they get their place, and are part of the log. */
void nv_observe_complete(struct nv_observer *observer, pid_t thread);

/* An event with what is common to all; NULL: there is no room. It is to be filled in and told. */
struct nv_trace_event *nv_observe_event(struct nv_observer *observer, enum nv_trace_kind kind, uint32_t payload_bytes);
void nv_observe_tell(struct nv_observer *observer, struct nv_trace_event *event);
/* Something was not recorded: the report says why. */
void nv_observe_lost(struct nv_observer *observer, const char *why);

/* The file or folder that a descriptor of the thread has open. NULL: it is not at stake. */
struct nv_object *nv_observe_object(struct nv_observer *observer, pid_t thread, int fd, struct statx *status);

/* ---- observe_names.c ---- */

/* All that the folders hold. 0 or a negative errno. */
int nv_observe_initial(struct nv_observer *observer);
/* A name that has come into being, in a folder of ours: of a new object or of a known one. */
void nv_observe_new_name(struct nv_observer *observer, int folder, const char *name);
void nv_observe_nameless(struct nv_observer *observer, struct nv_object *object, const struct statx *status);
void nv_observe_gone_name(struct nv_observer *observer, int folder, const char *name);
void nv_observe_renamed(struct nv_observer *observer, int from, const char *old_name, int to, const char *new_name,
                        bool exchanged);
void nv_observe_forget_names(struct nv_observer *observer);

/* ---- observe_contents.c ---- */

/* What a range of the file holds now was written by a call; fd: the thread's descriptor. */
void nv_observe_written(struct nv_observer *observer, struct nv_object *object, pid_t thread, int fd, uint64_t offset,
                        uint64_t length);
/* An asynchronous write begins. */
struct iocb;
void nv_observe_submitted(struct nv_observer *observer, struct nv_object *object, pid_t thread,
                          const struct iocb *block);
void nv_observe_data(struct nv_observer *observer, struct nv_object *object, int content, uint64_t from, uint64_t to);
void nv_observe_zeros(struct nv_observer *observer, struct nv_object *object, uint64_t from, uint64_t to);
/* The file has this size now. Nothing is told when that is known. */
void nv_observe_size(struct nv_observer *observer, struct nv_object *object, uint64_t bytes);
/* All that it holds from there on is told again. */
void nv_observe_again(struct nv_observer *observer, struct nv_object *object, pid_t thread, int fd, uint64_t from);
void nv_observe_forget_contents(struct nv_observer *observer);

/* ---- observe_maps.c ---- */

/* The thread is about to map a file that it may write. */
void nv_observe_mapped(struct nv_observer *observer, struct nv_object *object, pid_t thread, int fd, bool writable);
/* Some mapping becomes writable. */
void nv_observe_unprotected(struct nv_observer *observer);
/* What stores by mappings have changed and nobody has told yet. */
void nv_observe_changes(struct nv_observer *observer);
void nv_observe_forget_maps(struct nv_observer *observer);

/* ---- observe_calls.c ---- */

/* The traced calls by their names, ended by NULL, and what of them is wanted (filter.c). */
const char *nv_observe_call_name(size_t index);
int nv_observe_calls_prepare(void);
/* A call begins; false: it is none of ours, and its end need not be heard of. */
bool nv_observe_call_begin(struct nv_observer *observer, struct nv_observed_call *call);
void nv_observe_call_end(struct nv_observer *observer, struct nv_observed_call *call);
/* Nothing will come of it: the thread is gone. */
void nv_observe_call_free(struct nv_observed_call *call);
/* An open file of ours that the supervisor opened for the program. */
void nv_observe_opened(struct nv_observer *observer, const struct nv_place *place, int own, uint64_t flags);

/* ---- observe_promises.c ---- */

int nv_observe_promises_open(struct nv_observer *observer);
bool nv_observe_is_acknowledgement(struct nv_observer *observer, pid_t thread, int fd);
/* The bytes that a write call has written there. */
void nv_observe_acknowledged(struct nv_observer *observer, const struct nv_observed_call *call, bool vector);

/* ---- observe_syncs.c: by whoever makes something durable ---- */

void nv_observe_sync_begin(const struct nv_image *image);
/* object NULL: everything. to UINT64_MAX: all of it. */
void nv_observe_sync_end(const struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to,
                         uint16_t flags, int status);

/* A token is taken of the file: its size, and what a sync makes durable of its name, are durable. */
void nv_observe_token(const struct nv_image *image, const struct nv_object *object);

/* ---- observe_stacks.c ---- */

/* The place of a stopped thread. 0: unknown. */
uint32_t nv_observe_place(struct nv_observer *observer, pid_t thread);
void nv_observe_forget_thread(struct nv_observer *observer, pid_t thread);
void nv_observe_forget_process(struct nv_observer *observer, pid_t process);
/* An event names it. */
void nv_observe_note_place(struct nv_observer *observer, uint32_t place);
/* The stacks of all places, as events. 0 or a negative errno. */
int nv_observe_places(struct nv_observer *observer);
void nv_observe_forget_stacks(struct nv_observer *observer);

#endif
