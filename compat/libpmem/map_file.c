/* SPDX-License-Identifier: MIT */
/* Owns pmem_map_file and pmem_unmap: which file, how long, and where. Called by programs. */
#include "compat/libpmem/error.h"
#include "compat/libpmem/libpmem.h"
#include "compat/libpmem/settings.h"
#include "compat/libpmem/system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nvrtl/status.h>

#define ALL_FLAGS (PMEM_FILE_CREATE | PMEM_FILE_EXCL | PMEM_FILE_SPARSE | PMEM_FILE_TMPFILE)
#define DEVICE_FLAGS (PMEM_FILE_CREATE | PMEM_FILE_SPARSE)
#define SMALL_PAGE ((uintptr_t)4096)
#define LARGE_PAGE ((size_t)2 << 20)
#define HUGE_PAGE ((size_t)1 << 30)

/* What was asked for, and what it became. */
struct request {
    const char *path;
    size_t size_bytes;
    int flags;
    mode_t mode;
    int file;
    bool is_device; /* device DAX: it is as long as it is */
};

/* Whether flags and length go together; else errno and text are set. */
static bool is_sound(const struct request *request)
{
    bool create = (request->flags & PMEM_FILE_CREATE) != 0;
    const char *fault = NULL;
    if (request->flags & ~ALL_FLAGS)
        fault = "a flag is not known";
    else if (request->is_device)
        fault = request->flags & ~DEVICE_FLAGS ? "the flags are not for device DAX" : NULL;
    else if (create && request->size_bytes > SSIZE_MAX)
        fault = "the length is negative";
    else if (create && request->size_bytes == 0)
        fault = "PMEM_FILE_CREATE needs a length";
    else if (!create && request->size_bytes != 0)
        fault = "a length needs PMEM_FILE_CREATE";
    else if (!create && (request->flags & PMEM_FILE_TMPFILE))
        fault = "PMEM_FILE_TMPFILE needs PMEM_FILE_CREATE";
    if (fault)
        nv_pmem_error(EINVAL, "cannot map %s: %s", request->path, fault);
    return fault == NULL;
}

static bool failed(const struct request *request, const char *what, int error)
{
    nv_pmem_error(-error, "cannot %s %s", what, request->path);
    return false;
}

/* The device's own length is the only one to be had. */
static bool find_device(struct request *request)
{
    struct stat status;
    size_t size_bytes;
    if (nv_pmem_system->status(request->path, &status) < 0 || !S_ISCHR(status.st_mode))
        return true;
    int error = nv_pmem_system->device_dax_bytes(status.st_rdev, &size_bytes);
    if (error == -ENOTTY)
        return true;
    if (error < 0)
        return failed(request, "find the size of", error);
    if (request->size_bytes != 0 && request->size_bytes != size_bytes)
        return failed(request, "map, except in its full length,", -EINVAL);
    request->is_device = true;
    request->size_bytes = size_bytes;
    return true;
}

static bool open_file(struct request *request)
{
    int exclusive = request->flags & PMEM_FILE_EXCL ? O_EXCL : 0;
    if (request->is_device)
        request->file = nv_pmem_system->open(request->path, O_RDWR, 0);
    else if (request->flags & PMEM_FILE_TMPFILE)
        request->file = nv_pmem_system->open_nameless(request->path, exclusive);
    else if (request->flags & PMEM_FILE_CREATE)
        request->file = nv_pmem_system->open(request->path, O_RDWR | O_CREAT | exclusive, request->mode);
    else
        request->file = nv_pmem_system->open(request->path, O_RDWR | exclusive, 0);
    return request->file >= 0 || failed(request, "open", request->file);
}

/* A file that is to be created gets its length; another one tells it. */
static bool give_length(struct request *request)
{
    off_t length = (off_t)request->size_bytes;
    struct stat status;
    int error = nv_pmem_system->status_of(request->file, &status);
    if (error < 0)
        return failed(request, "look at", error);
    if (!S_ISREG(status.st_mode))
        return failed(request, "map, as it is no file,", -EINVAL);
    if (!(request->flags & PMEM_FILE_CREATE)) {
        request->size_bytes = (size_t)status.st_size;
        return status.st_size > 0 || failed(request, "map, as it is empty,", -EINVAL);
    }
    error = nv_pmem_system->resize(request->file, length);
    if (error == 0 && !(request->flags & PMEM_FILE_SPARSE))
        error = nv_pmem_system->allocate(request->file, length);
    return error == 0 || failed(request, "give its length to", error);
}

/* Where large pages are possible. The kernel takes it as a wish. */
static void *wished_place(size_t size_bytes)
{
    if (nv_pmem_settings.hint)
        return (void *)nv_pmem_settings.hint;
    if (size_bytes < LARGE_PAGE)
        return NULL;
    return nv_pmem_system->free_place(size_bytes, size_bytes < HUGE_PAGE ? LARGE_PAGE : HUGE_PAGE);
}

/* NULL: errno and text are set. */
static void *map(const struct request *request)
{
    void *address = NULL;
    void *wish = wished_place(request->size_bytes);
    nv_pmem_region_lock();
    int error = nv_pmem_system->map(wish, request->size_bytes, request->file, &address);
    if (error == 0 && nv_pmem_region_add(address, request->size_bytes) != STATUS_SUCCESS) {
        (void)nv_pmem_system->unmap(address, request->size_bytes);
        error = -ENOMEM;
    }
    nv_pmem_region_unlock();
    if (error == 0)
        return address;
    failed(request, "map", error);
    return NULL;
}

/* Opens, sizes and maps; a file that was made for it and cannot be mapped goes again. */
static void *open_and_map(struct request *request)
{
    const int made = PMEM_FILE_CREATE | PMEM_FILE_EXCL;
    void *address = NULL;
    if (!open_file(request))
        return NULL;
    if (request->is_device || give_length(request))
        address = map(request);
    int number = errno;
    nv_pmem_system->close(request->file);
    if (!address && !request->is_device && (request->flags & (made | PMEM_FILE_TMPFILE)) == made)
        (void)nv_pmem_system->remove(request->path);
    errno = number;
    return address;
}

void *pmem_map_file(const char *path, size_t len, int flags, mode_t mode, size_t *mapped_lenp, int *is_pmemp)
{
    struct request request = {.path = path, .size_bytes = len, .flags = flags, .mode = mode, .file = -1};
    if (!find_device(&request) || !is_sound(&request))
        return NULL;
    void *address = open_and_map(&request);
    if (!address)
        return NULL;
    if (mapped_lenp)
        *mapped_lenp = request.size_bytes;
    if (is_pmemp)
        *is_pmemp = nv_pmem_is_persistent(address, request.size_bytes);
    return address;
}

int pmem_unmap(void *addr, size_t len)
{
    /* A verifier may have something in memory that goes; what the kernel refuses to unmap stays as it is. */
    bool verified = nv_seam->verified && (uintptr_t)addr % SMALL_PAGE == 0 && len != 0;
    nv_pmem_region_lock();
    if (verified)
        nv_pmem_region_forget(addr, len);
    int error = nv_pmem_system->unmap(addr, len);
    if (error == 0 && !verified)
        nv_pmem_region_forget(addr, len);
    if (error != 0 && verified)
        (void)nv_pmem_region_add(addr, len);
    nv_pmem_region_unlock();
    if (error == 0)
        return 0;
    nv_pmem_error(-error, "cannot unmap %zu bytes at %p", len, addr);
    return -1;
}
