/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of a request through the minifilters of a volume: their callbacks before, the driver, their callbacks
 * after. Called by the stack, and by minifilters that make requests of their own.
 */
#include "src/io/file.h"
#include "src/io/minifilter.h"
#include "src/io/parameters.h"
#include "src/io/thread.h"
#include "src/io/volume.h"

pthread_mutex_t nv_minifilters_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER; /* a request, while somebody waits for it */
static unsigned waiters;

static struct nv_pass *pass_of(PFLT_CALLBACK_DATA data)
{
    return (struct nv_pass *)data;
}

/* -- beginning and end -- */

static void begin(struct nv_pass *pass)
{
    struct nv_volume *volume = pass->volume;
    pthread_mutex_lock(&nv_minifilters_lock);
    pass->ticket = volume->tickets++;
    pass->later = volume->passes;
    if (pass->later)
        pass->later->earlier = pass;
    volume->passes = pass;
    pthread_mutex_unlock(&nv_minifilters_lock);
}

static void end(struct nv_pass *pass)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    if (pass->earlier)
        pass->earlier->later = pass->later;
    else
        pass->volume->passes = pass->later;
    if (pass->later)
        pass->later->earlier = pass->earlier;
    if (waiters)
        pthread_cond_broadcast(&ended);
    pthread_mutex_unlock(&nv_minifilters_lock);
}

static bool is_one_before(const struct nv_volume *volume, uint64_t ticket)
{
    for (const struct nv_pass *pass = volume->passes; pass; pass = pass->later)
        if (pass->ticket < ticket)
            return true;
    return false;
}

void nv_passes_wait(struct nv_volume *volume, uint64_t ticket)
{
    int cancellable;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellable);
    waiters++;
    while (is_one_before(volume, ticket))
        pthread_cond_wait(&ended, &nv_minifilters_lock);
    waiters--;
    pthread_setcancelstate(cancellable, &cancellable);
}

/* -- the way down and up -- */

FLT_RELATED_OBJECTS nv_related_objects(PFLT_INSTANCE instance, PFILE_OBJECT file)
{
    return (FLT_RELATED_OBJECTS){
        .Size = sizeof(FLT_RELATED_OBJECTS),
        .Filter = instance->filter,
        .Volume = (PFLT_VOLUME)instance->volume,
        .Instance = instance,
        .FileObject = file,
    };
}

static bool is_skipped(const FLT_OPERATION_REGISTRATION *operation, const struct nv_pass *pass)
{
    UCHAR major = pass->block.MajorFunction;
    bool transfers = major == IRP_MJ_READ || major == IRP_MJ_WRITE;
    bool cached = transfers && !(pass->block.IrpFlags & IRP_NOCACHE);
    bool is_volume = nv_file_of(pass->block.TargetFileObject)->kind == NV_FILE_VOLUME;
    FLT_OPERATION_REGISTRATION_FLAGS skipped =
        (cached ? FLTFL_OPERATION_REGISTRATION_SKIP_CACHED_IO : 0) |
        (transfers && !cached ? FLTFL_OPERATION_REGISTRATION_SKIP_NON_CACHED_NON_PAGING_IO : 0) |
        (is_volume ? 0 : FLTFL_OPERATION_REGISTRATION_SKIP_NON_DASD_IO);
    return operation->Flags & skipped;
}

static const FLT_OPERATION_REGISTRATION *operation_of(const struct nv_pass *pass, PFLT_INSTANCE instance)
{
    UCHAR major = pass->block.MajorFunction;
    return major <= IRP_MJ_MAXIMUM_FUNCTION ? instance->filter->operations[major] : NULL;
}

static bool sees(const struct nv_pass *pass, PFLT_INSTANCE instance)
{
    const FLT_OPERATION_REGISTRATION *operation = operation_of(pass, instance);
    return operation && instance->born <= pass->ticket && pass->ticket < instance->gone && !is_skipped(operation, pass);
}

/* The next one that is to see the request, with a reference. */
static PFLT_INSTANCE next_below(const struct nv_pass *pass, PFLT_INSTANCE above)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    PFLT_INSTANCE instance = above ? above->next : pass->volume->instances;
    while (instance && !sees(pass, instance))
        instance = instance->next;
    if (instance)
        nv_instance_reference(instance);
    pthread_mutex_unlock(&nv_minifilters_lock);
    return instance;
}

