/* SPDX-License-Identifier: MIT */
/* nvrtl bench: reads the options, has bench/machine measure, and writes the result. main.c calls it. */
#include "bench/machine/bench.h"
#include "cli/command.h"
#include "cli/config.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SIZE_BYTES_MIN ((size_t)1 << 20)
enum { ROUNDS = 31, QUICK_ROUNDS = 3 };
#define SIZE_BYTES ((size_t)1 << 30)
#define QUICK_SIZE_BYTES ((size_t)16 << 20)

struct bench {
    struct nv_bench_options options;
    const char *plot; /* NULL: none */
    bool json;
    bool seeded;
};

enum {
    OPTION_DIR = 256,
    OPTION_SIZE,
    OPTION_ROUNDS,
    OPTION_QUICK,
    OPTION_SEED,
    OPTION_CPU,
    OPTION_FORMAT,
    OPTION_PLOT
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What is measured", 1},
    {"dir", OPTION_DIR, "DIR", 0, "Measure the page cache too, with a file in DIR, on a disk (64 MiB; default: none)",
     1},
    {"size", OPTION_SIZE, "SIZE", 0, "Size of the memory to write to, with K, M or G (default: 1G)", 1},
    {NULL, 0, NULL, 0, "How it is measured", 2},
    {"rounds", OPTION_ROUNDS, "N", 0, "Samples of each case (default: 31)", 2},
    {"quick", OPTION_QUICK, NULL, 0, "3 short rounds in 16 MiB: shows that it works, and hardly more", 2},
    {"cpu", OPTION_CPU, "N", 0, "Stay on CPU N, or on none in particular: none (default: the last one)", 2},
    {"seed", OPTION_SEED, "N", 0, "Choose places and order as a former run with that seed did", 2},
    {NULL, 0, NULL, 0, "What is written", 3},
    {"format", OPTION_FORMAT, "NAME", 0, "text (default) or json", 3},
    {"plot", OPTION_PLOT, "FILE", 0, "Write a picture to FILE too, as SVG", 3},
    {0},
};

static const char documentation[] =
    "Measure this machine: durable write, fill, flush and drain by nvrtl, beside libpmem where it is installed, and "
    "beside the bare instructions, which are the limit.\v"
    "DRAM stands in for persistent memory, and nothing is written to DIR but one file, which loses its name before it "
    "is measured. Exit status: 125 "
    "if it could not be measured, 2 for an option that is not known.";

/* -- options -- */

static uint64_t number(const struct argp_state *state, const char *option, const char *text, uint64_t least,
                       uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < least || value > most)
        argp_error(state, "--%s=%s: must be a number from %llu to %llu", option, text, (unsigned long long)least,
                   (unsigned long long)most);
    return value;
}

static size_t size(const struct argp_state *state, const char *text)
{
    static const char suffixes[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    const char *suffix = *end ? strchr(suffixes, *end) : NULL;
    unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
    if (errno || end == text || *text == '-' || (*end && (!suffix || end[1])) || value > SIZE_MAX >> shift ||
        (size_t)value << shift < SIZE_BYTES_MIN)
        argp_error(state, "--size=%s: must be a number of at least 1M, with K, M or G or without", text);
    return (size_t)value << shift & ~(size_t)4095;
}

static bool is_json(const struct argp_state *state, const char *name)
{
    bool json = strcmp(name, "json") == 0;
    if (!json && strcmp(name, "text") != 0)
        argp_error(state, "--format=%s: must be one of text, json", name);
    return json;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct bench *bench = state->input;
    switch (key) {
    case OPTION_DIR:
        bench->options.folder = argument;
        return 0;
    case OPTION_SIZE:
        bench->options.size_bytes = size(state, argument);
        return 0;
    case OPTION_ROUNDS:
        bench->options.rounds = (unsigned)number(state, "rounds", argument, 1, NV_BENCH_ROUNDS_MAX);
        return 0;
    case OPTION_QUICK:
        bench->options.quick = true;
        return 0;
    case OPTION_SEED:
        bench->options.seed = number(state, "seed", argument, 0, INT64_MAX);
        bench->seeded = true;
        return 0;
    case OPTION_CPU:
        bench->options.cpu =
            strcmp(argument, "none") == 0 ? NV_BENCH_CPU_NONE : (int)number(state, "cpu", argument, 0, 1023);
        return 0;
    case OPTION_FORMAT:
        bench->json = is_json(state, argument);
        return 0;
    case OPTION_PLOT:
        bench->plot = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void complete(struct bench *bench)
{
    struct nv_bench_options *chosen = &bench->options;
    if (!chosen->rounds)
        chosen->rounds = chosen->quick ? QUICK_ROUNDS : ROUNDS;
    if (!chosen->size_bytes)
        chosen->size_bytes = chosen->quick ? QUICK_SIZE_BYTES : SIZE_BYTES;
    if (!bench->seeded && getrandom(&chosen->seed, sizeof(uint32_t), 0) < 0)
        chosen->seed = 1;
}

/* -- what is written -- */

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "nvrtl bench: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    return NV_EXIT_FAILED;
}

static int write_all(const struct bench *bench, const struct nv_bench *result, FILE *plot)
{
    if (bench->json && !nv_bench_json(result, stdout))
        return fail("standard output", "the result could not be written");
    if (!bench->json)
        nv_bench_text(result, stdout);
    if (!plot)
        return 0;
    nv_bench_plot(result, plot);
    return ferror(plot) ? fail(bench->plot, "it could not be written") : 0;
}

static int measure(const struct bench *bench, FILE *plot)
{
    struct nv_bench result;
    char error[256] = "";
    int status = nv_bench_run(&bench->options, &result, error, sizeof error) ? write_all(bench, &result, plot)
                                                                             : fail(error, NULL);
    nv_bench_free(&result);
    return status;
}

int nv_command_bench(int argc, char **argv)
{
    static const struct argp argp = {options, parse, NULL, documentation, NULL, NULL, NULL};
    struct bench bench = {.options = {.cpu = NV_BENCH_CPU_ANY, .version = NV_VERSION}};
    if (argp_parse(&argp, argc, argv, 0, NULL, &bench))
        return NV_EXIT_FAILED;
    complete(&bench);
    FILE *plot = bench.plot ? fopen(bench.plot, "we") : NULL;
    if (bench.plot && !plot)
        return fail(bench.plot, strerror(errno));
    int status = measure(&bench, plot);
    if (plot && fclose(plot) != 0 && status == 0)
        status = fail(bench.plot, strerror(errno));
    return status;
}
