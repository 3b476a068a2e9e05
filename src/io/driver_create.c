/* SPDX-License-Identifier: MIT */
/*
 * Owns the opening of files: what each disposition and option means on Linux. Called by the driver for IRP_MJ_CREATE.
 */
#include "src/io/driver.h"
#include "src/io/file.h"
#include "src/io/path.h"
#include "src/io/volume.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READS (FILE_READ_DATA | FILE_EXECUTE)
#define WRITES (FILE_WRITE_DATA | FILE_APPEND_DATA)
#define FACTS (STATX_TYPE | STATX_MODE | STATX_INO)
#define TRIES 16 /* others may make and remove the file all the time; not for ever */

static const struct disposition {
    bool opens;
    bool makes;
    bool empties;
    ULONG opened; /* what is said of a file that was there */
} dispositions[FILE_MAXIMUM_DISPOSITION + 1] = {
    [FILE_SUPERSEDE] = {true, true, true, FILE_SUPERSEDED},
    [FILE_OPEN] = {true, false, false, FILE_OPENED},
    [FILE_CREATE] = {false, true, false, FILE_CREATED},
    [FILE_OPEN_IF] = {true, true, false, FILE_OPENED},
    [FILE_OVERWRITE] = {true, false, true, FILE_OVERWRITTEN},
    [FILE_OVERWRITE_IF] = {true, true, true, FILE_OVERWRITTEN},
};

/* One attempt to open a path. */
struct attempt {
    struct nv_file *file;
    const struct nv_path *path;
    const struct disposition *disposition;
    ACCESS_MASK access;
    ULONG options;
    USHORT attributes;
    struct statx facts; /* of what is there */
    bool is_volume;
    bool is_made; /* by us: if something fails, it goes again */
    int descriptor;
};

static bool is_folder(const struct statx *facts)
{
    return S_ISDIR(facts->stx_mode);
}

static uint64_t device_of(const struct statx *facts)
{
    return makedev(facts->stx_dev_major, facts->stx_dev_minor);
}

/* -- what is there -- */

static NTSTATUS check_folder(struct attempt *attempt)
{
    bool may_be_volume = (attempt->facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) && !attempt->path->ends_in_separator;
    if (attempt->disposition->empties)
        return STATUS_OBJECT_NAME_COLLISION;
    if (!(attempt->options & FILE_NON_DIRECTORY_FILE))
        return STATUS_SUCCESS;
    attempt->is_volume = may_be_volume; /* what is mounted there is no folder */
    return may_be_volume ? STATUS_SUCCESS : STATUS_FILE_IS_A_DIRECTORY;
}

static NTSTATUS check_file(const struct attempt *attempt)
{
    if (S_ISLNK(attempt->facts.stx_mode))
        return STATUS_NOT_SUPPORTED;
    if (attempt->options & FILE_DIRECTORY_FILE)
        return STATUS_NOT_A_DIRECTORY;
    if (attempt->path->ends_in_separator)
        return STATUS_OBJECT_NAME_INVALID;
    if ((attempt->options & FILE_DELETE_ON_CLOSE) && !(attempt->facts.stx_mode & 0222))
        return STATUS_CANNOT_DELETE;
    return STATUS_SUCCESS;
}

static NTSTATUS look(struct attempt *attempt)
{
    int flags = attempt->options & FILE_OPEN_REPARSE_POINT ? AT_SYMLINK_NOFOLLOW : 0;
    const struct nv_path *path = attempt->path;
    int error = nv_os->statx_at(nv_path_root(path), path->text, flags, FACTS, &attempt->facts);
    if (error < 0)
        return nv_os_path_status(error);
    attempt->is_volume = path->is_volume;
    if (attempt->is_volume)
        return STATUS_SUCCESS;
    return is_folder(&attempt->facts) ? check_folder(attempt) : check_file(attempt);
}

/* -- opening what is there -- */

