/* SPDX-License-Identifier: MIT */
/* Owns the system-call table for tests. Linked into tests of faults and of what depends on the machine. */
#include "tests/support/system.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define FAKE_DESCRIPTOR 1000000

struct system system_now;
static size_t fake_read; /* bytes read of the open fake file; one is open at a time */

static bool fails(void)
{
    long call = ++system_now.calls;
    bool failing =
        system_now.fail_at && (system_now.for_good ? call >= system_now.fail_at : call == system_now.fail_at);
    system_now.failed += failing;
    return failing;
}

static const char *text_of(const struct fake_file *files, const char *path)
{
    for (; files && files->path; files++)
        if (strcmp(files->path, path) == 0)
            return files->text;
    return NULL;
}

static int open_index(const char *path)
{
    for (int i = 0; system_now.files && system_now.files[i].path; i++)
        if (strcmp(system_now.files[i].path, path) == 0)
            return i;
    return -1;
}

static int system_open(const char *path)
{
    if (fails())
        return -system_now.error;
    int index = open_index(path);
    if (system_now.files && index < 0 && strcmp(path, "/proc/self/maps") != 0)
        return -ENOENT;
    int descriptor = index < 0 ? nv_os_linux.open(path) : FAKE_DESCRIPTOR + index;
    fake_read = 0;
    system_now.open_now += descriptor >= 0;
    return descriptor;
}

static ssize_t system_read(int descriptor, void *buffer, size_t size_bytes)
{
    if (fails())
        return -system_now.error;
    if (descriptor < FAKE_DESCRIPTOR)
        return nv_os_linux.read(descriptor, buffer, size_bytes);
    const char *text = system_now.files[descriptor - FAKE_DESCRIPTOR].text;
    size_t left = strlen(text) - fake_read;
    size_t now = left < size_bytes ? left : size_bytes;
    memcpy(buffer, text + fake_read, now);
    fake_read += now;
    return (ssize_t)now;
}

static void system_close(int descriptor)
{
    system_now.open_now--;
    if (descriptor < FAKE_DESCRIPTOR)
        nv_os_linux.close(descriptor);
}

static int system_query_mapping(int maps, struct nv_os_mapping *mapping)
{
    if (fails())
        return -system_now.error;
    return system_now.old_kernel ? -ENOTTY : nv_os_linux.query_mapping(maps, mapping);
}

static ssize_t system_readlink(const char *path, char *buffer, size_t size_bytes)
{
    if (fails())
        return -system_now.error;
    const char *text = text_of(system_now.files, path);
    if (!text)
        return system_now.files ? -ENOENT : nv_os_linux.readlink(path, buffer, size_bytes);
    size_t length = strlen(text) < size_bytes ? strlen(text) : size_bytes;
    memcpy(buffer, text, length);
    return (ssize_t)length;
}

static int system_statx(const char *path, struct statx *answer)
{
    if (fails())
        return -system_now.error;
    return system_now.statx ? system_now.statx(path, answer) : nv_os_linux.statx(path, answer);
}

static int system_statfs(const char *path, struct statfs *answer)
{
    if (fails())
        return -system_now.error;
    return system_now.statfs ? system_now.statfs(path, answer) : nv_os_linux.statfs(path, answer);
}

static int system_sync(void *start, size_t size_bytes)
{
    if (fails())
        return -system_now.error;
    system_now.syncs++;
    system_now.sync_start = (uintptr_t)start;
    system_now.sync_size_bytes = size_bytes;
    int result = system_now.no_disk ? 0 : nv_os_linux.sync(start, size_bytes);
    if (system_now.sync_errors != 0) {
        system_now.sync_errors -= system_now.sync_errors > 0;
        return -system_now.sync_error;
    }
    if (result == 0 && system_now.synced)
        system_now.synced(start, size_bytes);
    return result;
}

static void note_sync(char letter)
{
    size_t length = strlen(system_now.sync_log);
    if (length + 1 < sizeof(system_now.sync_log))
        system_now.sync_log[length] = letter;
}

/* After the real one, which is not asked where there is no disk. */
static int outcome_of_sync(int result, char letter)
{
    system_now.syncs++;
    note_sync(letter);
    if (system_now.sync_errors == 0 || system_now.syncs_before-- > 0)
        return result;
    system_now.sync_errors -= system_now.sync_errors > 0;
    return -system_now.sync_error;
}

static int system_sync_file(int descriptor, bool data_only)
{
    if (fails())
        return -system_now.error;
    return outcome_of_sync(system_now.no_disk ? 0 : nv_os_linux.sync_file(descriptor, data_only),
                           data_only ? 'D' : 'F');
}

