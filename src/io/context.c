/* SPDX-License-Identifier: MIT */
/*
 * Owns the contexts that minifilters attach to volumes, to instances and to open files. Called by filters; and by the
 * stack, when what a context is attached to goes.
 */
#include "src/io/file.h"
#include "src/io/minifilter.h"
#include "src/io/volume.h"
#include "src/os/os.h"

#include <stdlib.h>

/* In front of each context. */
struct nv_context {
    _Atomic uint32_t references;
    PFLT_FILTER filter;
    const FLT_CONTEXT_REGISTRATION *registration;
    /* While it is attached, with one reference more. */
    struct nv_context **list; /* that it is in: of the volume, the instance or the file */
    struct nv_context *next;
    PFLT_INSTANCE instance; /* of a file's: and in its list, too */
    struct nv_context *instance_next, *instance_earlier;
    _Alignas(max_align_t) char content[];
};

static struct nv_context *context_of(PFLT_CONTEXT content)
{
    return (struct nv_context *)(void *)((char *)content - offsetof(struct nv_context, content));
}

/* -- life -- */

static const FLT_CONTEXT_REGISTRATION *registration_of(PFLT_FILTER filter, FLT_CONTEXT_TYPE type, SIZE_T size_bytes)
{
    const FLT_CONTEXT_REGISTRATION *each = filter->registration.ContextRegistration;
    for (; each && each->ContextType != FLT_CONTEXT_END; each++) {
        bool at_most = each->Flags & FLTFL_CONTEXT_REGISTRATION_NO_EXACT_SIZE_MATCH;
        bool fits = each->Size == FLT_VARIABLE_SIZED_CONTEXTS || each->Size == size_bytes ||
                    (at_most && size_bytes <= each->Size);
        if (each->ContextType == type && fits)
            return each;
    }
    return NULL;
}

static void *allocate(const FLT_CONTEXT_REGISTRATION *registration, POOL_TYPE pool, SIZE_T size_bytes)
{
    if (size_bytes > SIZE_MAX - sizeof(struct nv_context))
        return NULL;
    size_bytes += sizeof(struct nv_context);
    if (registration->ContextAllocateCallback)
        return registration->ContextAllocateCallback(pool, size_bytes, registration->ContextType);
    return nv_os->resize(NULL, size_bytes);
}

NTSTATUS FltAllocateContext(PFLT_FILTER Filter, FLT_CONTEXT_TYPE ContextType, SIZE_T ContextSize, POOL_TYPE PoolType,
                            PFLT_CONTEXT *ReturnedContext)
{
    const FLT_CONTEXT_REGISTRATION *registration = registration_of(Filter, ContextType, ContextSize);
    *ReturnedContext = NULL;
    if (!registration)
        return STATUS_FLT_CONTEXT_ALLOCATION_NOT_FOUND;
    struct nv_context *context = allocate(registration, PoolType, ContextSize);
    if (!context)
        return STATUS_INSUFFICIENT_RESOURCES;
    *context = (struct nv_context){.references = 1, .filter = Filter, .registration = registration};
    nv_filter_reference(Filter);
    *ReturnedContext = context->content;
    return STATUS_SUCCESS;
}

VOID FltReferenceContext(PFLT_CONTEXT Context)
{
    atomic_fetch_add(&context_of(Context)->references, 1);
}

VOID FltReleaseContext(PFLT_CONTEXT Context)
{
    struct nv_context *context = context_of(Context);
    const FLT_CONTEXT_REGISTRATION *registration = context->registration;
    PFLT_FILTER filter = context->filter;
    if (atomic_fetch_sub(&context->references, 1) != 1)
        return;
    if (registration->ContextCleanupCallback)
        registration->ContextCleanupCallback(Context, registration->ContextType);
    if (registration->ContextFreeCallback)
        registration->ContextFreeCallback(context, registration->ContextType);
    else
        free(context);
    nv_filter_release(filter);
}

/* -- lists. All under the lock -- */

