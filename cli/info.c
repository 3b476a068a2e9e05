/* SPDX-License-Identifier: MIT */
/* nvrtl info: what this machine and each file offer to make data durable. It maps the files and writes nothing. */
#include "cli/command.h"
#include "cli/config.h"
#include "src/cpu/cpu.h"
#include "src/io/filters/configured.h"
#include "src/os/os.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nvrtl/nvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAPPED_BYTES_MAX ((size_t)4096)

/* A mapping of a file's beginning, or why there is none. */
struct sample {
    void *start;
    size_t size_bytes;
    bool synchronous; /* mapped with MAP_SYNC */
    char error[160];
};

static const char *kernel_state(const struct nv_cpu *kernel, const char *forced)
{
    if (kernel == nv_cpu)
        return forced && strcmp(forced, kernel->name) == 0 ? "in force: NVRTL_CPU names it"
                                                           : "in force: the best that this CPU has";
    if (!kernel->supported())
        return "not on this CPU";
    return kernel->only_forced ? "available, when NVRTL_CPU names it" : "available";
}

static bool is_known(const char *name)
{
    for (const struct nv_cpu *const *kernel = nv_cpu_list; *kernel; kernel++)
        if (strcmp((*kernel)->name, name) == 0)
            return true;
    return false;
}

static void print_cpu(void)
{
    const char *forced = nv_option(NV_OPTION_CPU);
    puts("nvrtl " NV_VERSION "\n\nCPU kernels");
    for (const struct nv_cpu *const *kernel = nv_cpu_list; *kernel; kernel++) {
        const char *but = (*kernel)->only_forced;
        printf("  %-19s %s%s%s\n", (*kernel)->name, kernel_state(*kernel, forced), but ? "; " : "", but ? but : "");
    }
    if (forced && strcmp(forced, nv_cpu->name) != 0)
        printf("  NVRTL_CPU=%s is not followed: %s\n", forced,
               is_known(forced) ? "this CPU does not have it" : "there is no kernel of that name");
}

/*
 * What the library does not say itself, as it prints nothing: with filters that it does not understand no file opens.
 */
static int print_filters(void)
{
    size_t count;
    const char *wrong = nv_configured_filters_check(&count);
    if (wrong)
        printf("\nFilters\n  NVRTL_FILTERS cannot be understood, so no file can be opened by NtCreateFile:\n  %s\n",
               wrong);
    else if (count)
        printf("\nFilters\n  %zu on every volume, as NVRTL_FILTERS says\n", count);
    return wrong ? NV_EXIT_NOT_SERVED : 0;
}

/* The size of a DAX device, bytes; 0: it is no such device, or does not tell. */
static size_t dax_size(dev_t device)
{
    char path[96], subsystem[256];
    snprintf(path, sizeof path, "/sys/dev/char/%u:%u/subsystem", major(device), minor(device));
    ssize_t length = readlink(path, subsystem, sizeof subsystem - 1);
    if (length < 0)
        return 0;
    subsystem[length] = '\0';
    const char *name = strrchr(subsystem, '/');
    if (!name || strcmp(name, "/dax") != 0)
        return 0;
    snprintf(path, sizeof path, "/sys/dev/char/%u:%u/size", major(device), minor(device));
    FILE *file = fopen(path, "re");
    uint64_t size = 0;
    if (file && fscanf(file, "%" SCNu64, &size) != 1)
        size = 0;
    if (file)
        fclose(file);
    return (size_t)size;
}

/* How much of it to map; 0: nothing, and sample->error tells why. */
static size_t mappable_bytes(struct sample *sample, const struct stat *status)
{
    if (S_ISCHR(status->st_mode)) {
        size_t size = dax_size(status->st_rdev);
        if (!size)
            snprintf(sample->error, sizeof sample->error, "it is a device, and not for DAX");
        return size;
    }
    if (!S_ISREG(status->st_mode)) {
        snprintf(sample->error, sizeof sample->error, "it is no file that can be mapped");
        return 0;
    }
    if (status->st_size == 0)
        snprintf(sample->error, sizeof sample->error, "it is empty: there is nothing to map");
    return (size_t)status->st_size < MAPPED_BYTES_MAX ? (size_t)status->st_size : MAPPED_BYTES_MAX;
}