static int system_sync_volume(int descriptor)
{
    if (fails())
        return -system_now.error;
    return outcome_of_sync(system_now.no_disk ? 0 : nv_os_linux.sync_volume(descriptor), 'V');
}

static int system_write_back(int descriptor)
{
    if (fails())
        return -system_now.error;
    return outcome_of_sync(system_now.no_disk ? 0 : nv_os_linux.write_back(descriptor), 'W');
}

static int system_drop_pages(int descriptor)
{
    note_sync('P');
    return fails() ? -system_now.error : nv_os_linux.drop_pages(descriptor);
}

static int system_alive(int descriptor)
{
    if (fails())
        return -system_now.error;
    return system_now.gone ? -system_now.gone : nv_os_linux.alive(descriptor);
}

static int system_unread(int pipe)
{
    return fails() ? -system_now.error : nv_os_linux.unread(pipe);
}

static int system_await_hangup(int pipe, int timeout_ms)
{
    system_now.hangup_awaited |= timeout_ms > 0;
    return fails() ? -system_now.error : nv_os_linux.await_hangup(pipe, timeout_ms);
}

static int system_drain_terminal(int terminal)
{
    return fails() ? -system_now.error : nv_os_linux.drain_terminal(terminal);
}

static intptr_t system_map(uintptr_t start, size_t size_bytes, int protection, int flags, int descriptor,
                           uint64_t offset)
{
    return fails() ? -system_now.error : nv_os_linux.map(start, size_bytes, protection, flags, descriptor, offset);
}

static int system_unmap(uintptr_t start, size_t size_bytes)
{
    return nv_os_linux.unmap(start, size_bytes);
}

static int system_memory_file(uint64_t size_bytes)
{
    if (fails())
        return -system_now.error;
    int descriptor = nv_os_linux.memory_file(size_bytes);
    system_now.open_now += descriptor >= 0;
    return descriptor;
}

static uint64_t system_clock_ns(void)
{
    return nv_os_linux.clock_ns();
}

static uint64_t system_time_ns(void)
{
    return nv_os_linux.time_ns();
}

static int system_keep(struct nv_os_file *file, struct nv_os_keeper **keeper)
{
    if (fails())
        return -system_now.error;
    int result = system_now.no_keeper ? -ENOSYS : nv_os_linux.keep(file, keeper);
    system_now.keepers_now += result == 0;
    return result;
}

static int system_write_pages(struct nv_os_keeper *keeper, const struct nv_os_pages *pages)
{
    if (fails())
        return -system_now.error;
    system_now.writes++;
    int result = system_now.no_disk ? 0 : nv_os_linux.write_pages(keeper, pages);
    if (system_now.write_errors != 0) {
        system_now.write_errors -= system_now.write_errors > 0;
        return -system_now.write_error;
    }
    if (result == 0 && system_now.written)
        system_now.written(pages);
    return result;
}

static void system_end_keeper(struct nv_os_keeper *keeper)
{
    system_now.keepers_now--;
    nv_os_linux.end_keeper(keeper);
}

static void system_forget_keeper(struct nv_os_keeper *keeper)
{
    system_now.keepers_now--;
    nv_os_linux.forget_keeper(keeper);
}

static int system_check_file(int descriptor)
{
    return fails() ? -system_now.error : nv_os_linux.check_file(descriptor);
}

static int system_check_mapped(void *start, size_t size_bytes)
{
    return fails() ? -system_now.error : nv_os_linux.check_mapped(start, size_bytes);
}

static void *system_reserve(size_t size_bytes)
{
    return fails() ? NULL : nv_os_linux.reserve(size_bytes);
}

static void *system_resize(void *memory, size_t size_bytes)
{
    system_now.allocations++;
    return fails() ? NULL : nv_os_linux.resize(memory, size_bytes);
}

static void *system_load(const char *library)
{
    return system_now.load ? system_now.load(library) : nv_os_linux.load(library);
}

static void *system_symbol(void *library, const char *name)
{
    return system_now.symbol ? system_now.symbol(library, name) : nv_os_linux.symbol(library, name);
}

static const char *system_environment(const char *name)
{
    return system_now.environment ? text_of(system_now.environment, name) : nv_os_linux.environment(name);
}

static int system_supervisor(unsigned what)
{
    return system_now.supervisor ? system_now.supervisor(what) : nv_os_linux.supervisor(what);
}

static int count_open(int descriptor)
{
    system_now.open_now += descriptor >= 0;
    return descriptor;
}

static int system_open_at(int folder, const char *path, int flags, mode_t mode)
{
    return fails() ? -system_now.error : count_open(nv_os_linux.open_at(folder, path, flags, mode));
}

static int system_duplicate(int descriptor)
{
    return fails() ? -system_now.error : count_open(nv_os_linux.duplicate(descriptor));
}

