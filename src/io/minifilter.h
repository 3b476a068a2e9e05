/* SPDX-License-Identifier: MIT */
/*
 * Minifilters, as the stack keeps them. The instances on a volume are a list, from the highest altitude down; a request
 * passes it in the thread that made it.
 *
 * A request sees the instances that were there when it began: each has the ticket from which on it is there, and the
 * one from which on it is not. Whoever takes one away waits for the requests with earlier tickets.
 */
#ifndef NV_IO_MINIFILTER_H
#define NV_IO_MINIFILTER_H

#include "src/io/device.h"
#include "src/io/request.h"

#include <nvrtl/minifilter.h>
#include <pthread.h>

struct nv_context;

struct _FLT_FILTER {
    _Atomic uint32_t references;
    PFLT_FILTER next; /* registered, too */
    struct nv_driver *driver;
    FLT_REGISTRATION registration; /* its tables are the driver's, which keeps them */
    const FLT_OPERATION_REGISTRATION *operations[IRP_MJ_MAXIMUM_FUNCTION + 1];
    UNICODE_STRING altitude; /* points to text */
    bool started;
    bool unregistered;
    WCHAR text[];
};

struct _FLT_INSTANCE {
    _Atomic uint32_t references;
    PFLT_INSTANCE next; /* below it on its volume */
    PFLT_FILTER filter; /* with a reference */
    struct nv_volume *volume;
    uint64_t born, gone; /* tickets */
    bool leaving;
    UNICODE_STRING altitude; /* both point to text */
    UNICODE_STRING name;
    struct nv_context *context;  /* its own */
    struct nv_context *contexts; /* of open files */
    WCHAR text[];
};

#define NV_NEVER UINT64_MAX

/* Of all lists of minifilters, of requests on their way, and of contexts. Never held while a filter is called. */
extern pthread_mutex_t nv_minifilters_lock;

/* A request on its way; on the stack of the thread that serves it. */
struct nv_pass {
    FLT_CALLBACK_DATA data; /* first: a filter's pointer to it is one to this */
    FLT_IO_PARAMETER_BLOCK block;
    IO_SECURITY_CONTEXT security;
    struct nv_volume *volume;
    struct nv_request *request;
    struct nv_pass *earlier, *later; /* of the same volume */
    uint64_t ticket;
    KEVENT resumed; /* a callback had made the request wait */
    FLT_PREOP_CALLBACK_STATUS verdict;
    PVOID verdict_context;
};

/* Serves a request by all minifilters of the volume, and the driver. */
NTSTATUS nv_minifilters_serve(struct nv_volume *volume, struct nv_request *request, KPROCESSOR_MODE mode);

/* Serves a request by the minifilters below the instance, and the driver. */
NTSTATUS nv_minifilters_serve_below(PFLT_INSTANCE instance, struct nv_request *request);

/* Under the lock: sleeps until no request is on its way on the volume that began before the ticket. */
void nv_passes_wait(struct nv_volume *volume, uint64_t ticket);

FLT_RELATED_OBJECTS nv_related_objects(PFLT_INSTANCE instance, PFILE_OBJECT file);

void nv_filter_reference(PFLT_FILTER filter);
void nv_filter_release(PFLT_FILTER filter);
void nv_instance_reference(PFLT_INSTANCE instance);
void nv_instance_release(PFLT_INSTANCE instance);

/*
 * Attaches the filter to the volume. NULL: its own altitude, and a name like it. The instance has one reference more,
 * unless `instance` is NULL. Statuses as FltAttachVolumeAtAltitude.
 */
NTSTATUS nv_instance_attach(PFLT_FILTER filter, struct nv_volume *volume, PCUNICODE_STRING altitude,
                            PCUNICODE_STRING name, FLT_INSTANCE_SETUP_FLAGS flags, PFLT_INSTANCE *instance);

/* Detaches it; false: somebody else is about to. */
bool nv_instance_detach(PFLT_INSTANCE instance, FLT_INSTANCE_TEARDOWN_FLAGS reason);

/* An instance of the filter that nobody is about to detach, with a reference; NULL volume: any; NULL name: any. */
PFLT_INSTANCE nv_instance_find(PFLT_FILTER filter, struct nv_volume *volume, PCUNICODE_STRING name);

/* Sleeps until no instance of the filter is being set up. */
void nv_instances_wait(PFLT_FILTER filter);

/*
 * A volume that is used for the first time: filters that were started get their instance. Only for want of memory does
 * that fail.
 */
NTSTATUS nv_minifilters_mounted(struct nv_volume *volume);

/* Unload the driver's minifilters by their callbacks. STATUS_NOT_FOUND: it has registered none. */
NTSTATUS nv_minifilters_unload(struct nv_driver *driver);

/* Unregister what filters the driver has left. */
void nv_minifilters_remove(struct nv_driver *driver);

/* The file is closed, or the instance is gone: so are the contexts that were attached to it. */
void nv_contexts_close(struct nv_file *file);
void nv_contexts_end(PFLT_INSTANCE instance);

/* The filter is gone: so are the contexts that it attached to volumes. */
void nv_contexts_end_of_filter(PFLT_FILTER filter);

/* Around fork(). The child waits for no request, and no instance being set up, of another thread. */
void nv_minifilters_before_fork(void);
void nv_minifilters_after_fork(bool in_child);
void nv_instances_after_fork(void); /* in the child */

/* Negative, 0, positive: the altitudes as decimal numbers. */
int nv_altitude_compare(PCUNICODE_STRING one, PCUNICODE_STRING other);
bool nv_altitude_is_valid(PCUNICODE_STRING altitude);

/* The next whole number above the altitude; `text` has room for a character more than that. */
UNICODE_STRING nv_altitude_above(PCUNICODE_STRING altitude, WCHAR *text);

#endif