static FLT_PREOP_CALLBACK_STATUS call_before(struct nv_pass *pass, PFLT_PRE_OPERATION_CALLBACK function,
                                             PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    if (!function)
        return FLT_PREOP_SUCCESS_WITH_CALLBACK;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_MINIFILTER);
    FLT_PREOP_CALLBACK_STATUS verdict = function(&pass->data, objects, context);
    nv_leave_driver(NV_INSIDE_MINIFILTER, minifilter);
    if (verdict != FLT_PREOP_PENDING)
        return verdict;
    (void)KeWaitForSingleObject(&pass->resumed, Executive, KernelMode, FALSE, NULL);
    *context = pass->verdict_context;
    return pass->verdict;
}

static void call_after(struct nv_pass *pass, PFLT_POST_OPERATION_CALLBACK function, PCFLT_RELATED_OBJECTS objects,
                       PVOID context)
{
    pass->data.Flags |= FLTFL_CALLBACK_DATA_POST_OPERATION;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_MINIFILTER);
    FLT_POSTOP_CALLBACK_STATUS status = function(&pass->data, objects, context, 0);
    nv_leave_driver(NV_INSIDE_MINIFILTER, minifilter);
    if (status == FLT_POSTOP_MORE_PROCESSING_REQUIRED)
        (void)KeWaitForSingleObject(&pass->resumed, Executive, KernelMode, FALSE, NULL);
    pass->data.Flags &= ~(ULONG)(FLTFL_CALLBACK_DATA_POST_OPERATION | FLTFL_CALLBACK_DATA_DIRTY);
}

static void serve(struct nv_pass *pass)
{
    struct nv_request request = *pass->request;
    nv_parameters_from_block(&request, &pass->block);
    request.information = 0;
    NTSTATUS status = nv_driver_serve(&request);
    pass->data.IoStatus = (IO_STATUS_BLOCK){.Status = status, .Information = request.information};
    if (request.major == pass->request->major)
        *pass->request = request; /* a create's has what the driver tells its maker */
}

static void pass_on(struct nv_pass *pass, PFLT_INSTANCE above);

/* Each filter finds the parameters after the request as it found them before, whatever it changed for those below. */
static void visit(struct nv_pass *pass, PFLT_INSTANCE instance)
{
    const FLT_OPERATION_REGISTRATION *operation = operation_of(pass, instance);
    FLT_RELATED_OBJECTS objects = nv_related_objects(instance, pass->block.TargetFileObject);
    PVOID context = NULL;
    pass->block.TargetInstance = instance;
    FLT_IO_PARAMETER_BLOCK found = pass->block;
    FLT_PREOP_CALLBACK_STATUS verdict = call_before(pass, operation->PreOperation, &objects, &context);
    bool changed = pass->data.Flags & FLTFL_CALLBACK_DATA_DIRTY;
    pass->data.Flags &= ~(ULONG)FLTFL_CALLBACK_DATA_DIRTY;
    if (!changed || !pass->block.TargetFileObject)
        pass->block = found;
    if (verdict != FLT_PREOP_COMPLETE)
        pass_on(pass, instance);
    pass->block = found;
    bool wants_more = verdict == FLT_PREOP_SUCCESS_WITH_CALLBACK || verdict == FLT_PREOP_SYNCHRONIZE;
    if (wants_more && operation->PostOperation)
        call_after(pass, operation->PostOperation, &objects, context);
    pass->block = found;
}

static void pass_on(struct nv_pass *pass, PFLT_INSTANCE above)
{
    PFLT_INSTANCE instance = next_below(pass, above);
    if (!instance) {
        serve(pass);
        return;
    }
    visit(pass, instance);
    nv_instance_release(instance);
}

static NTSTATUS serve_from(struct nv_volume *volume, PFLT_INSTANCE above, struct nv_request *request,
                           KPROCESSOR_MODE mode, FLT_CALLBACK_DATA_FLAGS flags)
{
    struct nv_pass pass = {
        .data = {.Flags = FLTFL_CALLBACK_DATA_IRP_OPERATION | flags,
                 .Thread = PsGetCurrentThread(),
                 .Iopb = &pass.block,
                 .RequestorMode = mode},
        .volume = volume,
        .request = request,
    };
    KeInitializeEvent(&pass.resumed, SynchronizationEvent, FALSE);
    nv_parameters_to_block(request, &pass.block, &pass.security);
    begin(&pass);
    pass_on(&pass, above);
    end(&pass);
    request->information = pass.data.IoStatus.Information;
    /* Nobody waits for what a filter says is pending after its end. */
    return pass.data.IoStatus.Status == STATUS_PENDING ? STATUS_UNSUCCESSFUL : pass.data.IoStatus.Status;
}

