/* SPDX-License-Identifier: MIT */
/* nvrtl flush: NtFlushBuffersFileEx of files, folders and file systems. Each is tried, whatever became of others. */
#include "cli/command.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <nvrtl/nvrtl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct wish {
    ULONG flags;
    const char *option; /* that set them; NULL: none */
    int first;          /* of the files, in argv */
};

/* How a file is opened to be flushed. */
enum kind { FILE_KIND, FOLDER_KIND, VOLUME_KIND, NO_KIND };
static const struct {
    ACCESS_MASK access;
    ULONG options;
    const char *refusal; /* of flags that are not for it */
} kinds[] = {
    [FILE_KIND] = {FILE_APPEND_DATA, FILE_NON_DIRECTORY_FILE, "not for files"},
    [FOLDER_KIND] = {FILE_ADD_FILE, FILE_DIRECTORY_FILE, "not for folders"},
    [VOLUME_KIND] = {FILE_WRITE_DATA, FILE_NON_DIRECTORY_FILE,
                     "not for a mount point: its whole file system is flushed"},
};

static const struct {
    NTSTATUS status;
    const char *text;
} texts[] = {
    {STATUS_ACCESS_DENIED, "Permission denied"},
    {STATUS_MEDIA_WRITE_PROTECTED, "its file system is mounted for reading only"},
    {STATUS_VOLUME_DISMOUNTED, "its device is gone, or its file system was shut down"},
    {STATUS_IO_DEVICE_ERROR, "its device did not take the data"},
    {STATUS_DEVICE_DATA_ERROR, "its device did not take the data"},
    {STATUS_DISK_FULL, "its device has no room for the data"},
    {STATUS_INVALID_DEVICE_REQUEST, "it cannot be flushed"},
};

static enum kind kind_of(int descriptor)
{
    struct statx status;
    if (statx(descriptor, "", AT_EMPTY_PATH, STATX_TYPE, &status) != 0)
        return NO_KIND;
    if (S_ISREG(status.stx_mode) || S_ISBLK(status.stx_mode))
        return FILE_KIND;
    if (!S_ISDIR(status.stx_mode))
        return NO_KIND; /* to open a pipe or a device is to use it */
    return status.stx_attributes & STATX_ATTR_MOUNT_ROOT ? VOLUME_KIND : FOLDER_KIND;
}

/*
 * Its path, by which filters know it; or its entry in /proc, where the path has what NT names do not have, or is the
 * root's. Returns the length.
 */
static size_t path_of(int descriptor, char *path, size_t room)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, room - 1);
    size_t plain = 0;
    while (length > 1 && plain < (size_t)length && path[plain] >= ' ' && path[plain] <= '~' && path[plain] != '\\')
        plain++;
    path[plain] = '\0';
    return plain > 0 && plain == (size_t)length ? plain : (size_t)snprintf(path, room, "%s", link);
}

static NTSTATUS open_nt(int descriptor, enum kind kind, HANDLE *handle)
{
    static const char root[] = "\\??\\unix";
    char text[sizeof root + PATH_MAX];
    WCHAR buffer[sizeof text];
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    memcpy(text, root, sizeof root - 1);
    size_t length = sizeof root - 1 + path_of(descriptor, text + sizeof root - 1, sizeof text - sizeof root + 1);
    for (size_t i = 0; i < length; i++)
        buffer[i] = (WCHAR)text[i];
    USHORT size_bytes = (USHORT)(length * sizeof *buffer);
    UNICODE_STRING name = {size_bytes, size_bytes, buffer};
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    return NtOpenFile(handle, kinds[kind].access | SYNCHRONIZE, &attributes, &io, FILE_SHARE_VALID_FLAGS,
                      kinds[kind].options | FILE_SYNCHRONOUS_IO_NONALERT);
}

static NTSTATUS flush(int descriptor, enum kind kind, ULONG flags)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    NTSTATUS status = open_nt(descriptor, kind, &handle);
    if (!NT_SUCCESS(status))
        return status;
    status = NtFlushBuffersFileEx(handle, flags, NULL, 0, &io);
    NtClose(handle);
    return status;
}

static void complain(const char *path, NTSTATUS status)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].status == status) {
            fprintf(stderr, "nvrtl flush: %s: %s\n", path, texts[i].text);
            return;
        }
    fprintf(stderr, "nvrtl flush: %s: status 0x%08" PRIX32 "\n", path, (uint32_t)status);
}

static bool flush_path(const char *path, const struct wish *wish)
{
    int descriptor = open(path, O_PATH | O_CLOEXEC);
    if (descriptor < 0) {
        fprintf(stderr, "nvrtl flush: %s: %s\n", path, strerror(errno));
        return false;
    }
    enum kind kind = kind_of(descriptor);
    NTSTATUS status = kind == NO_KIND ? STATUS_INVALID_DEVICE_REQUEST : flush(descriptor, kind, wish->flags);
    close(descriptor);
    if (status == STATUS_INVALID_PARAMETER && wish->option)
        fprintf(stderr, "nvrtl flush: %s: --%s is %s\n", path, wish->option, kinds[kind].refusal);
    else if (!NT_SUCCESS(status))
        complain(path, status);
    return NT_SUCCESS(status);
}

static const struct argp_option options[] = {
    {"data-only", FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, "Hand the data to the device, which is not made to flush", 0},
    {"no-sync", FLUSH_FLAGS_NO_SYNC, NULL, 0, "Data and metadata; the device need not flush", 0},
    {"data-sync-only", FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, "Data, and of the metadata what reading it needs", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct wish *wish = state->input;
    (void)argument;
    for (const struct argp_option *option = options; option->name; option++) {
        if (option->key != key)
            continue;
        if (wish->option && strcmp(wish->option, option->name) != 0)
            argp_error(state, "--%s and --%s do not go together", wish->option, option->name);
        wish->option = option->name;
        wish->flags = (ULONG)key;
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "which FILE is to be flushed?");
    if (key != ARGP_KEY_ARGS)
        return ARGP_ERR_UNKNOWN;
    wish->first = state->next;
    state->next = state->argc;
    return 0;
}

int nv_command_flush(int argc, char **argv)
{
    static const struct argp argp = {options,
                                     parse,
                                     "FILE...",
                                     "Make each FILE durable: a file with its name, a folder's entries, and of a mount "
                                     "point the whole file system.\v"
                                     "Without an option data, metadata and the device itself are flushed. Exit status: "
                                     "1 if a file could not be; the "
                                     "others are.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct wish wish = {0};
    int status = 0;
    if (argp_parse(&argp, argc, argv, 0, NULL, &wish))
        return NV_EXIT_FAILED;
    for (int i = wish.first; i < argc; i++)
        if (!flush_path(argv[i], &wish))
            status = NV_EXIT_NOT_SERVED;
    return status;
}