static void link_to_instance(struct nv_context *context, PFLT_INSTANCE instance)
{
    context->instance = instance;
    context->instance_earlier = NULL;
    context->instance_next = instance->contexts;
    if (context->instance_next)
        context->instance_next->instance_earlier = context;
    instance->contexts = context;
}

static void unlink_from_instance(struct nv_context *context)
{
    if (context->instance_earlier)
        context->instance_earlier->instance_next = context->instance_next;
    else
        context->instance->contexts = context->instance_next;
    if (context->instance_next)
        context->instance_next->instance_earlier = context->instance_earlier;
    context->instance = NULL;
}

/* The reference of its being attached is the caller's then. */
static void detach(struct nv_context *context)
{
    struct nv_context **link = context->list;
    while (*link != context)
        link = &(*link)->next;
    *link = context->next;
    context->list = NULL;
    if (context->instance)
        unlink_from_instance(context);
}

static struct nv_context *find(struct nv_context *first, PFLT_FILTER filter, PFLT_INSTANCE instance)
{
    while (first && (first->filter != filter || first->instance != instance))
        first = first->next;
    return first;
}

/* -- setting and getting: `instance` for contexts of files, which each instance has its own of -- */

static void give_out(PFLT_CONTEXT *place, struct nv_context *context)
{
    if (place)
        *place = context ? context->content : NULL;
}

/* Under the lock. `*replaced` has a reference for the caller to give away, even where it is the one that stays. */
static NTSTATUS attach(struct nv_context **list, PFLT_INSTANCE instance, FLT_SET_CONTEXT_OPERATION operation,
                       struct nv_context *context, struct nv_context **replaced)
{
    struct nv_context *found = find(*list, context->filter, instance);
    if (context->list)
        return STATUS_FLT_CONTEXT_ALREADY_LINKED;
    *replaced = found;
    if (found && operation == FLT_SET_CONTEXT_KEEP_IF_EXISTS) {
        atomic_fetch_add(&found->references, 1);
        return STATUS_FLT_CONTEXT_ALREADY_DEFINED;
    }
    if (found)
        detach(found);
    atomic_fetch_add(&context->references, 1);
    context->list = list;
    context->next = *list;
    *list = context;
    if (instance)
        link_to_instance(context, instance);
    return STATUS_SUCCESS;
}

/* `is_going`: nothing is attached any more to what the list is of. Read under the lock. */
static NTSTATUS set(struct nv_context **list, PFLT_INSTANCE instance, const bool *is_going,
                    FLT_SET_CONTEXT_OPERATION operation, PFLT_CONTEXT content, PFLT_CONTEXT *old)
{
    struct nv_context *replaced = NULL;
    NTSTATUS status = STATUS_FLT_DELETING_OBJECT;
    give_out(old, NULL);
    pthread_mutex_lock(&nv_minifilters_lock);
    if (!*is_going)
        status = attach(list, instance, operation, context_of(content), &replaced);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (!replaced)
        return status;
    if (old)
        *old = replaced->content;
    else
        FltReleaseContext(replaced->content);
    return status;
}

static NTSTATUS get(struct nv_context **list, PFLT_FILTER filter, PFLT_INSTANCE instance, PFLT_CONTEXT *content)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    struct nv_context *found = find(*list, filter, instance);
    if (found)
        atomic_fetch_add(&found->references, 1);
    pthread_mutex_unlock(&nv_minifilters_lock);
    give_out(content, found);
    return found ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

/* Detaches it; it is the caller's then, or gone. */
static NTSTATUS take(struct nv_context **list, PFLT_FILTER filter, PFLT_INSTANCE instance, PFLT_CONTEXT *old)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    struct nv_context *found = find(*list, filter, instance);
    if (found)
        detach(found);
    pthread_mutex_unlock(&nv_minifilters_lock);
    give_out(old, found);
    if (found && !old)
        FltReleaseContext(found->content);
    return found ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

static struct nv_context **volume_list(PFLT_VOLUME volume)
{
    return &((struct nv_volume *)volume)->contexts;
}