static int flags_of(const struct attempt *attempt)
{
    bool reads = attempt->access & READS;
    bool writes = (attempt->access & WRITES) || attempt->disposition->empties;
    return writes ? (reads ? O_RDWR : O_WRONLY) : reads ? O_RDONLY : O_PATH;
}

/* A folder is never opened for writing on Linux: whether things may be put into it is asked. */
static int open_folder(const struct attempt *attempt)
{
    int root = nv_path_root(attempt->path);
    const char *text = attempt->path->text;
    bool needs_data = attempt->is_volume || (attempt->access & (READS | WRITES));
    int flags = needs_data ? O_RDONLY | O_DIRECTORY : O_PATH | O_DIRECTORY;
    int descriptor = nv_os->open_at(root, text, flags, 0);
    if (descriptor == -EACCES && !attempt->is_volume && !(attempt->access & (FILE_LIST_DIRECTORY | WRITES)))
        descriptor = nv_os->open_at(root, text, O_PATH | O_DIRECTORY, 0);
    if (descriptor < 0 || attempt->is_volume || !(attempt->access & (WRITES | FILE_DELETE_CHILD)))
        return descriptor;
    if (nv_os->check_access(descriptor, W_OK) != -EACCES)
        return descriptor;
    nv_os->close(descriptor);
    return -EACCES;
}

static NTSTATUS open_what_is_there(struct attempt *attempt)
{
    NTSTATUS status = look(attempt);
    if (status != STATUS_SUCCESS)
        return status;
    if (is_folder(&attempt->facts))
        attempt->descriptor = open_folder(attempt);
    else
        attempt->descriptor = nv_os->open_at(nv_path_root(attempt->path), attempt->path->text, flags_of(attempt), 0);
    return attempt->descriptor < 0 ? nv_os_path_status(attempt->descriptor) : STATUS_SUCCESS;
}

/* -- making what is not there -- */

static NTSTATUS make_folder(struct attempt *attempt)
{
    int root = nv_path_root(attempt->path);
    int error = nv_os->make_folder(root, attempt->path->text, 0777);
    if (error < 0)
        return error == -ENOENT ? STATUS_OBJECT_PATH_NOT_FOUND : nv_os_path_status(error);
    attempt->file->kind = NV_FILE_DIRECTORY;
    attempt->descriptor = nv_os->open_at(root, attempt->path->text, O_RDONLY | O_DIRECTORY, 0);
    if (attempt->descriptor >= 0)
        return STATUS_SUCCESS;
    (void)nv_os->unlink_at(root, attempt->path->text, AT_REMOVEDIR);
    return nv_os_path_status(attempt->descriptor);
}

static NTSTATUS make_file(struct attempt *attempt)
{
    int flags = flags_of(attempt);
    mode_t mode = attempt->attributes & FILE_ATTRIBUTE_READONLY ? 0444 : 0666;
    if (attempt->path->ends_in_separator)
        return STATUS_OBJECT_NAME_INVALID;
    if ((attempt->options & FILE_DELETE_ON_CLOSE) && mode == 0444)
        return STATUS_CANNOT_DELETE;
    flags = (flags == O_PATH ? O_RDONLY : flags) | O_CREAT | O_EXCL;
    attempt->descriptor = nv_os->open_at(nv_path_root(attempt->path), attempt->path->text, flags, mode);
    if (attempt->descriptor >= 0)
        return STATUS_SUCCESS;
    return attempt->descriptor == -ENOENT ? STATUS_OBJECT_PATH_NOT_FOUND : nv_os_path_status(attempt->descriptor);
}

static NTSTATUS make_what_is_not(struct attempt *attempt)
{
    NTSTATUS status = attempt->options & FILE_DIRECTORY_FILE ? make_folder(attempt) : make_file(attempt);
    attempt->is_made = status == STATUS_SUCCESS;
    return status;
}

/* -- from a descriptor to a file object -- */

