/* SPDX-License-Identifier: MIT */
/*
 * A program that flushes where Windows does not allow it, in pairs: wrong, and right. Run under nvrtl check by
 * `levels`. Everything is durable in the end, so that nothing else can be a finding.
 */
#include <fcntl.h>
#include <nvrtl/nvrtl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 4096 };

static HANDLE file;
static bool wrong;

static HANDLE open_file(const char *name)
{
    HANDLE handle;
    int descriptor = open(name, O_RDWR | O_CREAT, 0600);
    if (descriptor < 0 || write(descriptor, "content", 7) != 7 ||
        NvrtlHandleFromFd(descriptor, FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE, &handle) != STATUS_SUCCESS)
        _exit(3);
    close(descriptor);
    return handle;
}

__attribute__((noinline)) static void flush_file(void)
{
    IO_STATUS_BLOCK io;
    if (NtFlushBuffersFile(file, &io) != STATUS_SUCCESS)
        _exit(4);
}

static void raised(void)
{
    KIRQL old;
    KeRaiseIrql(wrong ? APC_LEVEL : PASSIVE_LEVEL, &old);
    flush_file();
    KeLowerIrql(old);
}

/* Normal kernel APCs may be disabled, special ones not. */
static void guarded(void)
{
    KeEnterCriticalRegion();
    if (wrong)
        KeEnterGuardedRegion();
    flush_file();
    if (wrong)
        KeLeaveGuardedRegion();
    KeLeaveCriticalRegion();
}

/* Whoever holds a fast mutex is at APC_LEVEL. */
static void mutex(void)
{
    FAST_MUTEX lock;
    ExInitializeFastMutex(&lock);
    ExAcquireFastMutex(&lock);
    if (!wrong)
        ExReleaseFastMutex(&lock);
    flush_file();
    if (wrong)
        ExReleaseFastMutex(&lock);
}

/* At DISPATCH_LEVEL memory may be flushed. */
__attribute__((noinline)) static void flush_memory(PVOID token, char *base)
{
    ULONG flags = WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN;
    if (RtlWriteNonVolatileMemory(token, base, "hello", 5, flags) != STATUS_SUCCESS ||
        RtlDrainNonVolatileFlush(token) != STATUS_SUCCESS)
        _exit(5);
}

static void memory(void)
{
    PVOID token;
    KIRQL old;
    int descriptor = open("memory", O_RDWR | O_CREAT, 0600);
    if (descriptor < 0 || ftruncate(descriptor, SIZE) != 0 || fsync(descriptor) != 0)
        _exit(6);
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (base == MAP_FAILED || RtlGetNonVolatileToken(base, SIZE, &token) != STATUS_SUCCESS)
        _exit(7);
    KeRaiseIrql(wrong ? HIGH_LEVEL : DISPATCH_LEVEL, &old);
    flush_memory(token, base);
    KeLowerIrql(old);
    if (RtlFreeNonVolatileToken(token) != STATUS_SUCCESS || fsync(descriptor) != 0)
        _exit(8);
    flush_file();
}

static __thread bool nested;
static bool by_handle;

__attribute__((noinline)) static NTSTATUS flush_below(PCFLT_RELATED_OBJECTS objects)
{
    IO_STATUS_BLOCK io;
    KIRQL old;
    if (by_handle && wrong)
        return ZwFlushBuffersFile(file, &io);
    KeRaiseIrql(wrong ? APC_LEVEL : PASSIVE_LEVEL, &old);
    NTSTATUS status = FltFlushBuffers(objects->Instance, objects->FileObject);
    KeLowerIrql(old);
    return status;
}

static FLT_PREOP_CALLBACK_STATUS NTAPI before(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    (void)context;
    if (nested)
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    nested = true;
    data->IoStatus.Status = flush_below(objects);
    nested = false;
    return FLT_PREOP_COMPLETE;
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    static const FLT_OPERATION_REGISTRATION operations[] = {{IRP_MJ_FLUSH_BUFFERS, 0, before, NULL, NULL},
                                                            {.MajorFunction = IRP_MJ_OPERATION_END}};
    static const FLT_REGISTRATION registration = {
        .Size = sizeof(FLT_REGISTRATION), .Version = FLT_REGISTRATION_VERSION, .OperationRegistration = operations};
    PFLT_FILTER filter;
    (void)path;
    NTSTATUS status = FltRegisterFilter(driver, &registration, &filter);
    return NT_SUCCESS(status) ? FltStartFiltering(filter) : status;
}

static void filtered(void)
{
    PDRIVER_OBJECT driver;
    if (NvrtlLoadDriver(entry, ".", &driver) != STATUS_SUCCESS)
        _exit(9);
    flush_file();
}

static void filtered_by_handle(void)
{
    by_handle = true;
    filtered();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"raised", raised}, {"guarded", guarded},   {"mutex", mutex},
                 {"memory", memory}, {"filtered", filtered}, {"reentered", filtered_by_handle}};
    if (argc != 3)
        return 2;
    wrong = strcmp(argv[2], "wrong") == 0;
    file = open_file("data");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (strcmp(cases[i].name, argv[1]) == 0)
            cases[i].run();
    return NtClose(file) == STATUS_SUCCESS ? 0 : 10;
}
