/* SPDX-License-Identifier: MIT */
/* Contexts of minifilters, and the names that they ask for. */
#include "tests/contract/filter/mini_filter.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAG 0x74736574

struct content {
    int number;
};

static HANDLE file;
static FILE_OBJECT *opened;

static VOID NTAPI cleanup(PFLT_CONTEXT context, FLT_CONTEXT_TYPE type)
{
    static const char names[] = {
        [FLT_VOLUME_CONTEXT] = 'v', [FLT_INSTANCE_CONTEXT] = 'i', [FLT_STREAMHANDLE_CONTEXT] = 'h'};
    journal_write(names[type]);
    journal_write((char)('0' + ((struct content *)context)->number));
}

static PVOID NTAPI allocate(POOL_TYPE pool, SIZE_T size, FLT_CONTEXT_TYPE type)
{
    (void)pool;
    (void)type;
    journal_write('+');
    return malloc(size);
}

static VOID NTAPI release(PVOID memory, FLT_CONTEXT_TYPE type)
{
    (void)type;
    journal_write('-');
    free(memory);
}

static const FLT_CONTEXT_REGISTRATION registrations[] = {
    {FLT_VOLUME_CONTEXT, 0, cleanup, sizeof(struct content), TAG, NULL, NULL, NULL},
    {FLT_INSTANCE_CONTEXT, 0, cleanup, sizeof(struct content), TAG, allocate, release, NULL},
    {FLT_STREAMHANDLE_CONTEXT, 0, cleanup, FLT_VARIABLE_SIZED_CONTEXTS, TAG, NULL, NULL, NULL},
    {.ContextType = FLT_CONTEXT_END},
};

static struct mini_filter filter;
static PFLT_INSTANCE instance;
static PFLT_VOLUME volume;

static int begin(void **state)
{
    (void)state;
    filter = (struct mini_filter){.name = 'A', .altitude = "1", .before = note_before, .contexts = registrations};
    mini_filter_load(&filter);
    assert_status(FltGetVolumeFromFileObject(filter.filter, opened, &volume), STATUS_SUCCESS);
    assert_status(FltGetVolumeInstanceFromName(filter.filter, volume, NULL, &instance), STATUS_SUCCESS);
    (void)journal_read();
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (filter.driver) {
        FltObjectDereference(instance);
        mini_filter_unload(&filter);
    }
    (void)journal_read();
    return 0;
}

static PFLT_CONTEXT make(FLT_CONTEXT_TYPE type, int number)
{
    PFLT_CONTEXT context;
    assert_status(FltAllocateContext(filter.filter, type, sizeof(struct content), NonPagedPoolNx, &context),
                  STATUS_SUCCESS);
    ((struct content *)context)->number = number;
    return context;
}

static void are_allocated(void **state)
{
    (void)state;
    PFLT_CONTEXT context;
    assert_status(FltAllocateContext(filter.filter, FLT_VOLUME_CONTEXT, 1, PagedPool, &context),
                  STATUS_FLT_CONTEXT_ALLOCATION_NOT_FOUND);
    assert_null(context);
    assert_status(FltAllocateContext(filter.filter, FLT_STREAM_CONTEXT, 4, PagedPool, &context),
                  STATUS_FLT_CONTEXT_ALLOCATION_NOT_FOUND);
    assert_status(FltAllocateContext(filter.filter, FLT_STREAMHANDLE_CONTEXT, 100, PagedPool, &context),
                  STATUS_SUCCESS);
    *(struct content *)context = (struct content){1};
    FltReferenceContext(context);
    FltReleaseContext(context);
    assert_string_equal(journal_read(), "");
    FltReleaseContext(context);
    assert_string_equal(journal_read(), "h1");
    FltReleaseContext(make(FLT_INSTANCE_CONTEXT, 2));
    assert_string_equal(journal_read(), "+i2-");
}