static enum nv_file_kind kind_of(const struct statx *facts, int descriptor)
{
    if (S_ISREG(facts->stx_mode))
        return NV_FILE_DATA;
    if (S_ISDIR(facts->stx_mode))
        return NV_FILE_DIRECTORY;
    if (S_ISFIFO(facts->stx_mode))
        return NV_FILE_PIPE;
    if (S_ISCHR(facts->stx_mode) && nv_os->check_terminal(descriptor) == 0)
        return NV_FILE_TERMINAL;
    return NV_FILE_OTHER;
}

/* Of the devices, those that are no terminals are taken to have offsets. */
static bool is_stream(const struct nv_file *file, const struct statx *facts)
{
    return file->kind == NV_FILE_PIPE || file->kind == NV_FILE_TERMINAL ||
           (file->kind == NV_FILE_OTHER && !S_ISBLK(facts->stx_mode) && !S_ISCHR(facts->stx_mode));
}

static bool can_be_flushed(const struct nv_file *file, const struct statx *facts)
{
    return file->kind == NV_FILE_DATA || file->kind == NV_FILE_DIRECTORY || file->kind == NV_FILE_VOLUME ||
           S_ISBLK(facts->stx_mode);
}

/* What other handles of the file have to do with this one. */
static NTSTATUS join(struct nv_file *file, const struct statx *facts)
{
    uint64_t inode = file->kind == NV_FILE_VOLUME ? NV_BACKING_VOLUME : facts->stx_ino;
    file->fcb = nv_fcb_get(device_of(facts), inode);
    if (file->fcb && can_be_flushed(file, facts))
        file->backing = nv_backing_get(nv_volume_mapped(file->volume, file->descriptor), inode);
    if (!file->fcb || (can_be_flushed(file, facts) && !file->backing))
        return STATUS_INSUFFICIENT_RESOURCES;
    file->shown.FsContext = file->fcb;
    NTSTATUS status = nv_fcb_open(file->fcb, file->object.granted, file->share);
    file->is_counted = status == STATUS_SUCCESS;
    return status;
}

/* The descriptor is the file object's from then on, whatever the status. */
static NTSTATUS take_over(struct nv_file *file, int descriptor, ACCESS_MASK access, bool is_volume)
{
    struct statx facts;
    file->descriptor = descriptor;
    file->object.granted = access;
    int flags = nv_os->status_flags(descriptor);
    int error = flags < 0 ? flags : nv_os->statx_at(descriptor, "", AT_EMPTY_PATH, FACTS, &facts);
    if (error < 0)
        return nv_os_path_status(error);
    struct nv_volume *volume = nv_volume_get(device_of(&facts));
    if (!volume)
        return STATUS_INSUFFICIENT_RESOURCES;
    file->kind = is_volume ? NV_FILE_VOLUME : kind_of(&facts, descriptor);
    file->volume = volume;
    file->writable = !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
    file->is_direct = flags & O_DIRECT;
    file->is_stream = is_stream(file, &facts);
    return join(file, &facts);
}

/* Past the checks of sharing: the file is this handle's to change. */
static NTSTATUS finish(struct attempt *attempt)
{
    struct nv_file *file = attempt->file;
    if (attempt->is_made)
        atomic_fetch_add(&file->fcb->names_given, 1);
    if (file->kind == NV_FILE_DATA && (attempt->options & FILE_NO_INTERMEDIATE_BUFFERING))
        file->is_direct = nv_os->set_direct(file->descriptor) == 0;
    if (!attempt->disposition->empties || attempt->is_made)
        return STATUS_SUCCESS;
    int error = nv_os->truncate(file->descriptor, 0);
    return error < 0 ? nv_os_path_status(error) : STATUS_SUCCESS;
}

/* -- the request -- */

static bool is_refused_for_volume(const struct nv_request *request, NTSTATUS *status)
{
    *status = STATUS_SUCCESS;
    if (request->of.create.options & FILE_DIRECTORY_FILE)
        *status = STATUS_NOT_A_DIRECTORY;
    else if (request->of.create.options & FILE_DELETE_ON_CLOSE)
        *status = STATUS_CANNOT_DELETE;
    else if (request->of.create.disposition != FILE_OPEN && request->of.create.disposition != FILE_OPEN_IF)
        *status = STATUS_ACCESS_DENIED;
    return *status != STATUS_SUCCESS;
}

