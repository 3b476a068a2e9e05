/* SPDX-License-Identifier: MIT */
/*
 * Every system call and every environment option of the runtime. All of src/ calls the system through this table, so
 * that a test can put another in its place and make the Nth call fail.
 *
 * A failure is a negative errno; errno itself is left as the program had it. No function here is a cancellation point.
 */
#ifndef NV_OS_H
#define NV_OS_H

#include <nvrtl/types.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <time.h>

/* One mapping, as Linux 6.11 and later tell it by an ioctl of /proc/self/maps (linux/fs.h: struct procmap_query). */
struct nv_os_mapping {
    uint64_t size_bytes; /* of this structure */
    uint64_t query_flags;
    uint64_t query_address;
    uint64_t start;
    uint64_t end;
    uint64_t flags;
    uint64_t page_bytes;
    uint64_t offset;
    uint64_t inode;
    uint32_t major;
    uint32_t minor;
    uint32_t name_bytes; /* in: room; out: with the terminator */
    uint32_t build_id_bytes;
    uint64_t name_address;
    uint64_t build_id_address;
};
#define NV_OS_QUERY_MAPPING _IOWR('f', 17, struct nv_os_mapping)
#define NV_OS_MAPPING_WRITABLE 0x02u
#define NV_OS_MAPPING_SHARED 0x08u

/* Addresses, [low, high). */
struct nv_os_range {
    uintptr_t low;
    uintptr_t high;
};

/* Pages of a mapped file, in ranges that are in order; and those of another mapping of it. */
struct nv_os_pages {
    const struct nv_os_pages *next;
    const struct nv_os_range *ranges;
    size_t count;    /* at least one */
    uintptr_t start; /* the address that stands for the offset */
    uint64_t offset;
};

/* A file that a descriptor is wanted for. */
struct nv_os_file {
    const char *paths[2]; /* where it may be, the better one first; NULL: nowhere */
    uint64_t device;      /* as makedev() */
    uint64_t inode;
    const uint64_t *systems; /* of which file systems it may be, as statfs tells them */
    size_t system_count;
    uint64_t attributes; /* answered: as statx tells them */
};

/*
 * Something that holds a descriptor of a file for reading, outside of the program's descriptor table: to close it drops
 * none of the program's fcntl locks.
 */
struct nv_os_keeper;

struct nv_os {
    int (*open)(const char *path); /* for reading; returns a descriptor */
    ssize_t (*read)(int descriptor, void *buffer, size_t size_bytes);
    void (*close)(int descriptor);
    int (*query_mapping)(int maps, struct nv_os_mapping *mapping); /* -ENOENT: nothing is mapped at the address */
    ssize_t (*readlink)(const char *path, char *buffer, size_t size_bytes); /* no terminator is written */
    int (*statx)(const char *path, struct statx *answer);
    int (*statfs)(const char *path, struct statfs *answer);
    uint64_t (*clock_ns)(void); /* since some time in the past */
    uint64_t (*time_ns)(void);  /* since 1970, UTC */
    int (*keep)(struct nv_os_file *file, struct nv_os_keeper **keeper);
    /*
     * sync_file_range of all pages: when it returns they are written, and not yet durable. -ESTALE: they are no longer
     * pages of the file; -ESRCH: the keeper is no more. Any thread may call it.
     */
    int (*write_pages)(struct nv_os_keeper *keeper, const struct nv_os_pages *pages);
    void (*end_keeper)(struct nv_os_keeper *keeper);    /* on return the descriptor is closed */
    void (*forget_keeper)(struct nv_os_keeper *keeper); /* in a forked child, which has only the memory of it */
    int (*check_file)(int descriptor); /* the error of a page that was lost, which each open file is told of once */
    int (*sync)(void *start, size_t size_bytes);         /* msync(MS_SYNC) of the pages of the range */
    int (*sync_file)(int descriptor, bool data_only);    /* fsync, or fdatasync */
    int (*sync_volume)(int descriptor);                  /* syncfs: the file system that it is open in */
    int (*write_back)(int descriptor);                   /* hands the file's data to the device, and no more */
    int (*drop_pages)(int descriptor);                   /* takes the file's clean pages out of the page cache */
    int (*alive)(int descriptor);                        /* 0, or why nothing can be read or written any more */
    int (*unread)(int pipe);                             /* bytes that its reader has yet to read */
    int (*await_hangup)(int pipe, int timeout_ms);       /* 1: its other end is closed; 0: not in this time */
    int (*drain_terminal)(int terminal);                 /* waits until all output is sent */
    int (*check_mapped)(void *start, size_t size_bytes); /* -ENOMEM where a page is not mapped */
    /* mmap, whose address is returned; or a negative errno, which no address is. */
    intptr_t (*map)(uintptr_t start, size_t size_bytes, int protection, int flags, int descriptor, uint64_t offset);
    int (*unmap)(uintptr_t start, size_t size_bytes);
    int (*memory_file)(uint64_t size_bytes);          /* a file of zeros without a name; returns a descriptor */
    void *(*reserve)(size_t size_bytes);              /* zeroed address space, touched on use; NULL on failure */
    void *(*resize)(void *memory, size_t size_bytes); /* realloc; what it gives is freed with free() */
    void *(*load)(const char *library);               /* dlopen; NULL on failure, and in a static program */
    void *(*symbol)(void *library, const char *name);
    const char *(*environment)(const char *name); /* NULL when unset, or when the program is privileged */
    int (*supervisor)(unsigned what);             /* enum nv_os_wish; -EINVAL: nobody supervises this program */

