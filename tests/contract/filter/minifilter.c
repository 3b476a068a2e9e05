/* SPDX-License-Identifier: MIT */
/* Minifilters on real files: in which order they are called, and what they can do with requests. */
#include "tests/contract/filter/mini_filter.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

static HANDLE file;
static FILE_OBJECT *opened;

static NTSTATUS flush(void)
{
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    NTSTATUS status = NtFlushBuffersFile(file, &io);
    assert_status(io.Status, status);
    return status;
}

/* -- order -- */

/* Altitudes are numbers, however long: 9 < 10 < 100.25 < 100.5 < 100.50000000000000000000001 < 40000000000000000000. */
static void altitudes_are_numbers(void **state)
{
    (void)state;
    struct mini_filter filters[] = {
        {'D', "100.5", NULL, note_before, note_after},
        {'F', "40000000000000000000", NULL, note_before, note_after},
        {'A', "9", NULL, note_before, note_after},
        {'E', "100.50000000000000000000001", NULL, note_before, note_after},
        {'B', "10", NULL, note_before, note_after},
        {'C', "0100.25", NULL, note_before, note_after},
    };
    for (int i = 0; i < 6; i++)
        mini_filter_load(&filters[i]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "FEDCBAabcdef");
    mini_filter_unload(&filters[3]);
    mini_filter_unload(&filters[5]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "FDBAabdf");
    mini_filter_unload(&filters[0]);
    mini_filter_unload(&filters[1]);
    mini_filter_unload(&filters[2]);
    mini_filter_unload(&filters[4]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
}

/* Without an altitude, each comes above the others. */
static void altitudes_by_default(void **state)
{
    (void)state;
    struct mini_filter filters[] = {{'A', "99.5", NULL, note_before, note_after},
                                    {'B', NULL, NULL, note_before, note_after},
                                    {'C', NULL, NULL, note_before, note_after}};
    for (int i = 0; i < 3; i++)
        mini_filter_load(&filters[i]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "CBAabc");
    for (int i = 0; i < 3; i++)
        mini_filter_unload(&filters[i]);
}

static NTSTATUS NTAPI note_irp(PDEVICE_OBJECT device, PIRP irp)
{
    journal_write(legacy_filter_of(device)->name);
    NTSTATUS status = legacy_filter_forward(device, irp);
    journal_write((char)(legacy_filter_of(device)->name + 'a' - 'A'));
    return legacy_filter_complete(irp, status, irp->IoStatus.Information);
}

/* Legacy filters are above all minifilters, whoever came first. */
static void legacy_filters_are_above(void **state)
{
    (void)state;
    struct legacy_filter legacy = {'L', .dispatch = note_irp};
    struct mini_filter below = {'A', "1", NULL, note_before, note_after}, later = {'B', "2", NULL, note_before, NULL};
    mini_filter_load(&below);
    legacy_filter_load(&legacy);
    mini_filter_load(&later);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "LBAal");
    mini_filter_unload(&below);
    legacy_filter_unload(&legacy);
    mini_filter_unload(&later);
}

/* -- what a callback returns -- */

static FLT_PREOP_CALLBACK_STATUS verdict;
static NTSTATUS result;

static FLT_PREOP_CALLBACK_STATUS NTAPI decide(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    (void)note_before(data, objects, context);
    if (verdict == FLT_PREOP_COMPLETE)
        data->IoStatus = (IO_STATUS_BLOCK){.Status = result, .Information = 5};
    return verdict;
}