/* Opens or makes it, whichever the disposition says; again, as long as others make and remove it meanwhile. */
static NTSTATUS open_or_make(struct attempt *attempt)
{
    const struct disposition *disposition = attempt->disposition;
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    for (int i = 0; i < TRIES; i++) {
        if (disposition->opens)
            status = open_what_is_there(attempt);
        if (status != STATUS_OBJECT_NAME_NOT_FOUND || !disposition->makes)
            return status;
        status = make_what_is_not(attempt);
        if (status != STATUS_OBJECT_NAME_COLLISION || !disposition->opens)
            return status;
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

static NTSTATUS open_with(struct attempt *attempt, ACCESS_MASK access)
{
    attempt->access = access;
    attempt->descriptor = -1;
    NTSTATUS status = open_or_make(attempt);
    if (status != STATUS_SUCCESS)
        return status;
    status = take_over(attempt->file, attempt->descriptor, access, attempt->is_volume);
    if (status == STATUS_SUCCESS)
        status = finish(attempt);
    if (status != STATUS_SUCCESS && attempt->is_made)
        (void)nv_driver_unlink(attempt->file);
    return status;
}

/* MAXIMUM_ALLOWED: the first of these that the file's permissions allow. */
static const ACCESS_MASK most_first[] = {
    FILE_ALL_ACCESS,
    FILE_GENERIC_READ | FILE_GENERIC_EXECUTE | DELETE,
    FILE_GENERIC_WRITE | DELETE,
    FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE | DELETE,
};

static NTSTATUS open_path(struct nv_request *request, struct attempt *attempt)
{
    ACCESS_MASK wanted = request->of.create.access;
    NTSTATUS status = STATUS_ACCESS_DENIED;
    if (!(wanted & MAXIMUM_ALLOWED))
        return open_with(attempt, wanted);
    for (size_t i = 0; i < sizeof(most_first) / sizeof(most_first[0]); i++) {
        request->of.create.access = (wanted & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | most_first[i];
        status = open_with(attempt, request->of.create.access);
        if (attempt->descriptor >= 0 || (status != STATUS_ACCESS_DENIED && status != STATUS_MEDIA_WRITE_PROTECTED))
            break;
    }
    return status;
}

static NTSTATUS take_descriptor(struct nv_request *request)
{
    int descriptor = request->of.create.descriptor;
    request->of.create.descriptor = -1;
    if (request->of.create.access & MAXIMUM_ALLOWED)
        request->of.create.access = FILE_ALL_ACCESS;
    return take_over(request->file, descriptor, request->of.create.access, false);
}

static ULONG outcome(const struct attempt *attempt, NTSTATUS status)
{
    if (status == STATUS_SUCCESS)
        return attempt->is_made ? FILE_CREATED : attempt->disposition->opened;
    if (status == STATUS_OBJECT_NAME_COLLISION)
        return FILE_EXISTS;
    return status == STATUS_OBJECT_NAME_NOT_FOUND ? FILE_DOES_NOT_EXIST : 0;
}

NTSTATUS nv_driver_create(struct nv_request *request)
{
    struct attempt attempt = {
        .file = request->file,
        .path = request->of.create.path,
        .options = request->of.create.options,
        .attributes = request->of.create.attributes,
        .descriptor = -1,
    };
    NTSTATUS status;
    if (request->of.create.disposition > FILE_MAXIMUM_DISPOSITION) /* as a filter may have it */
        return STATUS_INVALID_PARAMETER;
    attempt.disposition = &dispositions[request->of.create.disposition];
    if (request->of.create.descriptor >= 0)
        return take_descriptor(request);
    if (attempt.options & FILE_OPEN_BY_FILE_ID)
        return STATUS_NOT_SUPPORTED;
    if (attempt.path->is_volume && is_refused_for_volume(request, &status))
        return status;
    status = open_path(request, &attempt);
    request->information = outcome(&attempt, status);
    return status;
}