/* The others hand on what they get. */
#define HAND_ON(type, name, parameters, arguments)                                                                     \
    static type system_##name parameters                                                                               \
    {                                                                                                                  \
        return fails() ? -system_now.error : nv_os_linux.name arguments;                                               \
    }

HAND_ON(int, make_folder, (int folder, const char *path, mode_t mode), (folder, path, mode))
HAND_ON(int, unlink_at, (int folder, const char *path, int flags), (folder, path, flags))
HAND_ON(int, rename_at, (int folder, const char *path, int new_folder, const char *new_path, unsigned flags),
        (folder, path, new_folder, new_path, flags))
HAND_ON(int, statx_at, (int folder, const char *path, int flags, unsigned mask, struct statx *answer),
        (folder, path, flags, mask, answer))
HAND_ON(int, statfs_of, (int descriptor, struct statfs *answer), (descriptor, answer))
HAND_ON(int, status_flags, (int descriptor), (descriptor))
HAND_ON(int, check_terminal, (int descriptor), (descriptor))
HAND_ON(int, check_access, (int descriptor, int mode), (descriptor, mode))
HAND_ON(int, set_direct, (int descriptor), (descriptor))
HAND_ON(int, truncate, (int descriptor, int64_t size_bytes), (descriptor, size_bytes))
HAND_ON(int, allocate, (int descriptor, int64_t size_bytes), (descriptor, size_bytes))
HAND_ON(int, wait_ready, (int descriptor, short events), (descriptor, events))
HAND_ON(int, set_times, (const char *path, const struct timespec times[2]), (path, times))
HAND_ON(int, set_mode, (const char *path, mode_t mode), (path, mode))
HAND_ON(ssize_t, read_at, (int descriptor, void *buffer, size_t size_bytes, int64_t offset),
        (descriptor, buffer, size_bytes, offset))
HAND_ON(ssize_t, write_at, (int descriptor, const void *buffer, size_t size_bytes, int64_t offset, int flags),
        (descriptor, buffer, size_bytes, offset, flags))
HAND_ON(ssize_t, write, (int descriptor, const void *buffer, size_t size_bytes), (descriptor, buffer, size_bytes))
HAND_ON(ssize_t, list, (int descriptor, void *entries, size_t size_bytes), (descriptor, entries, size_bytes))
HAND_ON(int, probe_read, (uintptr_t word), (word))
HAND_ON(int, probe_write, (uintptr_t word), (word))
HAND_ON(int, scribble, (uintptr_t address), (address))
HAND_ON(int, find_stack, (uintptr_t * low, uintptr_t *high), (low, high))

static const struct nv_os table = {
    .open = system_open,
    .read = system_read,
    .close = system_close,
    .query_mapping = system_query_mapping,
    .readlink = system_readlink,
    .statx = system_statx,
    .statfs = system_statfs,
    .sync = system_sync,
    .sync_file = system_sync_file,
    .sync_volume = system_sync_volume,
    .write_back = system_write_back,
    .drop_pages = system_drop_pages,
    .alive = system_alive,
    .unread = system_unread,
    .await_hangup = system_await_hangup,
    .drain_terminal = system_drain_terminal,
    .map = system_map,
    .unmap = system_unmap,
    .memory_file = system_memory_file,
    .clock_ns = system_clock_ns,
    .time_ns = system_time_ns,
    .keep = system_keep,
    .write_pages = system_write_pages,
    .end_keeper = system_end_keeper,
    .forget_keeper = system_forget_keeper,
    .check_file = system_check_file,
    .check_mapped = system_check_mapped,
    .reserve = system_reserve,
    .resize = system_resize,
    .load = system_load,
    .symbol = system_symbol,
    .environment = system_environment,
    .supervisor = system_supervisor,
    .open_at = system_open_at,
    .duplicate = system_duplicate,
    .make_folder = system_make_folder,
    .unlink_at = system_unlink_at,
    .rename_at = system_rename_at,
    .statx_at = system_statx_at,
    .statfs_of = system_statfs_of,
    .status_flags = system_status_flags,
    .check_terminal = system_check_terminal,
    .check_access = system_check_access,
    .set_direct = system_set_direct,
    .truncate = system_truncate,
    .allocate = system_allocate,
    .wait_ready = system_wait_ready,
    .set_times = system_set_times,
    .set_mode = system_set_mode,
    .read_at = system_read_at,
    .write_at = system_write_at,
    .write = system_write,
    .list = system_list,
    .probe_read = system_probe_read,
    .probe_write = system_probe_write,
    .scribble = system_scribble,
    .find_stack = system_find_stack,
};

void system_begin(void)
{
    system_now = (struct system){.error = EIO};
    nv_os = &table;
}

void system_end(void)
{
    nv_os = &nv_os_linux;
}
