/* SPDX-License-Identifier: MIT */
/*
 * Owns what a keeper's thread does: it opens a file in a descriptor table of its own, and writes pages of it back for
 * others. Started by keeper.c.
 *
 * The thread is not one of the C library's, which ends a program when its own last thread has ended. So it may use
 * nothing of the library, not even errno, and this file is built without sanitizers and stack protectors, whose code
 * looks for the library's thread: a test sees to it that it calls no function of another file.
 *
 * setuid() and its like do not reach such a thread, nor does a filter that the program puts on its own threads. So
 * before it takes any work it gives up all system calls but those of its work.
 */
#include "src/os/keeper_thread.h"

#include <errno.h>

#if defined(__x86_64__) || defined(__aarch64__)

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define VMAS_MAX 16 /* of a mapping that the program has divided since */

/* -- system calls -- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
static long call(long number, long a, long b, long c, long d, long e)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return number;
}

/* In the new thread all registers are those of the old one, but for the stack and the result. */
static long begin(long flags, char *stack, _Atomic uint32_t *thread, void (*run)(void *), void *argument)
{
    long result = SYS_clone;
    register _Atomic uint32_t *cleared __asm__("r10") = thread;
    register void *given __asm__("r8") = argument;
    register void (*function)(void *) __asm__("r9") = run;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r8, %%rdi\n\t"
                     "call *%%r9\n\t"
                     "ud2\n"
                     "1:"
                     : "+a"(result)
                     : "D"(flags), "S"(stack), "d"(thread), "r"(cleared), "r"(given), "r"(function)
                     : "rcx", "r11", "cc", "memory");
    return result;
}
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
static long call(long number, long a, long b, long c, long d, long e)
{
    register long system_call __asm__("x8") = number;
    register long first __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    __asm__ volatile("svc 0"
                     : "+r"(first)
                     : "r"(system_call), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
                     : "memory");
    return first;
}

/* In the new thread all registers are those of the old one, but for the stack and the result. */
static long begin(long flags, char *stack, _Atomic uint32_t *thread, void (*run)(void *), void *argument)
{
    register long system_call __asm__("x8") = SYS_clone;
    register long result __asm__("x0") = flags;
    register char *top __asm__("x1") = stack;
    register _Atomic uint32_t *set __asm__("x2") = thread;
    register long no_data __asm__("x3") = 0;
    register _Atomic uint32_t *cleared __asm__("x4") = thread;
    register void *given __asm__("x9") = argument;
    register void (*function)(void *) __asm__("x10") = run;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x9\n\t"
                     "blr x10\n\t"
                     "brk #1\n"
                     "1:"
                     : "+r"(result)
                     : "r"(system_call), "r"(top), "r"(set), "r"(no_data), "r"(cleared), "r"(given), "r"(function)
                     : "cc", "memory");
    return result;
}
#endif

static void wake(_Atomic uint32_t *word)
{
    (void)call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0, 0);
}

/* -- getting ready -- */

/* What the path leads to, as far as it can be told without opening it. */
static int look_at(int found, struct nv_os_file *file)
{
    struct statx status;
    struct statfs system;
    long error =
        call(SYS_statx, found, (long)"", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, (long)&status);
    if (!error)
        error = call(SYS_fstatfs, found, (long)&system, 0, 0, 0);
    if (error)
        return (int)error;
    if (!S_ISREG(status.stx_mode) || status.stx_ino != file->inode ||
        makedev(status.stx_dev_major, status.stx_dev_minor) != file->device)
        return -ESTALE;
    file->attributes = status.stx_attributes;
    for (size_t i = 0; i < file->system_count; i++)
        if ((uint64_t)system.f_type == file->systems[i])
            return 0;
    return -EOPNOTSUPP;
}

/* What the path leads to is looked at before it is opened: to open a device or a fifo may have effects. */
static int open_path(const char *path, struct nv_os_file *file)
{
    char self[] = "/proc/thread-self/fd/N";
    int found = (int)call(SYS_openat, AT_FDCWD, (long)path, O_PATH | O_CLOEXEC, 0, 0);
    if (found < 0)
        return found;
    int descriptor = found > 9 ? -EMFILE : look_at(found, file);
    if (descriptor == 0) {
        self[sizeof(self) - 2] = (char)('0' + found);
        descriptor = (int)call(SYS_openat, AT_FDCWD, (long)self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, 0);
    }
    (void)call(SYS_close, found, 0, 0, 0, 0);
    return descriptor;
}

static int open_file(struct nv_os_file *file)
{
    int descriptor = -ENOENT;
    for (size_t i = 0; i < sizeof(file->paths) / sizeof(file->paths[0]) && descriptor < 0; i++)
        if (file->paths[i])
            descriptor = open_path(file->paths[i], file);
    return descriptor;
}

/* Nothing else can be done by the thread from now on, whoever might get hold of it. */
static int seal(void)
{
#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_futex),
        ALLOW(SYS_sync_file_range),
        ALLOW(SYS_close),
        ALLOW(SYS_exit),
        ALLOW(SYS_getcpu),
        ALLOW(SYS_restart_syscall),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        ALLOW(NV_OS_QUERY_MAPPING),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
#undef ALLOW
    struct sock_fprog program = {sizeof(instructions) / sizeof(instructions[0]), instructions};
    long error = call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return error ? (int)error : (int)call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0);
}

