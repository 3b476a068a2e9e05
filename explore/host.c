/* SPDX-License-Identifier: MIT */
/*
 * The recovery host: loads the library of --recover-fn, maps the files' memory where the program had it, and forks a
 * child for each state. A program of its own, and small, so that addresses are free and forks cheap. function.c starts
 * it.
 */
#include "explore/host.h"
#include "explore/ending.h"
#include "nvrtl/recover.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_PAGES ((size_t)512) /* that are looked at at once */

struct region {
    void *address; /* NULL: not mapped */
    size_t length_bytes;
    uint64_t listed; /* the last run whose state has it */
};

static struct region *regions; /* by object */
static size_t region_room;
static struct nv_host_area *area;
static NVRTL_RECOVERY_FUNCTION *function;
static NVRTL_RECOVERY_FILE *files;
static size_t file_room;
static uint64_t run_number;
static bool has_swap;
static bool forked; /* in a child: the function has, and what its children read is not seen */

static void *in_area(uint64_t offset)
{
    return (char *)area + offset;
}

static int fail(const char *what, const char *why)
{
    snprintf(area->error, sizeof area->error, "%s%s%s", what, why ? ": " : "", why ? why : "");
    return NV_HOST_FAILED;
}

/* -- what was read -- */

/*
 * A page that a process touches gets present in its table of pages, which a fork begins without. The kernel maps its
 * neighbours, too, unless the region is registered with userfaultfd for write protection, of which nothing else is
 * used.
 */
static void tell_pages_apart(void)
{
    int descriptor = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM};
    if (descriptor < 0 || ioctl(descriptor, UFFDIO_API, &api))
        return;
    for (size_t i = 0; i < area->file_count; i++) {
        const struct region *region = &regions[area->files[i].object];
        struct uffdio_register wanted = {.range = {(uintptr_t)region->address, region->length_bytes},
                                         .mode = UFFDIO_REGISTER_MODE_WP};
        (void)ioctl(descriptor, UFFDIO_REGISTER, &wanted);
    }
}

/* Where pages can be swapped out, they are kept, so that none leaves the table. */
static bool hold_pages(void)
{
    for (size_t i = 0; has_swap && i < area->file_count; i++) {
        const struct region *region = &regions[area->files[i].object];
        if (mlock2(region->address, region->length_bytes, MLOCK_ONFAULT))
            return false;
    }
    return true;
}

/* False: it was unmapped, or the table cannot be read. */
static bool note_pages(int table, const struct nv_host_file *file)
{
    const struct region *region = &regions[file->object];
    size_t count = (size_t)((file->size_bytes + NV_HOST_PAGE_BYTES - 1) / NV_HOST_PAGE_BYTES);
    uint64_t entries[MAP_PAGES], first = (uintptr_t)region->address / NV_HOST_PAGE_BYTES;
    uint8_t *bits = in_area(file->pages);
    if (msync(region->address, region->length_bytes, MS_ASYNC))
        return false;
    memset(bits, 0, (count + 7) / 8);
    for (size_t at = 0; at < count; at += MAP_PAGES) {
        size_t some = count - at < MAP_PAGES ? count - at : MAP_PAGES;
        ssize_t got = pread(table, entries, some * sizeof *entries, (off_t)((first + at) * sizeof *entries));
        if (got != (ssize_t)(some * sizeof *entries))
            return false;
        for (size_t i = 0; i < some; i++)
            if (entries[i] >> 62) /* present, or swapped */
                bits[(at + i) / 8] |= (uint8_t)(1u << (at + i) % 8);
    }
    return true;
}

static bool note_reads(void)
{
    int table = forked ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool ok = table >= 0;
    for (size_t i = 0; ok && i < area->file_count; i++)
        ok = note_pages(table, &area->files[i]);
    if (table >= 0)
        close(table);
    return ok;
}

/* -- requests -- */

static int load(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return fail(dlerror(), NULL);
    void *symbol = dlsym(handle, name);
    if (!symbol)
        return fail(dlerror(), NULL);
    memcpy(&function, &symbol, sizeof function);
    return NV_HOST_DONE;
}

static int make_room(uint32_t object)
{
    size_t room = region_room ? region_room : 16;
    while (room <= object)
        room *= 2;
    struct region *grown = reallocarray(regions, room, sizeof *grown);
    if (!grown)
        return fail("no memory", NULL);
    memset(grown + region_room, 0, (room - region_room) * sizeof *grown);
    regions = grown;
    region_room = room;
    return NV_HOST_DONE;
}

static int map(const struct nv_host_request *request, int memory)
{
    void *wanted = (void *)(uintptr_t)request->address;
    if (request->object >= region_room && make_room(request->object))
        return NV_HOST_FAILED;
    struct region *region = &regions[request->object];
    if (region->address && !request->address) /* it has grown */
        munmap(region->address, region->length_bytes);
    void *got = mmap(wanted, request->length_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_NORESERVE | (wanted ? MAP_FIXED_NOREPLACE : 0), memory, 0);
    if (got == MAP_FAILED && wanted && (errno == EEXIST || errno == EPERM))
        return NV_HOST_TAKEN;
    if (got == MAP_FAILED)
        return fail("cannot map a file of the state", strerror(errno));
    (void)madvise(got, request->length_bytes, MADV_NOHUGEPAGE);
    *region = (struct region){got, request->length_bytes};
    return NV_HOST_DONE;
}

