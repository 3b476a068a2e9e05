/* SPDX-License-Identifier: MIT */
/* Owns the system calls of the drop-in. Called through nv_pmem_system by map_file.c, flush.c and region.c. */
#include "compat/libpmem/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define REGIONS "/sys/bus/nd/devices"
#define PARENTS_MAX 12

/* A call's result, or its negative errno. */
static int outcome(int result)
{
    return result < 0 ? -errno : result;
}

static int system_status(const char *path, struct stat *status)
{
    return outcome(stat(path, status));
}

static int system_status_of(int file, struct stat *status)
{
    return outcome(fstat(file, status));
}

static int system_open(const char *path, int flags, mode_t mode)
{
    return outcome(open(path, flags | O_CLOEXEC, mode));
}

/* Where the file system has no O_TMPFILE, a name that is removed at once. */
static int make_and_remove(const char *folder)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/pmem.XXXXXX", folder) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int file = outcome(mkostemp(path, O_CLOEXEC));
    if (file >= 0)
        (void)unlink(path);
    return file;
}

static int system_open_nameless(const char *folder, int flags)
{
    int file = outcome(open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, S_IRUSR | S_IWUSR));
    return file == -EOPNOTSUPP || file == -EISDIR ? make_and_remove(folder) : file;
}

static void system_close(int file)
{
    (void)close(file);
}

static int system_resize(int file, off_t size_bytes)
{
    return outcome(ftruncate(file, size_bytes));
}

static int system_allocate(int file, off_t size_bytes)
{
    return -posix_fallocate(file, 0, size_bytes);
}

static int system_remove(const char *path)
{
    return outcome(unlink(path));
}

static int system_map(void *hint, size_t size_bytes, int file, void **address)
{
    const int protection = PROT_READ | PROT_WRITE;
    int saved = errno, error;
    *address = mmap(hint, size_bytes, protection, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0);
    if (*address == MAP_FAILED && (errno == EOPNOTSUPP || errno == EINVAL))
        *address = mmap(hint, size_bytes, protection, MAP_SHARED, file, 0);
    error = *address == MAP_FAILED ? -errno : 0;
    errno = saved;
    return error;
}

static int system_unmap(void *address, size_t size_bytes)
{
    return outcome(munmap(address, size_bytes));
}

static void *system_free_place(size_t size_bytes, size_t alignment)
{
    int saved = errno;
    uintptr_t place = 0;
    if (size_bytes <= SIZE_MAX - alignment) {
        void *room = mmap(NULL, size_bytes + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room != MAP_FAILED) {
            place = ((uintptr_t)room + alignment - 1) & ~(uintptr_t)(alignment - 1);
            (void)munmap(room, size_bytes + alignment);
        }
    }
    errno = saved;
    return (void *)place;
}

/* -- sysfs -- */

/* The first line of a small file, without its end. 0 or a negative errno. */
static int read_line(const char *path, char *line, size_t size_bytes)
{
    int file = system_open(path, O_RDONLY, 0);
    if (file < 0)
        return file;
    int got = outcome((int)read(file, line, size_bytes - 1));
    system_close(file);
    if (got < 0)
        return got;
    line[got] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

static bool is_device_dax(dev_t device)
{
    char path[64], whole[PATH_MAX];
    (void)snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/subsystem", major(device), minor(device));
    const char *name = realpath(path, whole) ? strrchr(whole, '/') : NULL;
    return name && strcmp(name, "/dax") == 0;
}

static int system_device_dax_bytes(dev_t device, size_t *size_bytes)
{
    char path[64], line[32];
    if (!is_device_dax(device))
        return -ENOTTY;
    (void)snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size", major(device), minor(device));
    int error = read_line(path, line, sizeof(line));
    *size_bytes = error ? 0 : strtoull(line, NULL, 10);
    return error ? error : *size_bytes ? 0 : -EINVAL;
}

/* The file says 0 where there are no queues that software could empty; writing 1 empties them. */
static int empty_queues(const char *path)
{
    char line[8];
    int error = read_line(path, line, sizeof(line));
    if (error || strcmp(line, "1") != 0)
        return error;
    int file = system_open(path, O_WRONLY, 0);
    if (file < 0)
        return file;
    int written = outcome((int)write(file, "1", 1));
    system_close(file);
    return written < 0 ? written : 0;
}

/* The file is one of the device's region, which is one of its parents in sysfs. */
static int system_deep_flush(dev_t device)
{
    char path[256];
    if (!is_device_dax(device))
        return -ENOTTY;
    int length = snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(device), minor(device));
    for (int depth = 0; depth < PARENTS_MAX; depth++) {
        (void)snprintf(path + length, sizeof(path) - (size_t)length, "/deep_flush");
        int error = empty_queues(path);
        if (error != -ENOENT)
            return error;
        length += snprintf(path + length, sizeof(path) - (size_t)length, "/..");
    }
    return 0;
}

static int system_has_auto_flush(void)
{
    char path[sizeof(REGIONS) + NAME_MAX + 32], line[32];
    bool all = true, any = false;
    DIR *regions = opendir(REGIONS);
    if (!regions)
        return errno == ENOENT ? 0 : -errno;
    for (const struct dirent *entry; (entry = readdir(regions)) != NULL;) {
        if (strncmp(entry->d_name, "region", 6) != 0)
            continue;
        (void)snprintf(path, sizeof(path), REGIONS "/%s/persistence_domain", entry->d_name);
        any = true;
        all = all && read_line(path, line, sizeof(line)) == 0 && strcmp(line, "cpu_cache") == 0;
    }
    (void)closedir(regions);
    return any && all;
}

const struct nv_pmem_system nv_pmem_system_linux = {
    .status = system_status,
    .status_of = system_status_of,
    .open = system_open,
    .open_nameless = system_open_nameless,
    .close = system_close,
    .resize = system_resize,
    .allocate = system_allocate,
    .remove = system_remove,
    .map = system_map,
    .unmap = system_unmap,
    .free_place = system_free_place,
    .device_dax_bytes = system_device_dax_bytes,
    .deep_flush = system_deep_flush,
    .has_auto_flush = system_has_auto_flush,
};

const struct nv_pmem_system *nv_pmem_system = &nv_pmem_system_linux;