static int get_ready(struct nv_os_keeper *keeper)
{
    long error = call(SYS_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE, 0, 0);
    if (error)
        return (int)error;
    (void)call(SYS_prctl, PR_SET_NAME, (long)"nvrtl-keeper", 0, 0, 0);
    keeper->maps = (int)call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0);
    keeper->descriptor = open_file(keeper->file);
    return keeper->descriptor < 0 ? keeper->descriptor : seal();
}

/* -- work -- */

/*
 * Whether the addresses still stand for the file: the program may have put another mapping in that place. The kernel is
 * asked where it can be, from Linux 6.11 on.
 */
static int look(struct nv_os_keeper *keeper, const struct nv_os_pages *pages)
{
    uintptr_t at = pages->ranges[0].low, end = pages->ranges[pages->count - 1].high;
    for (int i = 0; i < VMAS_MAX && at < end; i++) {
        struct nv_os_mapping mapping = {.size_bytes = sizeof(mapping), .query_address = at};
        long error = call(SYS_ioctl, keeper->maps, (long)NV_OS_QUERY_MAPPING, (long)&mapping, 0, 0);
        if (error)
            return error == -ENOTTY || error == -EBADF ? 0 : -ESTALE;
        if (mapping.inode != keeper->inode || makedev(mapping.major, mapping.minor) != keeper->device ||
            mapping.offset + (at - mapping.start) != pages->offset + (at - pages->start))
            return -ESTALE;
        at = mapping.end;
    }
    return at < end ? -ESTALE : 0;
}

static int each_range(struct nv_os_keeper *keeper, const struct nv_os_pages *pages, unsigned how)
{
    int first = 0;
    for (; pages; pages = pages->next)
        for (size_t i = 0; i < pages->count; i++) {
            const struct nv_os_range *range = &pages->ranges[i];
            long error =
                call(SYS_sync_file_range, keeper->descriptor, (long)(pages->offset + (range->low - pages->start)),
                     (long)(range->high - range->low), how, 0);
            if (error && !first)
                first = (int)error;
        }
    return first;
}

static int start_writes(struct nv_os_keeper *keeper, const struct nv_os_pages *pages)
{
    int error = 0;
    for (const struct nv_os_pages *each = pages; each && !error; each = each->next)
        error = look(keeper, each);
    return error ? error : each_range(keeper, pages, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
}

static void tell(struct nv_keeper_request *request, enum nv_keeper_state state)
{
    atomic_store_explicit(&request->state, state, memory_order_release);
    wake(&request->state); /* it may be gone by now: then nobody waits there */
}

static void serve(struct nv_os_keeper *keeper, struct nv_keeper_request *requests)
{
    for (struct nv_keeper_request *request = requests; request; request = request->next) {
        request->error = start_writes(keeper, request->pages);
        if (request->tell_start && call(SYS_getcpu, (long)&request->cpu, 0, 0, 0, 0) == 0)
            tell(request, NV_KEEPER_STARTED);
    }
    for (struct nv_keeper_request *next, *request = requests; request; request = next) {
        if (!request->error)
            request->error = each_range(keeper, request->pages, SYNC_FILE_RANGE_WAIT_AFTER);
        next = request->next;
        tell(request, NV_KEEPER_DONE);
    }
}

static void work(struct nv_os_keeper *keeper)
{
    for (;;) {
        uint32_t rung = atomic_load_explicit(&keeper->bell, memory_order_acquire);
        struct nv_keeper_request *requests = atomic_exchange_explicit(&keeper->requests, NULL, memory_order_acquire);
        if (requests)
            serve(keeper, requests);
        else if (atomic_load_explicit(&keeper->ends, memory_order_acquire))
            return;
        else
            (void)call(SYS_futex, (long)&keeper->bell, FUTEX_WAIT_PRIVATE, rung, 0, 0);
    }
}

static void run(void *argument)
{
    struct nv_os_keeper *keeper = argument;
    keeper->error = get_ready(keeper);
    atomic_store_explicit(&keeper->ready, 1, memory_order_release);
    wake(&keeper->ready);
    if (!keeper->error)
        work(keeper);
    /* Who waits for the end may unmount next; the thread's table ends only after it is said to be gone. */
    if (keeper->descriptor >= 0)
        (void)call(SYS_close, keeper->descriptor, 0, 0, 0, 0);
    if (keeper->maps >= 0)
        (void)call(SYS_close, keeper->maps, 0, 0, 0, 0);
    for (;;)
        (void)call(SYS_exit, 0, 0, 0, 0, 0);
}

int nv_keeper_begin(struct nv_os_keeper *keeper)
{
    const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                       CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    long thread = begin(flags, keeper->stack + sizeof(keeper->stack), &keeper->thread, run, keeper);
    return thread < 0 ? (int)thread : 0;
}

#else

int nv_keeper_begin(struct nv_os_keeper *keeper)
{
    (void)keeper;
    return -ENOSYS;
}

#endif