static void of_instances(void **state)
{
    (void)state;
    PFLT_CONTEXT first = make(FLT_INSTANCE_CONTEXT, 1), second = make(FLT_INSTANCE_CONTEXT, 2), old = &filter, found;
    assert_status(FltGetInstanceContext(instance, &found), STATUS_NOT_FOUND);
    assert_null(found);
    assert_status(FltSetInstanceContext(instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, first, &old), STATUS_SUCCESS);
    assert_null(old);
    assert_status(FltSetInstanceContext(instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, first, NULL),
                  STATUS_FLT_CONTEXT_ALREADY_LINKED);
    assert_status(FltSetInstanceContext(instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, second, &old),
                  STATUS_FLT_CONTEXT_ALREADY_DEFINED);
    assert_ptr_equal(old, first);
    FltReleaseContext(old);
    assert_status(FltGetInstanceContext(instance, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, first);
    FltReleaseContext(found);
    FltReleaseContext(first);
    assert_string_equal(journal_read(), "++"); /* it is attached still */
    assert_status(FltSetInstanceContext(instance, FLT_SET_CONTEXT_REPLACE_IF_EXISTS, second, NULL), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "i1-");
    FltReleaseContext(second);
    assert_status(FltDeleteInstanceContext(instance, &old), STATUS_SUCCESS);
    assert_ptr_equal(old, second);
    assert_string_equal(journal_read(), "");
    FltReleaseContext(old);
    assert_string_equal(journal_read(), "i2-");
    assert_status(FltDeleteInstanceContext(instance, NULL), STATUS_NOT_FOUND);
}

static void of_open_files(void **state)
{
    (void)state;
    HANDLE other = nt_open("file", FILE_READ_DATA);
    PVOID object;
    PFLT_CONTEXT first = make(FLT_STREAMHANDLE_CONTEXT, 1), second = make(FLT_STREAMHANDLE_CONTEXT, 2), found;
    assert_status(ObReferenceObjectByHandle(other, 0, NULL, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_true(FltSupportsStreamHandleContexts(object));
    assert_false(FltSupportsStreamContexts(object));
    assert_status(FltSetStreamHandleContext(instance, object, FLT_SET_CONTEXT_KEEP_IF_EXISTS, first, NULL),
                  STATUS_SUCCESS);
    assert_status(FltSetStreamHandleContext(instance, opened, FLT_SET_CONTEXT_KEEP_IF_EXISTS, second, NULL),
                  STATUS_SUCCESS);
    FltReleaseContext(first);
    FltReleaseContext(second);
    assert_status(FltGetStreamHandleContext(instance, opened, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, second);
    FltReleaseContext(found);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
    ObDereferenceObject(object);
    assert_string_equal(journal_read(), "h1"); /* with the last reference to the open file */
    assert_status(FltGetStreamHandleContext(instance, opened, &found), STATUS_SUCCESS);
    FltReleaseContext(found);
    FltDeleteContext(found);
    assert_string_equal(journal_read(), "h2");
    assert_status(FltGetStreamHandleContext(instance, opened, &found), STATUS_NOT_FOUND);
    assert_status(FltDeleteStreamHandleContext(instance, opened, NULL), STATUS_NOT_FOUND);
}

/* What a filter has attached goes with it; what it holds references to, with those. */
static void go_with_the_filter(void **state)
{
    (void)state;
    PFLT_CONTEXT contexts[] = {make(FLT_STREAMHANDLE_CONTEXT, 1), make(FLT_INSTANCE_CONTEXT, 2),
                               make(FLT_VOLUME_CONTEXT, 3)};
    PFLT_CONTEXT held, found;
    assert_status(FltSetStreamHandleContext(instance, opened, FLT_SET_CONTEXT_KEEP_IF_EXISTS, contexts[0], NULL),
                  STATUS_SUCCESS);
    assert_status(FltSetInstanceContext(instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, contexts[1], NULL), STATUS_SUCCESS);
    assert_status(FltSetVolumeContext(volume, FLT_SET_CONTEXT_KEEP_IF_EXISTS, contexts[2], NULL), STATUS_SUCCESS);
    assert_status(FltGetVolumeContext(filter.filter, volume, &found), STATUS_SUCCESS);
    assert_ptr_equal(found, contexts[2]);
    FltReleaseContext(found);
    for (int i = 0; i < 3; i++)
        FltReleaseContext(contexts[i]);
    assert_status(FltGetInstanceContext(instance, &held), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "+");
    mini_filter_unload(&filter);
    filter.driver = NULL;
    assert_string_equal(journal_read(), "h1v3");
    assert_status(FltSetInstanceContext(instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, held, NULL),
                  STATUS_FLT_DELETING_OBJECT);
    FltReleaseContext(held);
    assert_string_equal(journal_read(), "i2-");
    FltObjectDereference(instance);
}

/* -- names -- */

static void assert_text(UNICODE_STRING string, const char *text)
{
    char ascii[PATH_MAX] = "";
    for (size_t i = 0; i < string.Length / sizeof(WCHAR); i++)
        ascii[i] = (char)string.Buffer[i];
    assert_string_equal(ascii, text);
}

static void check_name(const char *path, const char *final, const char *extension)
{
    char whole[PATH_MAX + 16], folder[PATH_MAX], parent[PATH_MAX + 8];
    PFLT_FILE_NAME_INFORMATION name;
    PVOID object;
    HANDLE handle = nt_open(path, FILE_READ_DATA);
    assert_non_null(getcwd(folder, sizeof(folder)));
    for (char *at = folder; *at; at++)
        *at = *at == '/' ? '\\' : *at;
    snprintf(whole, sizeof(whole), "\\??\\unix%.4000s\\%s", folder, path);
    snprintf(parent, sizeof(parent), "%.4000s\\", folder);
    assert_status(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_status(
        FltGetFileNameInformationUnsafe(object, NULL, FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT, &name),
        STATUS_SUCCESS);
    assert_text(name->Name, whole);
    assert_text(name->Volume, "\\??\\unix");
    assert_int_equal(name->NamesParsed, 0);
    assert_status(FltParseFileNameInformation(name), STATUS_SUCCESS);
    assert_text(name->FinalComponent, final);
    assert_text(name->Extension, extension);
    assert_text(name->ParentDir, parent);
    assert_text(name->Stream, "");
    FltReferenceFileNameInformation(name);
    FltReleaseFileNameInformation(name);
    FltReleaseFileNameInformation(name);
    ObDereferenceObject(object);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void names_of_files(void **state)
{
    (void)state;
    make_file("some.thing.txt", "");
    make_file("ends.", "");
    check_name("file", "file", "");
    check_name("some.thing.txt", "some.thing.txt", "txt");
    check_name("ends.", "ends.", "");
}

static void no_name(void **state)
{
    (void)state;
    PFLT_FILE_NAME_INFORMATION name;
    WCHAR text[16];
    UNICODE_STRING volume_name;
    ULONG needed = 0;
    PVOID object;
    HANDLE handle;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_status(NvrtlHandleFromFd(ends[0], FILE_READ_DATA, &handle), STATUS_SUCCESS);
    assert_status(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_status(FltGetFileNameInformationUnsafe(object, NULL, FLT_FILE_NAME_OPENED, &name),
                  STATUS_FLT_INVALID_NAME_REQUEST);
    assert_null(name);
    ObDereferenceObject(object);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    close(ends[0]);
    close(ends[1]);
    assert_status(FltGetFileNameInformationUnsafe(opened, NULL, FLT_FILE_NAME_SHORT, &name),
                  STATUS_FLT_INVALID_NAME_REQUEST);
    assert_status(FltGetFileNameInformationUnsafe(opened, NULL, 0, &name), STATUS_INVALID_PARAMETER);
    RtlInitEmptyUnicodeString(&volume_name, text, 4);
    assert_status(FltGetVolumeName(volume, &volume_name, &needed), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(needed, 16);
    RtlInitEmptyUnicodeString(&volume_name, text, sizeof(text));
    assert_status(FltGetVolumeName(volume, &volume_name, NULL), STATUS_SUCCESS);
    assert_text(volume_name, "\\??\\unix");
}

static int begin_all(void **state)
{
    PVOID object;
    (void)state;
    own_folder_begin(".");
    make_file("file", "content");
    file = nt_open("file", FILE_READ_DATA | FILE_WRITE_DATA);
    if (ObReferenceObjectByHandle(file, 0, NULL, KernelMode, &object, NULL) != STATUS_SUCCESS)
        return -1;
    opened = object;
    return 0;
}

static int end_all(void **state)
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
        cmocka_unit_test_setup_teardown(are_allocated, begin, end),
        cmocka_unit_test_setup_teardown(of_instances, begin, end),
        cmocka_unit_test_setup_teardown(of_open_files, begin, end),
        cmocka_unit_test_setup_teardown(go_with_the_filter, begin, end),
        cmocka_unit_test_setup_teardown(names_of_files, begin, end),
        cmocka_unit_test_setup_teardown(no_name, begin, end),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
