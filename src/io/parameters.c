/* SPDX-License-Identifier: MIT */
/*
 * Owns the forms that a request's parameters take on their way. Called by the stack, where a request becomes an IRP and
 * where the driver gets it back, and around minifilters.
 */
#include "src/io/parameters.h"

#include "src/io/file.h"

#define DISPOSITION_SHIFT 24
#define OPTIONS_MASK 0x00ffffffu

/* -- IRP_MJ_CREATE -- */

static ULONG options_of(const struct nv_request *request)
{
    return request->of.create.disposition << DISPOSITION_SHIFT | (request->of.create.options & OPTIONS_MASK);
}

static void fill_security(const struct nv_request *request, IO_SECURITY_CONTEXT *security)
{
    *security = (IO_SECURITY_CONTEXT){.DesiredAccess = request->of.create.access,
                                      .FullCreateOptions = request->of.create.options};
}

static void set_create(struct nv_request *request, const IO_SECURITY_CONTEXT *security, ULONG options,
                       USHORT attributes, USHORT share)
{
    if (security)
        request->of.create.access = security->DesiredAccess;
    request->of.create.disposition = options >> DISPOSITION_SHIFT;
    request->of.create.options = options & OPTIONS_MASK;
    request->of.create.attributes = attributes;
    request->of.create.share = share;
}

static void create_to_irp(const struct nv_request *request, PIRP irp, PIO_STACK_LOCATION location,
                          IO_SECURITY_CONTEXT *security)
{
    (void)irp;
    fill_security(request, security);
    location->Parameters.Create.SecurityContext = security;
    location->Parameters.Create.Options = options_of(request);
    location->Parameters.Create.FileAttributes = request->of.create.attributes;
    location->Parameters.Create.ShareAccess = request->of.create.share;
}

static void create_from_irp(struct nv_request *request, const IRP *irp, const IO_STACK_LOCATION *location)
{
    (void)irp;
    set_create(request, location->Parameters.Create.SecurityContext, location->Parameters.Create.Options,
               location->Parameters.Create.FileAttributes, location->Parameters.Create.ShareAccess);
}

static void create_to_block(const struct nv_request *request, FLT_PARAMETERS *parameters, IO_SECURITY_CONTEXT *security)
{
    fill_security(request, security);
    parameters->Create.SecurityContext = security;
    parameters->Create.Options = options_of(request);
    parameters->Create.FileAttributes = request->of.create.attributes;
    parameters->Create.ShareAccess = request->of.create.share;
}

static void create_from_block(struct nv_request *request, const FLT_PARAMETERS *parameters)
{
    set_create(request, parameters->Create.SecurityContext, parameters->Create.Options,
               parameters->Create.FileAttributes, parameters->Create.ShareAccess);
}

/* -- IRP_MJ_READ and IRP_MJ_WRITE, whose parameters lie in the same places -- */

static void transfer_to_irp(const struct nv_request *request, PIRP irp, PIO_STACK_LOCATION location,
                            IO_SECURITY_CONTEXT *security)
{
    (void)security;
    irp->UserBuffer = request->of.transfer.buffer;
    location->Parameters.Read.Length = request->of.transfer.length;
    location->Parameters.Read.ByteOffset.QuadPart = request->of.transfer.offset;
}

static void transfer_from_irp(struct nv_request *request, const IRP *irp, const IO_STACK_LOCATION *location)
{
    request->of.transfer.buffer = irp->UserBuffer;
    request->of.transfer.length = location->Parameters.Read.Length;
    request->of.transfer.offset = location->Parameters.Read.ByteOffset.QuadPart;
}

static void transfer_to_block(const struct nv_request *request, FLT_PARAMETERS *parameters,
                              IO_SECURITY_CONTEXT *security)
{
    (void)security;
    parameters->Read.ReadBuffer = request->of.transfer.buffer;
    parameters->Read.Length = request->of.transfer.length;
    parameters->Read.ByteOffset.QuadPart = request->of.transfer.offset;
}

static void transfer_from_block(struct nv_request *request, const FLT_PARAMETERS *parameters)
{
    request->of.transfer.buffer = parameters->Read.ReadBuffer;
    request->of.transfer.length = parameters->Read.Length;
    request->of.transfer.offset = parameters->Read.ByteOffset.QuadPart;
}

/* -- information: in a stack location it lies in the same places for all of them, in a block it does not -- */

static void information_to_irp(const struct nv_request *request, PIRP irp, PIO_STACK_LOCATION location,
                               IO_SECURITY_CONTEXT *security)
{
    (void)security;
    irp->AssociatedIrp.SystemBuffer = request->of.information.buffer;
    location->Parameters.QueryFile.Length = request->of.information.length;
    location->Parameters.QueryFile.FileInformationClass = (FILE_INFORMATION_CLASS)request->of.information.class;
}

static void information_from_irp(struct nv_request *request, const IRP *irp, const IO_STACK_LOCATION *location)
{
    request->of.information.buffer = irp->AssociatedIrp.SystemBuffer;
    request->of.information.length = location->Parameters.QueryFile.Length;
    request->of.information.class = (ULONG)location->Parameters.QueryFile.FileInformationClass;
}

static void query_to_block(const struct nv_request *request, FLT_PARAMETERS *parameters, IO_SECURITY_CONTEXT *security)
{
    (void)security;
    parameters->QueryFileInformation.InfoBuffer = request->of.information.buffer;
    parameters->QueryFileInformation.Length = request->of.information.length;
    parameters->QueryFileInformation.FileInformationClass = (FILE_INFORMATION_CLASS)request->of.information.class;
}