static void verdicts(void **state)
{
    (void)state;
    static const struct {
        FLT_PREOP_CALLBACK_STATUS verdict;
        const char *journal;
    } rows[] = {
        {FLT_PREOP_SUCCESS_WITH_CALLBACK, "CBAabc"},
        {FLT_PREOP_SUCCESS_NO_CALLBACK, "CBAac"},
        {FLT_PREOP_SYNCHRONIZE, "CBAabc"},
        {FLT_PREOP_DISALLOW_FASTIO, "CBAac"},
        {FLT_PREOP_COMPLETE, "CBc"},
    };
    struct mini_filter filters[] = {{'A', "1", NULL, note_before, note_after},
                                    {'B', "2", NULL, decide, note_after},
                                    {'C', "3", NULL, note_before, note_after}};
    IO_STATUS_BLOCK io;
    for (int i = 0; i < 3; i++)
        mini_filter_load(&filters[i]);
    result = STATUS_DISK_FULL;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool completes = rows[i].verdict == FLT_PREOP_COMPLETE;
        verdict = rows[i].verdict;
        assert_status(NtFlushBuffersFile(file, &io), completes ? STATUS_DISK_FULL : STATUS_SUCCESS);
        assert_int_equal(io.Information, completes ? 5 : 0);
        assert_string_equal(journal_read(), rows[i].journal);
    }
    verdict = FLT_PREOP_COMPLETE; /* with what would have to be waited for */
    result = STATUS_PENDING;
    assert_status(flush(), STATUS_UNSUCCESSFUL);
    (void)journal_read();
    for (int i = 0; i < 3; i++)
        mini_filter_unload(&filters[i]);
}

static FLT_POSTOP_CALLBACK_STATUS NTAPI spoil(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID context,
                                              FLT_POST_OPERATION_FLAGS flags)
{
    journal_write(NT_SUCCESS(data->IoStatus.Status) ? 's' : 'x');
    data->IoStatus.Status = STATUS_IO_DEVICE_ERROR;
    return note_after(data, objects, context, flags);
}

/* A status that is changed afterwards is what those above see, and the caller. */
static void changes_the_status(void **state)
{
    (void)state;
    struct mini_filter filter = {'A', "1", NULL, note_before, spoil};
    mini_filter_load(&filter);
    assert_status(flush(), STATUS_IO_DEVICE_ERROR);
    assert_string_equal(journal_read(), "Asa");
    mini_filter_unload(&filter);
}

/* -- pending -- */

static PFLT_CALLBACK_DATA pended;
static pthread_t resumer;

static void *resume(void *context)
{
    if (verdict == FLT_PREOP_COMPLETE)
        pended->IoStatus.Status = STATUS_CANCELLED;
    FltCompletePendedPreOperation(pended, verdict, context);
    return NULL;
}

static FLT_PREOP_CALLBACK_STATUS NTAPI pend(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    (void)note_before(data, objects, context);
    pended = data;
    if (pthread_create(&resumer, NULL, resume, mini_filter_of(objects)) != 0)
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    return FLT_PREOP_PENDING;
}

static void *resume_afterwards(void *data)
{
    FltCompletePendedPostOperation(data);
    return NULL;
}

static FLT_POSTOP_CALLBACK_STATUS NTAPI pend_afterwards(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                        PVOID context, FLT_POST_OPERATION_FLAGS flags)
{
    (void)note_after(data, objects, context, flags);
    data->IoStatus.Status = STATUS_CANCELLED;
    if (pthread_create(&resumer, NULL, resume_afterwards, data) != 0)
        return FLT_POSTOP_FINISHED_PROCESSING;
    return FLT_POSTOP_MORE_PROCESSING_REQUIRED;
}

static void pending(void **state)
{
    (void)state;
    struct mini_filter below = {'A', "1", NULL, note_before, note_after}, filter = {'B', "2", NULL, pend, note_after};
    mini_filter_load(&below);
    mini_filter_load(&filter);
    verdict = FLT_PREOP_SUCCESS_WITH_CALLBACK;
    assert_status(flush(), STATUS_SUCCESS);
    pthread_join(resumer, NULL);
    assert_string_equal(journal_read(), "BAab");
    verdict = FLT_PREOP_SUCCESS_NO_CALLBACK;
    assert_status(flush(), STATUS_SUCCESS);
    pthread_join(resumer, NULL);
    assert_string_equal(journal_read(), "BAa");
    verdict = FLT_PREOP_COMPLETE;
    assert_status(flush(), STATUS_CANCELLED);
    pthread_join(resumer, NULL);
    assert_string_equal(journal_read(), "B");
    mini_filter_unload(&filter);

    struct mini_filter later = {'B', "2", NULL, note_before, pend_afterwards};
    mini_filter_load(&later);
    assert_status(flush(), STATUS_CANCELLED);
    pthread_join(resumer, NULL);
    assert_string_equal(journal_read(), "BAab");
    mini_filter_unload(&later);
    mini_filter_unload(&below);
}

