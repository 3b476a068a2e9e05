/* SPDX-License-Identifier: MIT */
/*
 * Prints every state that the explorer finds in traces read from standard input: names, modes, lengths and the CRC of
 * contents, built from the base and the changes as a judge gets them. legal.py compares them with its own.
 */
#include "explore/explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t crc_table[256];

static uint32_t crc(const uint8_t *bytes, size_t length)
{
    uint32_t value = 0xffffffff;

    for (size_t i = 0; i < length; i++)
        value = crc_table[(value ^ bytes[i]) & 255] ^ value >> 8;
    return ~value;
}

static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;

        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
        crc_table[i] = value;
    }
}

struct printing {
    const struct nv_model *model;
};

static void print_state(const struct printing *printing, const struct nv_state *state)
{
    for (size_t i = 0; i < state->entry_count; i++) {
        const struct nv_state_entry *entry = &state->entries[i];
        uint8_t *bytes = calloc(entry->size_bytes + 1, 1);

        printf(" %" PRIu32 ":%s:%o:", entry->folder, entry->path, (unsigned)entry->mode);
        if (S_ISREG(entry->mode) && bytes) {
            nv_model_read(printing->model, entry->object, 0, bytes, entry->size_bytes);
            for (size_t j = 0; j < entry->change_count; j++) {
                const struct nv_state_change *change = &entry->changes[j];

                if (change->offset + change->length_bytes > entry->size_bytes ||
                    (j && change->offset < change[-1].offset + change[-1].length_bytes))
                    printf("BAD CHANGE");
                else
                    memcpy(bytes + change->offset, change->bytes, change->length_bytes);
            }
            printf("%" PRIu64 ":%08" PRIx32, entry->size_bytes, crc(bytes, entry->size_bytes));
        } else if (entry->target) {
            printf("%s", entry->target);
        }
        free(bytes);
    }
}

static int base(void *context, const struct nv_model *model, const struct nv_state *state)
{
    struct printing *printing = context;

    (void)state;
    printing->model = model;
    return 0;
}

static enum nv_verdict judge(void *context, const struct nv_state *state)
{
    printf("%" PRIu64, state->promise_count);
    print_state(context, state);
    printf("\n");
    return NV_VERDICT_GOOD;
}

static int explore(uint8_t *bytes, uint32_t length, const struct nv_explore_options *options)
{
    struct nv_trace trace = {0};
    struct printing printing = {0};
    struct nv_judge judging = {.context = &printing, .base = base, .judge = judge};
    struct nv_explore_result result;
    char error[200];
    int status;

    trace.events = calloc(length / sizeof(struct nv_trace_event) + 1, sizeof *trace.events);
    if (!trace.events)
        return 1;
    for (uint32_t at = 0; at < length; at += ((const struct nv_trace_event *)(bytes + at))->bytes)
        trace.events[trace.event_count++] = (const struct nv_trace_event *)(bytes + at);
    status = nv_explore(&trace, options, &judging, &result, error, sizeof error);
    if (status)
        printf("ERROR %s\n", error);
    printf("END %d %" PRIu64 " %" PRIu64 "\n", result.exhaustive, result.states, result.judged);
    nv_explore_result_free(&result);
    free(trace.events);
    return 0;
}

/* Each trace: the file-system model, shard, shards and length in bytes, as 32-bit numbers; then the events. */
int main(void)
{
    uint32_t head[4];

    make_crc_table();
    while (fread(head, sizeof head, 1, stdin) == 1) {
        struct nv_explore_options options = {
            .model = head[0] ? NV_EXPLORE_POSIX : NV_EXPLORE_JOURNALED, .seed = 1, .shard = head[1], .shards = head[2]};
        uint8_t *bytes = malloc(head[3] + 1);

        if (!bytes || fread(bytes, 1, head[3], stdin) != head[3] || explore(bytes, head[3], &options))
            return 1;
        free(bytes);
    }
    return 0;
}
