/* SPDX-License-Identifier: MIT */
/*
 * Owns what NVRTL_FILTERS says, and the filters that it wishes for. Called when a volume is used for the first time,
 * and by nvrtl info.
 */
#include "src/io/filters/configured.h"

#include "src/os/os.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FILTERS 16
#define TEXT_BYTES 4096
#define HIGHEST 99999 /* their altitudes go down from here: they are below all that a program loads by itself */

static const struct nv_filter_kind *const kinds[] = {&nv_filter_trace, &nv_filter_fault};

static char text[TEXT_BYTES]; /* cut into its parts, which the filters point to */
static char error[200];
static struct nv_configured filters[FILTERS];
static size_t count;
static bool is_parsed, is_loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nv_configured *loading; /* DriverEntry is told nothing else */

struct nv_configured *nv_configured_of(PFLT_FILTER filter)
{
    size_t i = 0;
    while (i < FILTERS - 1 && filters[i].filter != filter)
        i++;
    return &filters[i];
}

/* -- understanding the text -- */

/* Cuts off and returns what is before the separator; the rest, or NULL, is left in *rest. */
static char *cut(char **rest, char separator)
{
    char *first = *rest;
    char *end = strchr(first, separator);
    if (end)
        *end++ = '\0';
    *rest = end;
    return first;
}

static bool complain(const char *about, const char *what, const char *detail)
{
    (void)snprintf(error, sizeof(error), "%.60s: %s%.80s", about, what, detail);
    return false;
}

static bool parse_options(struct nv_configured *filter, char *options)
{
    while (options && *options) {
        char *value = cut(&options, ',');
        char *name = cut(&value, '=');
        if (!filter->kind->set(filter, name, value))
            return complain(filter->kind->name,
                            value ? "no such option, or not such a value: " : "no such option: ", name);
    }
    const char *wrong = filter->kind->check(filter);
    return wrong ? complain(filter->kind->name, wrong, "") : true;
}

static bool parse_filter(char *wish)
{
    char *options = wish;
    const char *name = cut(&options, ':');
    if (count == FILTERS - 1)
        return complain(name, "there are too many filters", "");
    struct nv_configured *filter = &filters[count];
    *filter = (struct nv_configured){.descriptor = -1};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            filter->kind = kinds[i];
    if (!filter->kind)
        return complain(name, "there is no such filter", "");
    filter->kind->begin(filter);
    count++;
    return parse_options(filter, options);
}

/* Under the lock. Spaces between filters may make a long text readable. */
static void parse(void)
{
    const char *wishes = nv_option(NV_OPTION_FILTERS);
    if (is_parsed)
        return;
    is_parsed = true;
    if (wishes && strlen(wishes) >= sizeof(text)) {
        (void)complain("NVRTL_FILTERS", "it is too long", "");
        return;
    }
    strcpy(text, wishes ? wishes : "");
    char *rest = text;
    while (rest) {
        char *wish = cut(&rest, ';');
        wish += strspn(wish, " \n");
        if (*wish && !parse_filter(wish))
            return;
    }
}

const char *nv_configured_filters_check(size_t *how_many)
{
    pthread_mutex_lock(&lock);
    parse();
    *how_many = count;
    pthread_mutex_unlock(&lock);
    return *error ? error : NULL;
}

/* -- loading -- */

static NTSTATUS NTAPI unload(FLT_FILTER_UNLOAD_FLAGS flags)
{
    (void)flags;
    FltUnregisterFilter(loading->filter);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    const FLT_REGISTRATION registration = {
        .Size = sizeof(FLT_REGISTRATION),
        .Version = FLT_REGISTRATION_VERSION,
        .OperationRegistration = loading->kind->operations,
        .FilterUnloadCallback = unload,
    };
    (void)path;
    NTSTATUS status = FltRegisterFilter(driver, &registration, &loading->filter);
    return NT_SUCCESS(status) ? FltStartFiltering(loading->filter) : status;
}

static NTSTATUS load(struct nv_configured *filter)
{
    char altitude[16];
    NVRTL_DRIVER_OPTIONS options = {.Name = filter->kind->name, .Altitude = altitude};
    (void)snprintf(altitude, sizeof(altitude), "%d", HIGHEST - (int)(filter - filters));
    NTSTATUS status = filter->descriptor < 0 ? filter->kind->open(filter) : STATUS_SUCCESS;
    loading = filter;
    if (NT_SUCCESS(status))
        status = NvrtlLoadDriverEx(entry, &options, &filter->driver);
    return status;
}

/* Under the lock. For want of memory, none is loaded, so that it can be tried again. */
static NTSTATUS load_all(void)
{
    NTSTATUS status = STATUS_SUCCESS;
    size_t loaded = 0;
    while (loaded < count && NT_SUCCESS(status)) {
        status = load(&filters[loaded]);
        loaded += NT_SUCCESS(status);
    }
    if (NT_SUCCESS(status))
        return status;
    if (status != STATUS_INSUFFICIENT_RESOURCES)
        (void)complain(filters[loaded].kind->name, "its file cannot be opened: ", filters[loaded].file);
    while (loaded > 0) {
        loading = &filters[--loaded];
        (void)NvrtlUnloadDriver(loading->driver);
    }
    return status == STATUS_INSUFFICIENT_RESOURCES ? status : STATUS_INVALID_PARAMETER;
}

NTSTATUS nv_configured_filters_start(void)
{
    NTSTATUS status = STATUS_SUCCESS;
    pthread_mutex_lock(&lock);
    parse();
    if (!*error && !is_loaded) {
        status = load_all();
        is_loaded = NT_SUCCESS(status);
    }
    if (*error)
        status = STATUS_INVALID_PARAMETER;
    pthread_mutex_unlock(&lock);
    return status;
}