/* -- parameters -- */

static bool says_so;

static FLT_PREOP_CALLBACK_STATUS NTAPI change(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    (void)objects;
    (void)context;
    data->Iopb->MinorFunction = IRP_MN_FLUSH_DATA_SYNC_ONLY;
    if (says_so)
        FltSetCallbackDataDirty(data);
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
}

static FLT_POSTOP_CALLBACK_STATUS NTAPI note_minor_after(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                         PVOID context, FLT_POST_OPERATION_FLAGS flags)
{
    (void)objects;
    (void)context;
    (void)flags;
    journal_write((char)('0' + data->Iopb->MinorFunction));
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static FLT_PREOP_CALLBACK_STATUS NTAPI note_minor(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                  PVOID *context)
{
    bool right = FLT_IS_IRP_OPERATION(data) && data->RequestorMode == UserMode && FltIsOperationSynchronous(data) &&
                 data->Thread == PsGetCurrentThread() && objects->FileObject == opened &&
                 data->Iopb->TargetFileObject == opened && objects->Size == sizeof(*objects) && *context == NULL;
    journal_write(right ? (char)('0' + data->Iopb->MinorFunction) : 'x');
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
}

/* Only what a filter says it changed is changed, and only for those below. */
static void changes_parameters(void **state)
{
    (void)state;
    struct mini_filter below = {'A', "1", NULL, note_minor, note_minor_after},
                       filter = {'B', "2", NULL, change, note_minor_after},
                       above = {'C', "3", NULL, note_minor, note_minor_after};
    mini_filter_load(&below);
    mini_filter_load(&filter);
    mini_filter_load(&above);
    says_so = false;
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "00000");
    says_so = true;
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "04400");
    mini_filter_unload(&above);
    mini_filter_unload(&filter);
    mini_filter_unload(&below);
}