static bool map(struct sample *sample, int descriptor)
{
    int protection = PROT_READ | PROT_WRITE;
    sample->start = mmap(NULL, sample->size_bytes, protection, MAP_SHARED_VALIDATE | MAP_SYNC, descriptor, 0);
    sample->synchronous = sample->start != MAP_FAILED;
    if (!sample->synchronous)
        sample->start = mmap(NULL, sample->size_bytes, protection, MAP_SHARED, descriptor, 0);
    if (sample->start != MAP_FAILED)
        return true;
    snprintf(sample->error, sizeof sample->error, "it cannot be mapped: %s", strerror(errno));
    return false;
}

static bool sample_open(struct sample *sample, const char *path)
{
    struct stat status;
    int descriptor = -1;
    /* Asked before it is opened: to open some devices is to use them. */
    if (stat(path, &status) != 0) {
        snprintf(sample->error, sizeof sample->error, "%s", strerror(errno));
        return false;
    }
    sample->size_bytes = mappable_bytes(sample, &status);
    if (!sample->size_bytes)
        return false;
    descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0) {
        snprintf(sample->error, sizeof sample->error, "%s", strerror(errno));
        return false;
    }
    bool mapped = map(sample, descriptor);
    close(descriptor);
    return mapped;
}

static void print_token(const char *path, const struct sample *sample, const NVRTL_TOKEN_INFORMATION *information)
{
    printf("\n%s\n", path);
    printf("  domain      %s%s\n", NvrtlDomainName(information->Domain), information->Forced ? " (forced)" : "");
    printf("  why         %s\n", information->Reason);
    printf("  write back  %s\n", information->WriteBack);
    if (sample->synchronous)
        puts("  mapped      with MAP_SYNC, as a program has to for this domain");
}

static int query(const char *path, const struct sample *sample)
{
    NVRTL_TOKEN_INFORMATION information;
    PVOID token;
    NTSTATUS status = RtlGetNonVolatileToken(sample->start, sample->size_bytes, &token);
    if (status == 0) {
        status = NvrtlQueryToken(token, &information, sizeof information);
        RtlFreeNonVolatileToken(token);
    }
    if (status == 0) {
        print_token(path, sample, &information);
        return 0;
    }
    fprintf(stderr, "nvrtl info: %s: no token for it: status 0x%08" PRIX32 "\n", path, (uint32_t)status);
    return NV_EXIT_NOT_SERVED;
}

static int show_file(const char *path)
{
    struct sample sample = {0};
    if (!sample_open(&sample, path)) {
        fprintf(stderr, "nvrtl info: %s: %s\n", path, sample.error);
        return NV_EXIT_NOT_SERVED;
    }
    int status = query(path, &sample);
    munmap(sample.start, sample.size_bytes);
    return status;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    if (key != ARGP_KEY_ARGS)
        return ARGP_ERR_UNKNOWN;
    int *first = state->input;
    *first = state->next;
    state->next = state->argc;
    return 0;
}

int nv_command_info(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse,
        "[FILE...]",
        "Show the CPU's kernels and, for each FILE, its persistence domain, why, and how it is written back.\v"
        "Nothing is created, and nothing is written. Exit status: 1 if a file could not be served, or if "
        "NVRTL_FILTERS cannot be understood.",
        NULL,
        NULL,
        NULL};
    int first = argc;
    if (argp_parse(&argp, argc, argv, 0, NULL, &first))
        return NV_EXIT_FAILED;
    print_cpu();
    int status = print_filters();
    fflush(stdout);
    for (int i = first; i < argc; i++)
        if (show_file(argv[i]))
            status = NV_EXIT_NOT_SERVED;
    return status;
}