NTSTATUS FltSetVolumeContext(PFLT_VOLUME Volume, FLT_SET_CONTEXT_OPERATION Operation, PFLT_CONTEXT NewContext,
                             PFLT_CONTEXT *OldContext)
{
    const bool *is_going = &context_of(NewContext)->filter->unregistered;
    return set(volume_list(Volume), NULL, is_going, Operation, NewContext, OldContext);
}

NTSTATUS FltGetVolumeContext(PFLT_FILTER Filter, PFLT_VOLUME Volume, PFLT_CONTEXT *Context)
{
    return get(volume_list(Volume), Filter, NULL, Context);
}

NTSTATUS FltDeleteVolumeContext(PFLT_FILTER Filter, PFLT_VOLUME Volume, PFLT_CONTEXT *OldContext)
{
    return take(volume_list(Volume), Filter, NULL, OldContext);
}

NTSTATUS FltSetInstanceContext(PFLT_INSTANCE Instance, FLT_SET_CONTEXT_OPERATION Operation, PFLT_CONTEXT NewContext,
                               PFLT_CONTEXT *OldContext)
{
    return set(&Instance->context, NULL, &Instance->leaving, Operation, NewContext, OldContext);
}

NTSTATUS FltGetInstanceContext(PFLT_INSTANCE Instance, PFLT_CONTEXT *Context)
{
    return get(&Instance->context, Instance->filter, NULL, Context);
}

NTSTATUS FltDeleteInstanceContext(PFLT_INSTANCE Instance, PFLT_CONTEXT *OldContext)
{
    return take(&Instance->context, Instance->filter, NULL, OldContext);
}

/* Only to an open file: before it is opened, and when it is closed, there is nothing to attach to. */
NTSTATUS FltSetStreamHandleContext(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, FLT_SET_CONTEXT_OPERATION Operation,
                                   PFLT_CONTEXT NewContext, PFLT_CONTEXT *OldContext)
{
    struct nv_file *file = nv_file_of(FileObject);
    give_out(OldContext, NULL);
    if (file->descriptor < 0)
        return STATUS_NOT_SUPPORTED;
    return set(&file->contexts, Instance, &Instance->leaving, Operation, NewContext, OldContext);
}

NTSTATUS FltGetStreamHandleContext(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, PFLT_CONTEXT *Context)
{
    return get(&nv_file_of(FileObject)->contexts, Instance->filter, Instance, Context);
}

NTSTATUS FltDeleteStreamHandleContext(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, PFLT_CONTEXT *OldContext)
{
    return take(&nv_file_of(FileObject)->contexts, Instance->filter, Instance, OldContext);
}

VOID FltDeleteContext(PFLT_CONTEXT Context)
{
    struct nv_context *context = context_of(Context);
    pthread_mutex_lock(&nv_minifilters_lock);
    bool was_attached = context->list;
    if (was_attached)
        detach(context);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (was_attached)
        FltReleaseContext(Context);
}

BOOLEAN FltSupportsStreamContexts(PFILE_OBJECT FileObject)
{
    (void)FileObject;
    return FALSE;
}

BOOLEAN FltSupportsStreamHandleContexts(PFILE_OBJECT FileObject)
{
    return nv_file_of(FileObject)->descriptor >= 0;
}

/* -- ends -- */

/* Gives the first one away; false: there is none. */
static bool drop_first(struct nv_context **first)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    struct nv_context *context = *first;
    if (context)
        detach(context);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (context)
        FltReleaseContext(context->content);
    return context;
}

void nv_contexts_close(struct nv_file *file)
{
    while (drop_first(&file->contexts))
        ;
}

void nv_contexts_end(PFLT_INSTANCE instance)
{
    while (drop_first(&instance->contexts) || drop_first(&instance->context))
        ;
}

void nv_contexts_end_of_filter(PFLT_FILTER filter)
{
    for (struct nv_volume *volume = nv_volume_next(NULL); volume; volume = nv_volume_next(volume))
        (void)take(&volume->contexts, filter, NULL, NULL);
}