NTSTATUS nv_minifilters_serve(struct nv_volume *volume, struct nv_request *request, KPROCESSOR_MODE mode)
{
    return serve_from(volume, NULL, request, mode, 0);
}

NTSTATUS nv_minifilters_serve_below(PFLT_INSTANCE instance, struct nv_request *request)
{
    return serve_from(instance->volume, instance, request, KernelMode, FLTFL_CALLBACK_DATA_GENERATED_IO);
}

/* -- what a filter says of a request that it has -- */

VOID FltCompletePendedPreOperation(PFLT_CALLBACK_DATA CallbackData, FLT_PREOP_CALLBACK_STATUS CallbackStatus,
                                   PVOID Context)
{
    struct nv_pass *pass = pass_of(CallbackData);
    pass->verdict = CallbackStatus;
    pass->verdict_context = Context;
    (void)KeSetEvent(&pass->resumed, IO_NO_INCREMENT, FALSE);
}

VOID FltCompletePendedPostOperation(PFLT_CALLBACK_DATA CallbackData)
{
    (void)KeSetEvent(&pass_of(CallbackData)->resumed, IO_NO_INCREMENT, FALSE);
}

BOOLEAN FltDoCompletionProcessingWhenSafe(PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS FltObjects,
                                          PVOID CompletionContext, FLT_POST_OPERATION_FLAGS Flags,
                                          PFLT_POST_OPERATION_CALLBACK SafePostCallback,
                                          FLT_POSTOP_CALLBACK_STATUS *RetPostOperationStatus)
{
    *RetPostOperationStatus = SafePostCallback(Data, FltObjects, CompletionContext, Flags);
    return TRUE;
}

VOID FltSetCallbackDataDirty(PFLT_CALLBACK_DATA Data)
{
    Data->Flags |= FLTFL_CALLBACK_DATA_DIRTY;
}

VOID FltClearCallbackDataDirty(PFLT_CALLBACK_DATA Data)
{
    Data->Flags &= ~(ULONG)FLTFL_CALLBACK_DATA_DIRTY;
}

BOOLEAN FltIsCallbackDataDirty(PFLT_CALLBACK_DATA Data)
{
    return (Data->Flags & FLTFL_CALLBACK_DATA_DIRTY) != 0;
}

BOOLEAN FltIsOperationSynchronous(PFLT_CALLBACK_DATA CallbackData)
{
    (void)CallbackData;
    return TRUE;
}

/* -- fork -- */

void nv_minifilters_before_fork(void)
{
    pthread_mutex_lock(&nv_minifilters_lock);
}

/* Requests of other threads are nobody's in the child. Theirs are on stacks that are there, so the list can be read. */
static void forget_passes(struct nv_volume *volume)
{
    struct nv_pass *pass = volume->passes;
    struct nv_pass **link = &volume->passes;
    struct nv_pass *earlier = NULL;
    for (; pass; pass = pass->later) {
        if (pass->data.Thread != PsGetCurrentThread())
            continue;
        pass->earlier = earlier;
        *link = earlier = pass;
        link = &pass->later;
    }
    *link = NULL;
}

static void forget_instances(struct nv_volume *volume)
{
    for (PFLT_INSTANCE instance = volume->instances; instance; instance = instance->next)
        if (instance->born == NV_NEVER && !instance->leaving) {
            instance->leaving = true;
            instance->gone = 0;
        }
}

void nv_minifilters_after_fork(bool in_child)
{
    for (struct nv_volume *volume = nv_volume_next(NULL); in_child && volume; volume = nv_volume_next(volume)) {
        forget_passes(volume);
        forget_instances(volume);
    }
    if (in_child) {
        waiters = 0;
        pthread_cond_init(&ended, NULL);
        nv_instances_after_fork();
    }
    pthread_mutex_unlock(&nv_minifilters_lock);
}