    /*
     * Open files. A folder may be AT_FDCWD; flags are those of the system call, and every descriptor is close-on-exec.
     */
    int (*open_at)(int folder, const char *path, int flags, mode_t mode);
    int (*make_folder)(int folder, const char *path, mode_t mode);
    int (*unlink_at)(int folder, const char *path, int flags);
    int (*rename_at)(int folder, const char *path, int new_folder, const char *new_path, unsigned flags);
    int (*statx_at)(int folder, const char *path, int flags, unsigned mask, struct statx *answer);
    int (*statfs_of)(int descriptor, struct statfs *answer);
    ssize_t (*read_at)(int descriptor, void *buffer, size_t size_bytes, int64_t offset);
    ssize_t (*write_at)(int descriptor, const void *buffer, size_t size_bytes, int64_t offset, int flags); /* RWF_* */
    ssize_t (*write)(int descriptor, const void *buffer, size_t size_bytes); /* without SIGPIPE */
    int (*wait_ready)(int descriptor, short events);                         /* POLLIN or POLLOUT, for ever */
    int (*truncate)(int descriptor, int64_t size_bytes);
    int (*allocate)(int descriptor, int64_t size_bytes); /* blocks from 0 on, without a change of the file's size */
    ssize_t (*list)(int descriptor, void *entries, size_t size_bytes); /* getdents64 */
    int (*set_times)(const char *path, const struct timespec times[2]);
    int (*set_mode)(const char *path, mode_t mode);
    int (*set_direct)(int descriptor); /* O_DIRECT, from now on */
    int (*duplicate)(int descriptor);
    int (*status_flags)(int descriptor);           /* O_ACCMODE, O_PATH, O_DIRECT, ... */
    int (*check_terminal)(int descriptor);         /* -ENOTTY: it is none */
    int (*check_access)(int descriptor, int mode); /* faccessat of the open file: W_OK, ... */

    /* Memory of the program. Addresses are multiples of 8; -EFAULT: the word there may not be read, or written. */
    int (*probe_read)(uintptr_t word);
    int (*probe_write)(uintptr_t word);
    int (*scribble)(uintptr_t address); /* writes four bytes without any meaning: for less than probe_write costs */
    int (*find_stack)(uintptr_t *low, uintptr_t *high); /* of this thread, as libc made it */
};

/*
 * The supervisor of a verified run hears of every msync. One of this address, which no page begins at, the kernel
 * refuses with EINVAL; the supervisor answers it with a descriptor, or with another error. So a program finds it whose
 * environment, user, network or processes are not those that the run began with. The length tells what is wished for.
 */
#define NV_OS_SUPERVISOR_ADDRESS 0x6e767275u
enum nv_os_wish {
    NV_OS_WISH_LIBRARY = 1, /* the verifier's library */
    NV_OS_WISH_SOCKET = 2,  /* a connected socket, for one question */
};

/* The table in force. */
extern const struct nv_os *nv_os;

/* The table that calls the system; what a test's table hands on to. */
extern const struct nv_os nv_os_linux;

static inline bool nv_os_is_same_file(const struct statx *a, const struct statx *b)
{
    return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

/* What mappings consist of, in bytes. */
size_t nv_os_page_bytes(void);

/* The folder of the library that this is in (of the program, if it is static). False: not known, or too long. */
bool nv_os_own_folder(char *folder, size_t size_bytes);

/* The status that stands for a failed flush: a negative errno as nv_os gives it. */
NTSTATUS nv_os_status(int error);

/*
 * Likewise of a failed call on an open file. EIO is said of one bad sector and of a device that is gone; but then
 * nothing else works either.
 */
NTSTATUS nv_os_file_status(int error, int descriptor);

/* Likewise of a failed open, rename or other call that has a path. */
NTSTATUS nv_os_path_status(int error);

/* What the environment may set. */
enum nv_option {
    NV_OPTION_DOMAIN,        /* NVRTL_DOMAIN: work for this domain, whatever the memory is */
    NV_OPTION_CPU,           /* NVRTL_CPU: use this kernel, where the CPU has it */
    NV_OPTION_VERIFIER,      /* NVRTL_VERIFIER: set by the supervisor in a verified run */
    NV_OPTION_VERIFIER_PATH, /* NVRTL_VERIFIER_PATH: the folder to load the verifier from */
    NV_OPTION_FILTERS,       /* NVRTL_FILTERS: filters of the library's own that every volume gets */
    NV_OPTION_DRIVES,        /* NVRTL_DRIVES: the folders that drive letters stand for */
    /* The drop-in libpmem: as libpmem(7) has them, and one of our own. */
    NV_OPTION_PMEM_IS_PMEM_FORCE,
    NV_OPTION_PMEM_NO_FLUSH,
    NV_OPTION_PMEM_NO_CLWB,
    NV_OPTION_PMEM_NO_CLFLUSHOPT,
    NV_OPTION_PMEM_NO_MOVNT,
    NV_OPTION_PMEM_MOVNT_THRESHOLD,
    NV_OPTION_PMEM_MMAP_HINT,
    NV_OPTION_PMEM_ABORT, /* NVRTL_PMEM_ABORT: end the program where a function without a status would have one */
    NV_OPTION_COUNT
};

/* An option's text, or NULL when it is not set. */
const char *nv_option(enum nv_option option);

#endif