static FLT_PREOP_CALLBACK_STATUS NTAPI note_data(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    static const char names[] = {
        [IRP_MJ_CREATE] = 'C',         [IRP_MJ_READ] = 'R',    [IRP_MJ_WRITE] = 'W',
        [IRP_MJ_CLOSE] = 'c',          [IRP_MJ_CLEANUP] = 'u', [IRP_MJ_QUERY_INFORMATION] = 'Q',
        [IRP_MJ_SET_INFORMATION] = 'S'};
    const FLT_PARAMETERS *of = &data->Iopb->Parameters;
    UCHAR major = data->Iopb->MajorFunction;
    bool right = true;
    (void)objects;
    (void)context;
    if (major == IRP_MJ_READ)
        right = of->Read.Length == 3 && of->Read.ByteOffset.QuadPart == 2 && of->Read.ReadBuffer;
    if (major == IRP_MJ_WRITE)
        right =
            of->Write.Length == 2 && of->Write.ByteOffset.QuadPart == 1 && memcmp(of->Write.WriteBuffer, "ab", 2) == 0;
    if (major == IRP_MJ_CREATE)
        right = of->Create.Options >> 24 == FILE_OPEN && of->Create.ShareAccess == ALL_SHARED &&
                of->Create.SecurityContext->DesiredAccess == RW;
    if (major == IRP_MJ_QUERY_INFORMATION)
        right = of->QueryFileInformation.FileInformationClass == FileStandardInformation &&
                of->QueryFileInformation.Length == sizeof(FILE_STANDARD_INFORMATION);
    if (major == IRP_MJ_SET_INFORMATION)
        right = of->SetFileInformation.FileInformationClass == FileEndOfFileInformation &&
                ((FILE_END_OF_FILE_INFORMATION *)of->SetFileInformation.InfoBuffer)->EndOfFile.QuadPart == 4;
    journal_write(right ? names[major] : 'x');
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

static const FLT_OPERATION_REGISTRATION all_operations[] = {
    {IRP_MJ_CREATE, 0, note_data, NULL, NULL},
    {IRP_MJ_READ, 0, note_data, NULL, NULL},
    {IRP_MJ_WRITE, 0, note_data, NULL, NULL},
    {IRP_MJ_QUERY_INFORMATION, 0, note_data, NULL, NULL},
    {IRP_MJ_SET_INFORMATION, 0, note_data, NULL, NULL},
    {IRP_MJ_CLEANUP, 0, note_data, NULL, NULL},
    {IRP_MJ_CLOSE, 0, note_data, NULL, NULL},
    {IRP_MJ_NETWORK_QUERY_OPEN, 0, note_data, NULL, NULL}, /* never comes */
    {.MajorFunction = IRP_MJ_OPERATION_END},
};

static void sees_every_request(void **state)
{
    (void)state;
    struct mini_filter filter = {'A', "1", .operations = all_operations};
    LARGE_INTEGER offset = {.QuadPart = 2};
    FILE_STANDARD_INFORMATION standard;
    FILE_END_OF_FILE_INFORMATION size = {.EndOfFile.QuadPart = 4};
    char buffer[4] = "";
    IO_STATUS_BLOCK io;
    HANDLE other;
    make_file("other", "content");
    mini_filter_load(&filter);
    assert_status(nt_create(&other, RW, "other", &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS), STATUS_SUCCESS);
    assert_status(NtReadFile(other, NULL, NULL, NULL, &io, buffer, 3, &offset, NULL), STATUS_SUCCESS);
    assert_string_equal(buffer, "nte");
    offset.QuadPart = 1;
    assert_status(NtWriteFile(other, NULL, NULL, NULL, &io, (PVOID) "ab", 2, &offset, NULL), STATUS_SUCCESS);
    assert_int_equal(io.Information, 2);
    assert_status(NtQueryInformationFile(other, &io, &standard, sizeof(standard), FileStandardInformation),
                  STATUS_SUCCESS);
    assert_int_equal(standard.EndOfFile.QuadPart, 7);
    assert_status(NtSetInformationFile(other, &io, &size, sizeof(size), FileEndOfFileInformation), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "CRWQSuc");
    mini_filter_unload(&filter);
}

/* -- requests of its own -- */

static ULONG flush_type;

static FLT_PREOP_CALLBACK_STATUS NTAPI flush_below(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                   PVOID *context)
{
    (void)note_before(data, objects, context);
    data->IoStatus.Status = flush_type ? FltFlushBuffers2(objects->Instance, objects->FileObject, flush_type, data)
                                       : FltFlushBuffers(objects->Instance, objects->FileObject);
    return FLT_PREOP_COMPLETE;
}

static FLT_PREOP_CALLBACK_STATUS NTAPI note_generated(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                      PVOID *context)
{
    bool right = data->Flags & FLTFL_CALLBACK_DATA_GENERATED_IO && data->RequestorMode == KernelMode;
    (void)objects;
    (void)context;
    journal_write(right ? (char)('0' + data->Iopb->MinorFunction) : 'x');
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

/* They go to the filters below; and their types have numbers of their own. */
static void flushes_below(void **state)
{
    (void)state;
    static const struct {
        ULONG type;
        const char *journal;
    } rows[] = {{0, "BA0"},
                {FLT_FLUSH_TYPE_FLUSH_AND_PURGE, "BA1"},
                {FLT_FLUSH_TYPE_FILE_DATA_ONLY, "BA2"},
                {FLT_FLUSH_TYPE_NO_SYNC, "BA3"},
                {FLT_FLUSH_TYPE_DATA_SYNC_ONLY, "BA4"}};
    struct mini_filter below = {'0', "1", NULL, note_generated, NULL}, filter = {'A', "2", NULL, flush_below, NULL},
                       above = {'B', "3", NULL, note_before, NULL};
    mini_filter_load(&below);
    mini_filter_load(&filter);
    mini_filter_load(&above);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        flush_type = rows[i].type;
        assert_status(flush(), STATUS_SUCCESS);
        assert_string_equal(journal_read(), rows[i].journal);
    }
    flush_type = FLT_FLUSH_TYPE_FILE_DATA_ONLY | FLT_FLUSH_TYPE_NO_SYNC;
    assert_status(flush(), STATUS_INVALID_PARAMETER);
    flush_type = 16;
    assert_status(flush(), STATUS_INVALID_PARAMETER);
    assert_string_equal(journal_read(), "BABA");
    mini_filter_unload(&above);
    mini_filter_unload(&filter);
    mini_filter_unload(&below);
}

static void flush_types_of_folders(void **state)
{
    (void)state;
    struct mini_filter filter = {'A', "1", NULL, note_before, NULL};
    PVOID folder_object;
    PFLT_INSTANCE instance;
    PFLT_VOLUME volume;
    assert_int_equal(mkdir("folder", 0700), 0);
    HANDLE folder = nt_open("folder", FILE_LIST_DIRECTORY);
    mini_filter_load(&filter);
    assert_status(ObReferenceObjectByHandle(folder, 0, NULL, KernelMode, &folder_object, NULL), STATUS_SUCCESS);
    assert_status(FltGetVolumeFromFileObject(filter.filter, folder_object, &volume), STATUS_SUCCESS);
    assert_status(FltGetVolumeInstanceFromName(filter.filter, volume, NULL, &instance), STATUS_SUCCESS);
    assert_status(FltFlushBuffers(instance, folder_object), STATUS_SUCCESS);
    assert_status(FltFlushBuffers2(instance, folder_object, FLT_FLUSH_TYPE_DATA_SYNC_ONLY, NULL),
                  STATUS_INVALID_PARAMETER);
    assert_string_equal(journal_read(), "");
    FltObjectDereference(instance);
    FltObjectDereference(volume);
    ObDereferenceObject(folder_object);
    mini_filter_unload(&filter);
    assert_status(NtClose(folder), STATUS_SUCCESS);
}

static FLT_PREOP_CALLBACK_STATUS NTAPI transfer_below(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                      PVOID *context)
{
    LARGE_INTEGER offset = {.QuadPart = 1};
    FILE_STANDARD_INFORMATION standard = {0};
    char buffer[3] = "";
    ULONG bytes = 0;
    (void)context;
    bool right = FltWriteFile(objects->Instance, objects->FileObject, &offset, 2, (PVOID) "xy", 0, &bytes, NULL,
                              NULL) == STATUS_SUCCESS &&
                 bytes == 2 &&
                 FltReadFile(objects->Instance, objects->FileObject, &offset, 2, buffer, 0, &bytes, NULL, NULL) ==
                     STATUS_SUCCESS &&
                 strcmp(buffer, "xy") == 0 &&
                 FltQueryInformationFile(objects->Instance, objects->FileObject, &standard, sizeof(standard),
                                         FileStandardInformation, &bytes) == STATUS_SUCCESS &&
                 standard.EndOfFile.QuadPart == 7 && bytes == sizeof(standard);
    data->IoStatus.Status = right ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    return FLT_PREOP_COMPLETE;
}

static void reads_and_writes_below(void **state)
{
    (void)state;
    struct mini_filter filter = {'A', "1", NULL, transfer_below, NULL};
    mini_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    mini_filter_unload(&filter);
}

static __thread bool nested;

static FLT_PREOP_CALLBACK_STATUS NTAPI flush_by_handle(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                       PVOID *context)
{
    IO_STATUS_BLOCK io;
    (void)note_before(data, objects, context);
    if (nested)
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    nested = true;
    data->IoStatus.Status = ZwFlushBuffersFile(file, &io);
    nested = false;
    return FLT_PREOP_COMPLETE;
}

/* A Zw flush from a callback is not what one should do; it comes from the top again, and ends. */
static void calls_zw_functions(void **state)
{
    (void)state;
    struct mini_filter above = {'B', "2", NULL, note_before, note_after},
                       filter = {'A', "1", NULL, flush_by_handle, NULL};
    mini_filter_load(&filter);
    mini_filter_load(&above);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "BABAbb");
    mini_filter_unload(&above);
    mini_filter_unload(&filter);
}

