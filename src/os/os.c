/* SPDX-License-Identifier: MIT */
/*
 * Owns the system calls of the runtime. Called through nv_os by every other folder of src/.
 *
 * The calls are made with syscall(2), not with libc's functions: those may be interposed by a tool that watches the
 * program, and some are cancellation points, where a thread would end while it holds a lock of ours.
 */
#include "src/os/os.h"

#include "src/os/keeper.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* What a call returned, as a negative errno when it failed; puts the program's errno back. */
static long outcome(long result, int saved_errno)
{
    if (result == -1)
        result = -(long)errno;
    errno = saved_errno;
    return result;
}

static int os_open(const char *path)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0), saved);
}

static ssize_t os_read(int descriptor, void *buffer, size_t size_bytes)
{
    int saved = errno;
    long result;
    do
        result = outcome(syscall(SYS_read, descriptor, buffer, size_bytes), saved);
    while (result == -EINTR);
    return result;
}

static void os_close(int descriptor)
{
    int saved = errno;
    (void)outcome(syscall(SYS_close, descriptor), saved);
}

/* PROCMAP_QUERY, which the headers of older systems lack. */
static int os_query_mapping(int maps, struct nv_os_mapping *mapping)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_ioctl, maps, NV_OS_QUERY_MAPPING, mapping), saved);
}

static ssize_t os_readlink(const char *path, char *buffer, size_t size_bytes)
{
    int saved = errno;
    return outcome(syscall(SYS_readlinkat, AT_FDCWD, path, buffer, size_bytes), saved);
}

static int os_statx(const char *path, struct statx *answer)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_statx, AT_FDCWD, path, 0, STATX_TYPE | STATX_INO, answer), saved);
}

static int os_statfs(const char *path, struct statfs *answer)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_statfs, path, answer), saved);
}

size_t nv_os_page_bytes(void)
{
    return getauxval(AT_PAGESZ);
}

static uint64_t read_clock(clockid_t clock)
{
    int saved = errno;
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    errno = saved;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t os_clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t os_time_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

static int sync_range(int descriptor, off_t from, off_t size_bytes, unsigned flags)
{
    int saved = errno;
#ifdef SYS_sync_file_range2 /* POWER has the arguments in another order */
    return (int)outcome(syscall(SYS_sync_file_range2, descriptor, flags, from, size_bytes), saved);
#else
    return (int)outcome(syscall(SYS_sync_file_range, descriptor, from, size_bytes, flags), saved);
#endif
}

/* To wait for pages behind the end of every file does nothing but to tell of errors. */
static int os_check_file(int descriptor)
{
    return sync_range(descriptor, INT64_MAX - 1, 1, SYNC_FILE_RANGE_WAIT_BEFORE);
}

/* msync of the pages that the range touches. */
static int sync_pages(void *start, size_t size_bytes, int flags)
{
    int saved = errno;
    uintptr_t before = (uintptr_t)start & (nv_os_page_bytes() - 1);
    return (int)outcome(syscall(SYS_msync, (char *)start - before, size_bytes + before, flags), saved);
}

static int os_sync(void *start, size_t size_bytes)
{
    return sync_pages(start, size_bytes, MS_SYNC);
}

static int os_sync_file(int descriptor, bool data_only)
{
    int saved = errno;
    return (int)outcome(syscall(data_only ? SYS_fdatasync : SYS_fsync, descriptor), saved);
}

static int os_sync_volume(int descriptor)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_syncfs, descriptor), saved);
}

static int os_write_back(int descriptor)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    return sync_range(descriptor, 0, 0, all);
}

static int os_drop_pages(int descriptor)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_fadvise64, descriptor, (off_t)0, (off_t)0, POSIX_FADV_DONTNEED), saved);
}

/*
 * A folder is neither read nor written by its descriptor. A file system that was shut down makes no new file in it; or
 * it does not open it again. Closing a folder's descriptor drops no lock that a program could hold on a file.
 */
static int open_again(int folder)
{
    int saved = errno;
    const int flags[] = {O_TMPFILE | O_WRONLY | O_CLOEXEC, O_DIRECTORY | O_RDONLY | O_CLOEXEC};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        long descriptor = outcome(syscall(SYS_openat, folder, ".", flags[i], 0600), saved);
        if (descriptor >= 0)
            os_close((int)descriptor);
        else if (descriptor != -EACCES && descriptor != -EOPNOTSUPP && descriptor != -EISDIR && descriptor != -EROFS)
            return (int)descriptor;
    }
    return 0;
}

