/* SPDX-License-Identifier: MIT */
/* Owns the schema nvrtl-bench/1. Times are nanoseconds for one operation. */
#include "bench/machine/bench.h"

#include <jansson.h>

static json_t *machine(const struct nv_bench *bench)
{
    const struct nv_bench_machine *machine = &bench->machine;
    json_t *pinned = machine->pinned >= 0 ? json_integer(machine->pinned) : json_null();
    json_t *peer = *machine->peer ? json_string(machine->peer) : json_null();
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:o, s:o}", "cpu", machine->cpu, "cpus", machine->cpus, "kernel",
                     machine->kernel, "table", machine->table, "nvrtl", bench->options.version, "libpmem", peer,
                     "pinned", pinned);
}

static json_t *options(const struct nv_bench_options *options)
{
    json_t *folder = options->folder ? json_string(options->folder) : json_null();
    return json_pack("{s:i, s:I, s:I, s:b, s:o}", "rounds", (int)options->rounds, "seed", (json_int_t)options->seed,
                     "size_bytes", (json_int_t)options->size_bytes, "quick", options->quick, "dir",
                     folder ? folder : json_null());
}

static json_t *time_of(const struct nv_bench_case *test, const struct nv_bench_time *time)
{
    json_t *object =
        json_pack("{s:f, s:f, s:f}", "median_ns", time->median, "least_ns", time->least, "most_ns", time->most);
    if (test->size_bytes && time->median > 0)
        json_object_set_new(object, "gb_per_s", json_real((double)test->size_bytes / time->median));
    if (time->device_flushes >= 0)
        json_object_set_new(object, "device_flushes", json_integer((json_int_t)time->device_flushes));
    return object;
}

static json_t *result(const struct nv_bench_case *test)
{
    json_t *times = json_object(), *ratios = json_object();
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++) {
        enum nv_bench_contestant other = (enum nv_bench_contestant)i;
        if (!test->times[i].measured)
            continue;
        json_object_set_new(times, nv_bench_names[i], time_of(test, &test->times[i]));
        if (other != NV_BENCH_NVRTL && test->times[NV_BENCH_NVRTL].measured)
            json_object_set_new(ratios, nv_bench_names[i], json_real(nv_bench_ratio(test, other, NV_BENCH_NVRTL)));
    }
    json_t *object = json_pack("{s:s, s:s, s:o, s:o}", "group", test->group, "name", test->name, "times", times,
                               "over_nvrtl", ratios);
    if (test->size_bytes)
        json_object_set_new(object, "size_bytes", json_integer((json_int_t)test->size_bytes));
    return object;
}

bool nv_bench_json(const struct nv_bench *bench, FILE *out)
{
    json_t *results = json_array(), *notes = json_array();
    for (size_t i = 0; i < bench->count; i++)
        json_array_append_new(results, result(&bench->cases[i]));
    for (size_t i = 0; i < bench->note_count; i++)
        json_array_append_new(notes, json_string(bench->notes[i]));
    json_t *whole = json_pack("{s:s, s:o, s:o, s:o, s:o}", "schema", "nvrtl-bench/1", "machine", machine(bench),
                              "options", options(&bench->options), "results", results, "notes", notes);
    bool ok = whole && json_dumpf(whole, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;
    json_decref(whole);
    return ok;
}