static bool make_files(void)
{
    if (area->file_count > file_room) {
        NVRTL_RECOVERY_FILE *grown = reallocarray(files, area->file_count, sizeof *grown);
        if (!grown)
            return false;
        files = grown;
        file_room = area->file_count;
    }
    run_number++;
    for (size_t i = 0; i < area->file_count; i++) {
        struct region *region = &regions[area->files[i].object];
        region->listed = run_number;
        files[i] = (NVRTL_RECOVERY_FILE){
            .Path = in_area(area->files[i].path), .Address = region->address, .Size = area->files[i].size_bytes};
    }
    return true;
}

/* A pointer into a file that the state does not have leads nowhere. */
static void hide_others(void)
{
    for (size_t i = 0; i < region_room; i++)
        if (regions[i].address && regions[i].listed != run_number)
            (void)mprotect(regions[i].address, regions[i].length_bytes, PROT_NONE);
}

static _Noreturn void run_child(void)
{
    NVRTL_RECOVERY_STATE state = {.FileCount = area->file_count,
                                  .Files = files,
                                  .Promises = in_area(area->promises),
                                  .PromisesSize = area->promises_bytes};
    forked = false; /* that was ours */
    bool held = hold_pages();
    hide_others();
    tell_pages_apart();
    int result = function(&state);
    area->reads_known = held && note_reads();
    fflush(NULL);
    _exit(result && !(result & 0xff) ? 1 : result & 0xff);
}

static bool ended_in_time(pid_t child, uint64_t timeout_ms)
{
    struct pollfd watched = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    int ready;
    do
        ready = poll(&watched, 1, timeout_ms && timeout_ms < INT32_MAX ? (int)timeout_ms : -1);
    while (ready < 0 && errno == EINTR);
    close(watched.fd);
    return ready != 0;
}

/* This process is the first of a namespace of its own (function.c): so nothing that the function left is missed. */
static void end_others(void)
{
    while (waitpid(-1, NULL, WNOHANG) >= 0) {
        kill(-1, SIGKILL);
        (void)waitpid(-1, NULL, 0);
    }
}

static int run(const struct nv_host_request *request, struct nv_host_answer *answer)
{
    siginfo_t info = {0};
    if (!make_files())
        return fail("no memory", NULL);
    area->reads_known = 0;
    pid_t child = fork();
    if (child < 0)
        return fail("cannot fork", strerror(errno));
    if (!child)
        run_child();
    if (!ended_in_time(child, request->timeout_ms)) {
        end_others();
        answer->kind = NV_ENDED_TIMEOUT;
        return NV_HOST_DONE;
    }
    while (waitid(P_PID, (id_t)child, &info, WEXITED) && errno == EINTR)
        ;
    answer->kind = info.si_code == CLD_EXITED ? NV_ENDED_EXIT : NV_ENDED_SIGNAL;
    answer->number = info.si_status;
    end_others();
    return NV_HOST_DONE;
}

/* -- the loop -- */

static bool receive(struct nv_host_request *request, int *memory)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {request, sizeof *request};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(NV_HOST_SOCKET, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    *memory = -1;
    struct cmsghdr *header = got == sizeof *request ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(memory, CMSG_DATA(header), sizeof *memory);
    return got == sizeof *request;
}

static void serve(char **arguments, const struct nv_host_request *request, int memory)
{
    struct nv_host_answer answer = {0};
    if (request->kind == NV_HOST_LOAD)
        answer.result = (uint32_t)load(arguments[1], arguments[2]);
    else if (request->kind == NV_HOST_MAP)
        answer.result = (uint32_t)map(request, memory);
    else
        answer.result = (uint32_t)run(request, &answer);
    if (memory >= 0)
        close(memory);
    (void)!send(NV_HOST_SOCKET, &answer, sizeof answer, MSG_NOSIGNAL);
}

static void note_fork(void)
{
    forked = true;
}

int main(int argc, char **argv)
{
    struct nv_host_request request;
    struct sysinfo system;
    int memory;
    if (argc != 3)
        return fputs("usage: " NV_HOST_PROGRAM " is started by nvrtl crash --recover-fn alone\n", stderr) < 0 ? 1 : 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    area = mmap(NULL, NV_HOST_AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, NV_HOST_AREA, 0);
    if (area == MAP_FAILED)
        return 1;
    has_swap = sysinfo(&system) || system.totalswap;
    pthread_atfork(note_fork, NULL, NULL);
    while (receive(&request, &memory))
        serve(argv, &request, memory);
    return 0;
}
