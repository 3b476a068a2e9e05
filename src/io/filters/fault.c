/* SPDX-License-Identifier: MIT */
/*
 * Owns the filter that makes requests fail: the Nth that matches, or all from the Nth on. Loaded where NVRTL_FILTERS
 * wishes for it. What fails does not reach the driver.
 */
#include "src/io/filters/configured.h"
#include "src/io/filters/text.h"

#include <fnmatch.h>
#include <nvrtl/status.h>
#include <string.h>

/* A file is always closed. */
#define ONE(major) ((uint32_t)1 << (major))
#define CAN_FAIL                                                                                                       \
    (ONE(IRP_MJ_CREATE) | ONE(IRP_MJ_READ) | ONE(IRP_MJ_WRITE) | ONE(IRP_MJ_QUERY_INFORMATION) |                       \
     ONE(IRP_MJ_SET_INFORMATION) | ONE(IRP_MJ_FLUSH_BUFFERS) | ONE(IRP_MJ_QUERY_VOLUME_INFORMATION))

static void begin(struct nv_configured *filter)
{
    filter->operations = CAN_FAIL;
    filter->nth = 1;
    filter->status = STATUS_IO_DEVICE_ERROR;
}

/* -- options -- */

/* One, or several with + between them. */
static bool set_operations(struct nv_configured *filter, const char *value)
{
    filter->operations = 0;
    for (;;) {
        size_t length = strcspn(value, "+");
        uint32_t bit = nv_filter_operation_bit(value, length) & CAN_FAIL;
        if (!bit)
            return false;
        filter->operations |= bit;
        if (!value[length])
            return true;
        value += length + 1;
    }
}

static bool set_pattern(struct nv_configured *filter, const char *value)
{
    filter->pattern = value;
    return *value != '\0';
}

/* Not strtoull, which takes signs and spaces, and changes errno. */
static bool set_number(const char *value, unsigned base, uint64_t least, uint64_t most, uint64_t *number)
{
    static const char digits[] = "0123456789ABCDEF";
    uint64_t sum = 0;
    for (const char *at = value; *at; at++) {
        const char *digit = memchr(digits, *at & (*at >= 'a' ? ~0x20 : ~0), base);
        if (!digit || sum > (most - (uint64_t)(digit - digits)) / base)
            return false;
        sum = sum * base + (uint64_t)(digit - digits);
    }
    *number = sum;
    return *value && sum >= least;
}

static bool set_nth(struct nv_configured *filter, const char *value)
{
    return set_number(value, 10, 1, UINT64_MAX - 1, &filter->nth);
}

/* Only what is an error makes a request fail. */
static bool set_status(struct nv_configured *filter, const char *value)
{
    uint64_t number;
    if (!set_number(value, 16, 0xC0000000, 0xFFFFFFFF, &number))
        return false;
    filter->status = (NTSTATUS)number;
    return true;
}

static bool set(struct nv_configured *filter, const char *option, const char *value)
{
    static const struct {
        const char *name;
        bool (*set)(struct nv_configured *, const char *);
    } options[] = {{"op", set_operations}, {"path", set_pattern}, {"nth", set_nth}, {"status", set_status}};
    if (!value) {
        filter->sticky = true;
        return strcmp(option, "sticky") == 0;
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (strcmp(options[i].name, option) == 0)
            return options[i].set(filter, value);
    return false;
}

static const char *check(const struct nv_configured *filter)
{
    (void)filter;
    return NULL;
}

static NTSTATUS open_nothing(struct nv_configured *filter)
{
    (void)filter;
    return STATUS_SUCCESS;
}

/* -- requests -- */

/* A pattern without a slash is one for names in any folder. */
static bool is_for(const struct nv_configured *filter, PFLT_CALLBACK_DATA data)
{
    char path[NV_FILTER_PATH_BYTES];
    if (!(filter->operations & ONE(data->Iopb->MajorFunction)))
        return false;
    if (!filter->pattern)
        return true;
    nv_filter_path(data, path, false);
    const char *name = strrchr(path, '/');
    return fnmatch(filter->pattern, !strchr(filter->pattern, '/') && name ? name + 1 : path, 0) == 0;
}

static FLT_PREOP_CALLBACK_STATUS NTAPI before(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    struct nv_configured *filter = nv_configured_of(objects->Filter);
    (void)context;
    if (!is_for(filter, data))
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    uint64_t number = atomic_fetch_add(&filter->count, 1) + 1;
    if (number != filter->nth && !(filter->sticky && number > filter->nth))
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    data->IoStatus = (IO_STATUS_BLOCK){.Status = filter->status};
    return FLT_PREOP_COMPLETE;
}

static const FLT_OPERATION_REGISTRATION operations[] = {
    {IRP_MJ_CREATE, 0, before, NULL, NULL},
    {IRP_MJ_READ, 0, before, NULL, NULL},
    {IRP_MJ_WRITE, 0, before, NULL, NULL},
    {IRP_MJ_QUERY_INFORMATION, 0, before, NULL, NULL},
    {IRP_MJ_SET_INFORMATION, 0, before, NULL, NULL},
    {IRP_MJ_FLUSH_BUFFERS, 0, before, NULL, NULL},
    {IRP_MJ_QUERY_VOLUME_INFORMATION, 0, before, NULL, NULL},
    {.MajorFunction = IRP_MJ_OPERATION_END},
};

const struct nv_filter_kind nv_filter_fault = {
    .name = "fault", .begin = begin, .set = set, .check = check, .open = open_nothing, .operations = operations};