/* -- instances -- */

static NTSTATUS setup_status;

static NTSTATUS NTAPI setup(PCFLT_RELATED_OBJECTS objects, FLT_INSTANCE_SETUP_FLAGS flags, DEVICE_TYPE device_type,
                            FLT_FILESYSTEM_TYPE type)
{
    bool right = objects->Instance && objects->Volume && objects->Filter && !objects->FileObject &&
                 device_type == FILE_DEVICE_DISK_FILE_SYSTEM && type == FLT_FSTYPE_UNKNOWN;
    journal_write(!right ? 'x' : flags & FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT ? 's' : 'm');
    return setup_status;
}

static NTSTATUS NTAPI query(PCFLT_RELATED_OBJECTS objects, FLT_INSTANCE_QUERY_TEARDOWN_FLAGS flags)
{
    (void)objects;
    (void)flags;
    journal_write('q');
    return setup_status;
}

static VOID NTAPI teardown_start(PCFLT_RELATED_OBJECTS objects, FLT_INSTANCE_TEARDOWN_FLAGS reason)
{
    (void)objects;
    journal_write(reason == FLTFL_INSTANCE_TEARDOWN_MANUAL          ? 'd'
                  : reason == FLTFL_INSTANCE_TEARDOWN_FILTER_UNLOAD ? 'u'
                                                                    : 'x');
}