/*
 * No byte is read or written. To open the file again would tell as much; but to close it then drops fcntl locks. XFS
 * lets nothing be written by a descriptor for writing alone, but says no to a position.
 */
static int os_alive(int descriptor)
{
    int saved = errno;
    long result = outcome(syscall(SYS_lseek, descriptor, (off_t)0, SEEK_CUR), saved);
    if (result >= 0)
        result = outcome(syscall(SYS_pread64, descriptor, "", (size_t)0, (off_t)0), saved);
    if (result == -EBADF)
        result = outcome(syscall(SYS_pwrite64, descriptor, "", (size_t)0, (off_t)0), saved);
    return result == -EISDIR ? open_again(descriptor) : (int)result;
}

static int os_unread(int pipe)
{
    int saved = errno, unread_bytes = 0;
    int error = (int)outcome(syscall(SYS_ioctl, pipe, FIONREAD, &unread_bytes), saved);
    return error < 0 ? error : unread_bytes;
}

/* A signal ends the time. */
static int os_await_hangup(int pipe, int timeout_ms)
{
    int saved = errno;
    struct pollfd end = {.fd = pipe};
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    long result = outcome(syscall(SYS_ppoll, &end, (nfds_t)1, &timeout, NULL, (size_t)0), saved);
    return result == -EINTR ? 0 : (int)result;
}

static int os_drain_terminal(int terminal)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_ioctl, terminal, TCSBRK, 1), saved);
}

static intptr_t os_map(uintptr_t start, size_t size_bytes, int protection, int flags, int descriptor, uint64_t offset)
{
    int saved = errno;
    return outcome(syscall(SYS_mmap, start, size_bytes, protection, flags, descriptor, offset), saved);
}

static int os_unmap(uintptr_t start, size_t size_bytes)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_munmap, start, size_bytes), saved);
}

static int os_memory_file(uint64_t size_bytes)
{
    int saved = errno;
    int descriptor = (int)outcome(syscall(SYS_memfd_create, "section", MFD_CLOEXEC), saved);
    int error = descriptor < 0 ? 0 : (int)outcome(syscall(SYS_ftruncate, descriptor, size_bytes), saved);
    if (error == 0)
        return descriptor;
    os_close(descriptor);
    return error;
}

/* MS_ASYNC writes nothing on Linux; all it does is to see whether the pages are mapped. */
static int os_check_mapped(void *start, size_t size_bytes)
{
    return sync_pages(start, size_bytes, MS_ASYNC);
}

static void *os_reserve(size_t size_bytes)
{
    int saved = errno;
    void *memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

static void *os_resize(void *memory, size_t size_bytes)
{
    int saved = errno;
    void *result = realloc(memory, size_bytes);
    errno = saved;
    return result;
}

static int has_interpreter(struct dl_phdr_info *object, size_t size_bytes, void *found)
{
    (void)size_bytes;
    for (int i = 0; i < object->dlpi_phnum; i++)
        *(bool *)found |= object->dlpi_phdr[i].p_type == PT_INTERP;
    return 1; /* the program comes first; the rest does not matter */
}

/* A static program could load a library only together with a second libc, whose free() is not for our memory. */
static void *os_load(const char *library)
{
    int saved = errno;
    bool is_dynamic = false;
    (void)dl_iterate_phdr(has_interpreter, &is_dynamic);
    if (!is_dynamic)
        return NULL;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    errno = saved;
    return handle;
}

bool nv_os_own_folder(char *folder, size_t size_bytes)
{
    Dl_info here;
    if (!dladdr((const void *)&nv_os_linux, &here) || !here.dli_fname)
        return false;
    const char *slash = strrchr(here.dli_fname, '/');
    size_t length = slash ? (size_t)(slash - here.dli_fname) : size_bytes;
    if (length >= size_bytes)
        return false;
    memcpy(folder, here.dli_fname, length);
    folder[length] = '\0';
    return true;
}

static void *os_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

static const char *os_environment(const char *name)
{
    return secure_getenv(name);
}

static int os_open_at(int folder, const char *path, int flags, mode_t mode)
{
    int saved = errno;
    int result;
    do
        result = (int)outcome(syscall(SYS_openat, folder, path, flags | O_CLOEXEC | O_NOCTTY, mode), saved);
    while (result == -EINTR);
    return result;
}

static int os_make_folder(int folder, const char *path, mode_t mode)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_mkdirat, folder, path, mode), saved);
}

