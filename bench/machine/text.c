/* SPDX-License-Identifier: MIT */
/* Owns the table that `nvrtl bench` prints. */
#include "bench/machine/bench.h"

#include <string.h>

enum { TIME_WIDTH = 23 };

struct unit {
    const char *name;
    double ns;
};

static struct unit unit_of(double ns)
{
    if (ns >= 1e6)
        return (struct unit){"ms", 1e6};
    return ns >= 1e4 ? (struct unit){"us", 1e3} : (struct unit){"ns", 1};
}

/* Three significant digits. */
static int decimals(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

static void print_time(const struct nv_bench_case *test, int contestant, FILE *out)
{
    const struct nv_bench_time *time = &test->times[contestant];
    char spread[48];
    if (!time->measured) {
        fprintf(out, "  %*s", TIME_WIDTH, "-");
        return;
    }
    struct unit unit = unit_of(time->median);
    double median = time->median / unit.ns, least = time->least / unit.ns, most = time->most / unit.ns;
    snprintf(spread, sizeof spread, "(%.*f-%.*f)", decimals(least), least, decimals(most), most);
    fprintf(out, "  %6.*f %s %-*s", decimals(median), median, unit.name, TIME_WIDTH - 10, spread);
}

static void print_ratio(double ratio, FILE *out)
{
    if (ratio > 0)
        fprintf(out, " %9.2fx", ratio);
    else
        fprintf(out, " %10s", "-");
}

static bool takes_part(const struct nv_bench *bench, const char *group, int contestant)
{
    for (size_t i = 0; i < bench->count; i++)
        if (strcmp(bench->cases[i].group, group) == 0 && bench->cases[i].times[contestant].measured)
            return true;
    return false;
}

static bool has_throughput(const struct nv_bench_case *test)
{
    return test->size_bytes != 0;
}

static void print_head(const struct nv_bench *bench, const struct nv_bench_case *first, FILE *out)
{
    char title[32];
    fprintf(out, "\n%s\n%-19s", first->group, "");
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++)
        if (takes_part(bench, first->group, i))
            fprintf(out, "  %-*s", TIME_WIDTH, nv_bench_names[i]);
    if (has_throughput(first))
        fprintf(out, " %7s", "GB/s");
    for (int i = 1; i < NV_BENCH_CONTESTANTS; i++) {
        if (!takes_part(bench, first->group, i))
            continue;
        snprintf(title, sizeof title, i == NV_BENCH_BARE ? "/%s" : "%s/", nv_bench_names[i]);
        fprintf(out, " %10s", title);
    }
    if (first->times[NV_BENCH_NVRTL].device_flushes >= 0)
        fprintf(out, "  device flushes");
    fputc('\n', out);
}

static void print_flushes(const struct nv_bench_case *test, FILE *out)
{
    const char *between = "  ";
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++) {
        if (!test->times[i].measured || test->times[i].device_flushes < 0)
            continue;
        fprintf(out, "%s%.0f", between, test->times[i].device_flushes);
        between = ", ";
    }
}

static void print_case(const struct nv_bench *bench, const struct nv_bench_case *test, FILE *out)
{
    fprintf(out, "%-19s", test->name);
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++)
        if (takes_part(bench, test->group, i))
            print_time(test, i, out);
    if (has_throughput(test))
        fprintf(out, " %7.2f", (double)test->size_bytes / test->times[NV_BENCH_NVRTL].median);
    for (int i = 1; i < NV_BENCH_CONTESTANTS; i++) {
        if (!takes_part(bench, test->group, i))
            continue;
        enum nv_bench_contestant other = (enum nv_bench_contestant)i;
        print_ratio(other == NV_BENCH_BARE ? nv_bench_ratio(test, NV_BENCH_NVRTL, other)
                                           : nv_bench_ratio(test, other, NV_BENCH_NVRTL),
                    out);
    }
    print_flushes(test, out);
    fputc('\n', out);
}

static void print_machine(const struct nv_bench *bench, FILE *out)
{
    const struct nv_bench_machine *machine = &bench->machine;
    fprintf(out, "nvrtl %s on %s, %d CPUs, %s\n", bench->options.version, machine->cpu, machine->cpus, machine->kernel);
    fprintf(out, "kernel table %s; libpmem %s\n", machine->table, *machine->peer ? machine->peer : "not installed");
    fprintf(out, "%u rounds in random order, seed %llu, %zu MiB of memory, ", bench->options.rounds,
            (unsigned long long)bench->options.seed, bench->options.size_bytes >> 20);
    if (machine->pinned >= 0)
        fprintf(out, "on CPU %d\n", machine->pinned);
    else
        fprintf(out, "not pinned\n");
    fputs("medians (least-most); libpmem/: its time over nvrtl's; /bare: nvrtl's over that of the bare instructions\n",
          out);
}

void nv_bench_text(const struct nv_bench *bench, FILE *out)
{
    print_machine(bench, out);
    for (size_t i = 0; i < bench->count; i++) {
        if (i == 0 || strcmp(bench->cases[i].group, bench->cases[i - 1].group) != 0)
            print_head(bench, &bench->cases[i], out);
        print_case(bench, &bench->cases[i], out);
    }
    if (bench->note_count)
        fputc('\n', out);
    for (size_t i = 0; i < bench->note_count; i++)
        fprintf(out, "%s\n", bench->notes[i]);
}