static void query_from_block(struct nv_request *request, const FLT_PARAMETERS *parameters)
{
    request->of.information.buffer = parameters->QueryFileInformation.InfoBuffer;
    request->of.information.length = parameters->QueryFileInformation.Length;
    request->of.information.class = (ULONG)parameters->QueryFileInformation.FileInformationClass;
}

static void set_to_block(const struct nv_request *request, FLT_PARAMETERS *parameters, IO_SECURITY_CONTEXT *security)
{
    (void)security;
    parameters->SetFileInformation.InfoBuffer = request->of.information.buffer;
    parameters->SetFileInformation.Length = request->of.information.length;
    parameters->SetFileInformation.FileInformationClass = (FILE_INFORMATION_CLASS)request->of.information.class;
}

static void set_from_block(struct nv_request *request, const FLT_PARAMETERS *parameters)
{
    request->of.information.buffer = parameters->SetFileInformation.InfoBuffer;
    request->of.information.length = parameters->SetFileInformation.Length;
    request->of.information.class = (ULONG)parameters->SetFileInformation.FileInformationClass;
}

/* -- by major function -- */

struct form {
    ULONG flags; /* IRP_ */
    void (*to_irp)(const struct nv_request *, PIRP, PIO_STACK_LOCATION, IO_SECURITY_CONTEXT *);
    void (*from_irp)(struct nv_request *, const IRP *, const IO_STACK_LOCATION *);
    void (*to_block)(const struct nv_request *, FLT_PARAMETERS *, IO_SECURITY_CONTEXT *);
    void (*from_block)(struct nv_request *, const FLT_PARAMETERS *);
};

/* The others have no parameters. */
static const struct form forms[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
    [IRP_MJ_CREATE] = {IRP_CREATE_OPERATION, create_to_irp, create_from_irp, create_to_block, create_from_block},
    [IRP_MJ_CLOSE] = {.flags = IRP_CLOSE_OPERATION},
    [IRP_MJ_READ] = {IRP_READ_OPERATION, transfer_to_irp, transfer_from_irp, transfer_to_block, transfer_from_block},
    [IRP_MJ_WRITE] = {IRP_WRITE_OPERATION, transfer_to_irp, transfer_from_irp, transfer_to_block, transfer_from_block},
    [IRP_MJ_QUERY_INFORMATION] = {0, information_to_irp, information_from_irp, query_to_block, query_from_block},
    [IRP_MJ_SET_INFORMATION] = {0, information_to_irp, information_from_irp, set_to_block, set_from_block},
    [IRP_MJ_QUERY_VOLUME_INFORMATION] = {0, information_to_irp, information_from_irp, query_to_block, query_from_block},
};

static const struct form *form_of(UCHAR major)
{
    return &forms[major <= IRP_MJ_MAXIMUM_FUNCTION ? major : IRP_MJ_CLEANUP];
}

static ULONG irp_flags(const struct nv_request *request)
{
    bool transfers = request->major == IRP_MJ_READ || request->major == IRP_MJ_WRITE;
    bool uncached = transfers && (request->file->shown.Flags & FO_NO_INTERMEDIATE_BUFFERING);
    return form_of(request->major)->flags | IRP_SYNCHRONOUS_API | (uncached ? IRP_NOCACHE : 0);
}

void nv_parameters_to_irp(const struct nv_request *request, PIRP irp, PIO_STACK_LOCATION location,
                          IO_SECURITY_CONTEXT *security)
{
    const struct form *form = form_of(request->major);
    location->MajorFunction = request->major;
    location->MinorFunction = request->minor;
    location->Flags = request->stack_flags;
    location->FileObject = &request->file->shown;
    irp->Flags = irp_flags(request);
    irp->Tail.Overlay.OriginalFileObject = location->FileObject;
    if (form->to_irp)
        form->to_irp(request, irp, location, security);
}

void nv_parameters_from_irp(struct nv_request *request, const IRP *irp, const IO_STACK_LOCATION *location)
{
    const struct form *form = form_of(location->MajorFunction);
    request->major = location->MajorFunction;
    request->minor = location->MinorFunction;
    request->stack_flags = location->Flags;
    request->file = nv_file_of(location->FileObject);
    if (form->from_irp)
        form->from_irp(request, irp, location);
}

void nv_parameters_to_block(const struct nv_request *request, FLT_IO_PARAMETER_BLOCK *block,
                            IO_SECURITY_CONTEXT *security)
{
    const struct form *form = form_of(request->major);
    *block = (FLT_IO_PARAMETER_BLOCK){
        .IrpFlags = irp_flags(request),
        .MajorFunction = request->major,
        .MinorFunction = request->minor,
        .OperationFlags = request->stack_flags,
        .TargetFileObject = &request->file->shown,
    };
    if (form->to_block)
        form->to_block(request, &block->Parameters, security);
}

void nv_parameters_from_block(struct nv_request *request, const FLT_IO_PARAMETER_BLOCK *block)
{
    const struct form *form = form_of(block->MajorFunction);
    request->major = block->MajorFunction;
    request->minor = block->MinorFunction;
    request->stack_flags = block->OperationFlags;
    request->file = nv_file_of(block->TargetFileObject);
    if (form->from_block)
        form->from_block(request, &block->Parameters);
}