static int os_unlink_at(int folder, const char *path, int flags)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_unlinkat, folder, path, flags), saved);
}

static int os_rename_at(int folder, const char *path, int new_folder, const char *new_path, unsigned flags)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_renameat2, folder, path, new_folder, new_path, flags), saved);
}

static int os_statx_at(int folder, const char *path, int flags, unsigned mask, struct statx *answer)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_statx, folder, path, flags, mask, answer), saved);
}

static int os_statfs_of(int descriptor, struct statfs *answer)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_fstatfs, descriptor, answer), saved);
}

static int os_duplicate(int descriptor)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_fcntl, descriptor, F_DUPFD_CLOEXEC, 0), saved);
}

static int os_status_flags(int descriptor)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_fcntl, descriptor, F_GETFL), saved);
}

static ssize_t os_read_at(int descriptor, void *buffer, size_t size_bytes, int64_t offset)
{
    int saved = errno;
    long result;
    do
        result = outcome(syscall(SYS_pread64, descriptor, buffer, size_bytes, offset), saved);
    while (result == -EINTR);
    return result;
}

static ssize_t os_write_at(int descriptor, const void *buffer, size_t size_bytes, int64_t offset, int flags)
{
    int saved = errno;
    struct iovec part = {(void *)(uintptr_t)buffer, size_bytes};
    long result;
    do
        result = flags ? syscall(SYS_pwritev2, descriptor, &part, 1, offset, 0, flags)
                       : syscall(SYS_pwrite64, descriptor, buffer, size_bytes, offset);
    while ((result = outcome(result, saved)) == -EINTR);
    return result;
}

/* The signal that a pipe without a reader sends is taken back, unless the program had one pending. */
static ssize_t os_write(int descriptor, const void *buffer, size_t size_bytes)
{
    int saved = errno;
    const uint64_t pipe_signal = (uint64_t)1 << (SIGPIPE - 1);
    const struct timespec at_once = {0};
    uint64_t before = 0, pending = 0;
    long result;
    (void)syscall(SYS_rt_sigprocmask, SIG_BLOCK, &pipe_signal, &before, sizeof(before));
    (void)syscall(SYS_rt_sigpending, &pending, sizeof(pending));
    do
        result = outcome(syscall(SYS_write, descriptor, buffer, size_bytes), saved);
    while (result == -EINTR);
    if (result == -EPIPE && !(pending & pipe_signal))
        (void)syscall(SYS_rt_sigtimedwait, &pipe_signal, NULL, &at_once, sizeof(pipe_signal));
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
    errno = saved;
    return result;
}

static int os_wait_ready(int descriptor, short events)
{
    int saved = errno;
    struct pollfd one = {.fd = descriptor, .events = events};
    long result;
    do
        result = outcome(syscall(SYS_ppoll, &one, 1, NULL, NULL, sizeof(uint64_t)), saved);
    while (result == -EINTR);
    return result < 0 ? (int)result : 0;
}

static int os_allocate(int descriptor, int64_t size_bytes)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_fallocate, descriptor, FALLOC_FL_KEEP_SIZE, (int64_t)0, size_bytes), saved);
}

static ssize_t os_list(int descriptor, void *entries, size_t size_bytes)
{
    int saved = errno;
    return outcome(syscall(SYS_getdents64, descriptor, entries, size_bytes), saved);
}

static int os_set_times(const char *path, const struct timespec times[2])
{
    int saved = errno;
    return (int)outcome(syscall(SYS_utimensat, AT_FDCWD, path, times, 0), saved);
}

static int os_set_mode(const char *path, mode_t mode)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_fchmodat, AT_FDCWD, path, mode), saved);
}

static int os_truncate(int descriptor, int64_t size_bytes)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_ftruncate, descriptor, size_bytes), saved);
}

static int os_set_direct(int descriptor)
{
    int saved = errno;
    int flags = os_status_flags(descriptor);
    return flags < 0 ? flags : (int)outcome(syscall(SYS_fcntl, descriptor, F_SETFL, flags | O_DIRECT), saved);
}

static int os_check_terminal(int descriptor)
{
    int saved = errno;
    struct winsize size; /* every terminal has one, and a pseudo-terminal's two ends */
    return (int)outcome(syscall(SYS_ioctl, descriptor, TIOCGWINSZ, &size), saved);
}