static VOID NTAPI teardown_complete(PCFLT_RELATED_OBJECTS objects, FLT_INSTANCE_TEARDOWN_FLAGS reason)
{
    teardown_start(objects, reason);
    journal_write('.');
}

static PFLT_VOLUME volume_of(struct mini_filter *filter)
{
    PFLT_VOLUME volume;
    assert_status(FltGetVolumeFromFileObject(filter->filter, opened, &volume), STATUS_SUCCESS);
    return volume;
}

static UNICODE_STRING string(const WCHAR *text)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, text);
    return string;
}

static void instances_come_and_go(void **state)
{
    (void)state;
    struct mini_filter filter = {.name = 'A',
                                 .altitude = "5",
                                 .before = note_before,
                                 .setup = setup,
                                 .query = query,
                                 .teardown_start = teardown_start,
                                 .teardown_complete = teardown_complete};
    UNICODE_STRING name = string(u"second"), altitude = string(u"7.5"), none = string(u"none"), bad = string(u"7.");
    PFLT_INSTANCE instance = NULL, found = NULL;
    PFLT_FILTER its_filter;
    setup_status = STATUS_FLT_DO_NOT_ATTACH;
    mini_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "s"); /* it did not want the volume */
    PFLT_VOLUME volume = volume_of(&filter);
    assert_status(FltGetVolumeInstanceFromName(filter.filter, volume, NULL, &found), STATUS_FLT_INSTANCE_NOT_FOUND);

    setup_status = STATUS_SUCCESS;
    assert_status(FltAttachVolume(filter.filter, volume, NULL, NULL), STATUS_SUCCESS);
    assert_status(FltAttachVolume(filter.filter, volume, NULL, NULL), STATUS_FLT_INSTANCE_NAME_COLLISION);
    assert_status(FltAttachVolume(filter.filter, volume, &name, NULL), STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    assert_status(FltAttachVolumeAtAltitude(filter.filter, volume, &bad, &name, NULL), STATUS_INVALID_PARAMETER);
    assert_status(FltAttachVolumeAtAltitude(filter.filter, volume, &altitude, &name, &instance), STATUS_SUCCESS);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "mmAA");
    assert_status(FltGetVolumeInstanceFromName(filter.filter, volume, &name, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, instance);
    assert_status(FltGetFilterFromInstance(instance, &its_filter), STATUS_SUCCESS);
    assert_ptr_equal(its_filter, filter.filter);
    FltObjectDereference(its_filter);

    assert_status(FltDetachVolume(filter.filter, volume, &none), STATUS_FLT_INSTANCE_NOT_FOUND);
    setup_status = STATUS_FLT_DO_NOT_DETACH;
    assert_status(FltDetachVolume(filter.filter, volume, &name), STATUS_FLT_DO_NOT_DETACH);
    setup_status = STATUS_SUCCESS;
    assert_status(FltDetachVolume(filter.filter, volume, &name), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "qqdd.");
    assert_status(FltObjectReference(instance), STATUS_SUCCESS); /* two references keep what is left of it */
    FltObjectDereference(instance);
    FltObjectDereference(instance);
    FltObjectDereference(found);
    assert_status(flush(), STATUS_SUCCESS);
    mini_filter_unload(&filter);
    assert_string_equal(journal_read(), "Auu.");
    assert_status(FltObjectReference(&filter), STATUS_FLT_DELETING_OBJECT);
}