/* Linux 5.8 and later know it of a descriptor; before that, its entry in /proc tells. */
static int os_check_access(int descriptor, int mode)
{
    int saved = errno;
    char path[32];
    int result = (int)outcome(syscall(SYS_faccessat2, descriptor, "", mode, AT_EMPTY_PATH | AT_EACCESS), saved);
    if (result != -ENOSYS)
        return result;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    return (int)outcome(syscall(SYS_faccessat, AT_FDCWD, path, mode), saved);
}

/* A change of the signal mask in no way that there is: the mask is read, and then the way is refused. */
static int os_probe_read(uintptr_t word)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_rt_sigprocmask, ~0u, word, NULL, sizeof(uint64_t)), saved);
}

/*
 * Adds nothing, atomically; at most it wakes someone who waits for the very word, as may happen at any time. It is the
 * cheapest call that writes to memory and leaves it as it is.
 */
static int os_probe_write(uintptr_t word)
{
    int saved = errno;
    unsigned nothing = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
    return (int)outcome(syscall(SYS_futex, word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, 0, word, nothing), saved);
}

/* The number of a CPU. */
static int os_scribble(uintptr_t address)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_getcpu, address, NULL, NULL), saved);
}

/*
 * The first thread's stack grows: what libc knows as its lower end is where it may grow to. Something else may be put
 * there, but not near its use.
 */
static int os_find_stack(uintptr_t *low, uintptr_t *high)
{
    const size_t most = (size_t)8 << 20;
    pthread_attr_t attributes;
    void *start;
    size_t size_bytes;
    int saved = errno;
    int error = pthread_getattr_np(pthread_self(), &attributes);
    errno = saved;
    if (error)
        return -error;
    (void)pthread_attr_getstack(&attributes, &start, &size_bytes);
    pthread_attr_destroy(&attributes);
    *high = (uintptr_t)start + size_bytes;
    *low = size_bytes > most ? *high - most : (uintptr_t)start;
    return 0;
}

static int os_supervisor(unsigned what)
{
    int saved = errno;
    return (int)outcome(syscall(SYS_msync, (uintptr_t)NV_OS_SUPERVISOR_ADDRESS, (size_t)what, MS_SYNC), saved);
}

const struct nv_os nv_os_linux = {
    .open = os_open,
    .read = os_read,
    .close = os_close,
    .query_mapping = os_query_mapping,
    .readlink = os_readlink,
    .statx = os_statx,
    .statfs = os_statfs,
    .clock_ns = os_clock_ns,
    .time_ns = os_time_ns,
    .keep = nv_keeper_start,
    .write_pages = nv_keeper_write,
    .end_keeper = nv_keeper_end,
    .forget_keeper = nv_keeper_forget,
    .check_file = os_check_file,
    .sync = os_sync,
    .sync_file = os_sync_file,
    .sync_volume = os_sync_volume,
    .write_back = os_write_back,
    .drop_pages = os_drop_pages,
    .alive = os_alive,
    .unread = os_unread,
    .await_hangup = os_await_hangup,
    .drain_terminal = os_drain_terminal,
    .map = os_map,
    .unmap = os_unmap,
    .memory_file = os_memory_file,
    .check_mapped = os_check_mapped,
    .reserve = os_reserve,
    .resize = os_resize,
    .load = os_load,
    .symbol = os_symbol,
    .environment = os_environment,
    .supervisor = os_supervisor,
    .open_at = os_open_at,
    .make_folder = os_make_folder,
    .unlink_at = os_unlink_at,
    .rename_at = os_rename_at,
    .statx_at = os_statx_at,
    .statfs_of = os_statfs_of,
    .read_at = os_read_at,
    .write_at = os_write_at,
    .write = os_write,
    .wait_ready = os_wait_ready,
    .allocate = os_allocate,
    .list = os_list,
    .set_times = os_set_times,
    .set_mode = os_set_mode,
    .truncate = os_truncate,
    .set_direct = os_set_direct,
    .duplicate = os_duplicate,
    .status_flags = os_status_flags,
    .check_terminal = os_check_terminal,
    .check_access = os_check_access,
    .probe_read = os_probe_read,
    .probe_write = os_probe_write,
    .scribble = os_scribble,
    .find_stack = os_find_stack,
};

const struct nv_os *nv_os = &nv_os_linux;