/* A volume whose first file is opened after the filter was started; one that the filter is not to hear of. */
static void volumes_come_later(void **state)
{
    (void)state;
    struct mini_filter everywhere = {'A', "1", .before = note_before, .setup = setup},
                       elsewhere = {'B', "2", "/proc", note_before, .setup = setup};
    setup_status = STATUS_SUCCESS;
    everywhere.volume = "/dev/shm";
    mini_filter_load(&elsewhere);
    assert_string_equal(journal_read(), "s");
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
    mini_filter_load(&everywhere);
    assert_string_equal(journal_read(), "s");
    mini_filter_unload(&everywhere);
    mini_filter_unload(&elsewhere);
}

static void refuses_to_be_unloaded(void **state)
{
    (void)state;
    struct mini_filter filter = {'A', "1", .before = note_before, .refuses_to_unload = STATUS_FLT_DO_NOT_DETACH};
    mini_filter_load(&filter);
    assert_status(NvrtlUnloadDriver(filter.driver), STATUS_FLT_DO_NOT_DETACH);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "A");
    filter.refuses_to_unload = STATUS_SUCCESS;
    mini_filter_unload(&filter);
}

static KEVENT entered, leave;

/* Only the first request stays. */
static FLT_PREOP_CALLBACK_STATUS NTAPI stay(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    static bool stayed;
    if (stayed)
        return note_before(data, objects, context);
    stayed = true;
    KeSetEvent(&entered, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&leave, Executive, KernelMode, FALSE, NULL);
    return note_before(data, objects, context);
}

static void *flush_in_thread(void *status)
{
    IO_STATUS_BLOCK io;
    *(NTSTATUS *)status = NtFlushBuffersFile(file, &io);
    return NULL;
}

static void *unload_in_thread(void *filter)
{
    (void)NvrtlUnloadDriver(((struct mini_filter *)filter)->driver);
    journal_write('U');
    return NULL;
}

/* Requests in flight are waited for, to their post-operation callback; new ones pass by meanwhile. */
static void unloads_while_a_request_is_there(void **state)
{
    (void)state;
    struct mini_filter filter = {
        .name = 'A', .altitude = "1", .before = stay, .after = note_after, .teardown_start = teardown_start};
    pthread_t flusher, unloader;
    NTSTATUS status = STATUS_PENDING;
    KeInitializeEvent(&entered, SynchronizationEvent, FALSE);
    KeInitializeEvent(&leave, SynchronizationEvent, FALSE);
    mini_filter_load(&filter);
    assert_int_equal(pthread_create(&flusher, NULL, flush_in_thread, &status), 0);
    KeWaitForSingleObject(&entered, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(pthread_create(&unloader, NULL, unload_in_thread, &filter), 0);
    do {
        assert_status(flush(), STATUS_SUCCESS);
    } while (strchr(journal_read(), 'A'));
    KeSetEvent(&leave, IO_NO_INCREMENT, FALSE);
    pthread_join(flusher, NULL);
    pthread_join(unloader, NULL);
    assert_status(status, STATUS_SUCCESS);
    assert_string_equal(journal_read(), "AaU");
    mini_filter_forget(&filter);
}

static FLT_PREOP_CALLBACK_STATUS NTAPI detach_itself(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                     PVOID *context)
{
    NTSTATUS status = FltDetachVolume(objects->Filter, objects->Volume, NULL);
    journal_write(status == STATUS_SUCCESS ? '-' : 'x');
    return note_before(data, objects, context);
}

/* From inside a request there is no waiting: it goes on, and the instance is called for it to its end. */
static void detaches_inside_a_request(void **state)
{
    (void)state;
    struct mini_filter filter = {
        .name = 'A', .altitude = "1", .before = detach_itself, .after = note_after, .query = query};
    setup_status = STATUS_SUCCESS;
    mini_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "q-Aa");
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
    mini_filter_unload(&filter);
}

/* -- what a filter does not want to see -- */

static void skips(void **state)
{
    (void)state;
    static const FLT_OPERATION_REGISTRATION operations[] = {
        {IRP_MJ_READ, FLTFL_OPERATION_REGISTRATION_SKIP_CACHED_IO, note_data, NULL, NULL},
        {IRP_MJ_FLUSH_BUFFERS, FLTFL_OPERATION_REGISTRATION_SKIP_NON_DASD_IO, note_before, NULL, NULL},
        {IRP_MJ_WRITE, FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO, note_data, NULL, NULL},
        {.MajorFunction = IRP_MJ_OPERATION_END},
    };
    struct mini_filter filter = {'A', "1", .operations = operations};
    LARGE_INTEGER offset = {.QuadPart = 1};
    char buffer[4];
    IO_STATUS_BLOCK io;
    mini_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_status(NtReadFile(file, NULL, NULL, NULL, &io, buffer, 3, &offset, NULL), STATUS_SUCCESS);
    assert_status(NtWriteFile(file, NULL, NULL, NULL, &io, (PVOID) "ab", 2, &offset, NULL), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "W");
    mini_filter_unload(&filter);
}

/* -- registering -- */

static NTSTATUS NTAPI register_wrongly(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    static const FLT_CONTEXT_REGISTRATION contexts[] = {{.ContextType = FLT_INSTANCE_CONTEXT | FLT_VOLUME_CONTEXT},
                                                        {.ContextType = FLT_CONTEXT_END}};
    FLT_REGISTRATION registration = {.Size = sizeof(FLT_REGISTRATION), .Version = FLT_REGISTRATION_VERSION_0200};
    PFLT_FILTER filter;
    (void)path;
    registration.Size++;
    journal_write(FltRegisterFilter(driver, &registration, &filter) == STATUS_INVALID_PARAMETER ? '.' : 'x');
    registration.Size = 8;
    journal_write(FltRegisterFilter(driver, &registration, &filter) == STATUS_INVALID_PARAMETER ? '.' : 'x');
    registration.Size = sizeof(registration);
    registration.Version = 0x0300;
    journal_write(FltRegisterFilter(driver, &registration, &filter) == STATUS_INVALID_PARAMETER ? '.' : 'x');
    registration.Version = FLT_REGISTRATION_VERSION_0200;
    registration.ContextRegistration = contexts;
    journal_write(FltRegisterFilter(driver, &registration, &filter) == STATUS_FLT_INVALID_CONTEXT_REGISTRATION ? '.'
                                                                                                               : 'x');
    registration.ContextRegistration = NULL;
    NTSTATUS status = FltRegisterFilter(driver, &registration, &filter);
    journal_write(status == STATUS_SUCCESS && filter ? '.' : 'x');
    return STATUS_UNSUCCESSFUL; /* and the filter goes with the driver */
}

static void registrations(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver;
    assert_status(NvrtlLoadDriver(register_wrongly, NULL, &driver), STATUS_UNSUCCESSFUL);
    assert_string_equal(journal_read(), ".....");
    assert_string_equal(FltGetIrpName(IRP_MJ_FLUSH_BUFFERS), "IRP_MJ_FLUSH_BUFFERS");
    assert_string_equal(FltGetIrpName(0x40), "IRP_MJ_UNKNOWN");
}

static int begin(void **state)
{
    PVOID object;
    (void)state;
    own_folder_begin(".");
    make_file("file", "content");
    file = nt_open("file", FILE_READ_DATA | FILE_WRITE_DATA);
    if (ObReferenceObjectByHandle(file, 0, *IoFileObjectType, UserMode, &object, NULL) != STATUS_SUCCESS)
        return -1;
    opened = object;
    return 0;
}

static int end(void **state)
{
    (void)state;
    ObDereferenceObject(opened);
    NTSTATUS status = NtClose(file);
    own_folder_end();
    return NT_SUCCESS(status) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(altitudes_are_numbers),
        cmocka_unit_test(altitudes_by_default),
        cmocka_unit_test(legacy_filters_are_above),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(changes_the_status),
        cmocka_unit_test(pending),
        cmocka_unit_test(changes_parameters),
        cmocka_unit_test(sees_every_request),
        cmocka_unit_test(flushes_below),
        cmocka_unit_test(flush_types_of_folders),
        cmocka_unit_test(reads_and_writes_below),
        cmocka_unit_test(calls_zw_functions),
        cmocka_unit_test(instances_come_and_go),
        cmocka_unit_test(volumes_come_later),
        cmocka_unit_test(refuses_to_be_unloaded),
        cmocka_unit_test(unloads_while_a_request_is_there),
        cmocka_unit_test(detaches_inside_a_request),
        cmocka_unit_test(skips),
        cmocka_unit_test(registrations),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
