/* SPDX-License-Identifier: MIT */
/*
 * From a place in a module to function, source and line, by libdw; the supervisor's report passes through here once,
 * before it is suppressed or written. What cannot be read stays NULL: a finding without a name is still a finding.
 */
#include "report/map.h"
#include "report/report.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A module is opened once; dwfl stays NULL if it cannot be read. */
struct module {
    struct module *next;
    char *path;
    Dwfl *dwfl;
    Dwfl_Module *handle;
    GElf_Addr bias;
};

/* What one place stands for: the function at [0] is inlined into the one at [1], and so on. */
struct place {
    const char *module;
    uint64_t offset;
    struct nv_stack lines;
};

struct nv_symboliser {
    struct module *modules;
    struct place **places;
    size_t place_room;
    struct nv_index by_offset;
    char folder[PATH_MAX]; /* the current one, with a '/' at its end; empty: unknown */
};

/* -- paths -- */

/* Drop "." and "x/.." in place, by the letters alone. */
static void normalise(char *path)
{
    char *out = path, *floor = path + (*path == '/');
    const char *in = floor;
    out = floor;
    while (*in) {
        size_t length = strcspn(in, "/");
        bool up = length == 2 && in[0] == '.' && in[1] == '.';
        bool kept_up = out - floor >= 3 && memcmp(out - 3, "../", 3) == 0 && (out - 3 == floor || out[-4] == '/');
        const char *next = in + length + (in[length] == '/');
        if (up && out > floor && !kept_up) {
            for (out--; out > floor && out[-1] != '/';)
                out--;
        } else if (length && !(length == 1 && in[0] == '.') && !(up && floor > path)) {
            memmove(out, in, (size_t)(next - in));
            out += next - in;
        }
        in = next;
    }
    *out = '\0';
}

/* The source as a person would name it from the current folder. NULL: no memory, or no name. */
static char *source_path(const struct nv_symboliser *symboliser, const char *compiled_in, const char *name)
{
    char path[PATH_MAX];
    if (!name || !*name)
        return NULL;
    int length = *name == '/' || !compiled_in ? snprintf(path, sizeof path, "%s", name)
                                              : snprintf(path, sizeof path, "%s/%s", compiled_in, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return strdup(name);
    normalise(path);
    size_t skip = strlen(symboliser->folder);
    if (!skip || strncmp(path, symboliser->folder, skip) != 0 || !path[skip])
        skip = 0;
    return strdup(path + skip);
}

/* -- modules -- */

static bool module_open(struct module *module)
{
    static char *debug_path;
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo,
                                             .section_address = dwfl_offline_section_address,
                                             .debuginfo_path = &debug_path};
    if (access(module->path, R_OK) != 0)
        return false;
    module->dwfl = dwfl_begin(&callbacks);
    if (!module->dwfl)
        return false;
    dwfl_report_begin(module->dwfl);
    module->handle = dwfl_report_offline(module->dwfl, module->path, module->path, -1);
    dwfl_report_end(module->dwfl, NULL, NULL);
    return module->handle && dwfl_module_getelf(module->handle, &module->bias);
}

/* NULL: no memory, or it cannot be read. */
static struct module *module_find(struct nv_symboliser *symboliser, const char *path)
{
    for (struct module *module = symboliser->modules; module; module = module->next)
        if (strcmp(module->path, path) == 0)
            return module->handle ? module : NULL;
    struct module *module = calloc(1, sizeof *module);
    if (!module)
        return NULL;
    module->path = strdup(path);
    if (!module->path) {
        free(module);
        return NULL;
    }
    if (!module_open(module))
        module->handle = NULL;
    module->next = symboliser->modules;
    symboliser->modules = module;
    return module->handle ? module : NULL;
}

/* -- places -- */

/* An inlined function's caller is where its DIE says. */
static void fill_call_site(const struct nv_symboliser *symboliser, Dwarf_Die *unit, Dwarf_Die *inlined,
                           struct nv_frame *caller)
{
    Dwarf_Attribute memory;
    Dwarf_Word file = 0, line = 0;
    Dwarf_Files *files;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &memory), &line) == 0)
        caller->line = (unsigned)line;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &memory), &file) != 0 ||
        dwarf_getsrcfiles(unit, &files, NULL) != 0)
        return;
    const char *compiled_in = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &memory));
    caller->source = source_path(symboliser, compiled_in, dwarf_filesrc(files, file, NULL, NULL));
}

/* Number of the first function among scopes, from `first` on; count: none. */
static int function_scope(Dwarf_Die *scopes, int first, int count)
{
    for (; first < count; first++) {
        int tag = dwarf_tag(&scopes[first]);
        if (tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram || tag == DW_TAG_entry_point)
            break;
    }
    return first;
}

/* Name the functions from the innermost outwards, and where each was called when it is inlined. */
static void fill_functions(const struct nv_symboliser *symboliser, Dwarf_Die *unit, Dwarf_Addr address,
                           struct nv_stack *lines)
{
    Dwarf_Die *around = NULL, *scopes = NULL;
    int count = dwarf_getscopes(unit, address, &around);
    int at = function_scope(around, 0, count);
    /* Seen from an inlined function, getscopes goes on where it was written; getscopes_die, where it was inlined. */
    count = count > 0 && at < count ? dwarf_getscopes_die(&around[at], &scopes) : 0;
    for (at = function_scope(scopes, 0, count); at < count; at = function_scope(scopes, at + 1, count)) {
        struct nv_frame *frame = &lines->frames[lines->count - 1];
        const char *name = dwarf_diename(&scopes[at]);
        frame->function = name ? strdup(name) : NULL;
        if (dwarf_tag(&scopes[at]) != DW_TAG_inlined_subroutine || lines->count == NV_STACK_FRAMES_MAX)
            break;
        fill_call_site(symboliser, unit, &scopes[at], &lines->frames[lines->count++]);
    }
    free(around);
    free(scopes);
}

/* The compilation unit of an address: by .debug_aranges, else (clang writes none) the one that says it is there. */
static Dwarf_Die *find_unit(const struct module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module->handle, address, bias);
    if (unit)
        return unit;
    while ((unit = dwfl_module_nextcu(module->handle, unit, bias)))
        if (dwarf_haspc(unit, address - *bias) > 0)
            break;
    return unit;
}

static void fill_line(const struct nv_symboliser *symboliser, Dwarf_Die *unit, Dwarf_Addr address,
                      struct nv_frame *frame)
{
    Dwarf_Attribute memory;
    int number = 0;
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);
    if (!line || dwarf_lineno(line, &number) != 0 || number <= 0)
        return;
    const char *compiled_in = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &memory));
    frame->source = source_path(symboliser, compiled_in, dwarf_linesrc(line, NULL, NULL));
    frame->line = (unsigned)number;
}

/* Offsets are return addresses: the call is the instruction before. */
static void place_fill(const struct nv_symboliser *symboliser, const struct module *module, struct place *place)
{
    struct nv_frame *innermost = &place->lines.frames[0];
    Dwarf_Addr address = place->offset + module->bias - (place->offset != 0), bias;
    place->lines.count = 1;
    Dwarf_Die *unit = find_unit(module, address, &bias);
    if (unit) {
        fill_line(symboliser, unit, address - bias, innermost);
        fill_functions(symboliser, unit, address - bias, &place->lines);
    }
    if (innermost->function || place->lines.count > 1)
        return;
    const char *symbol = dwfl_module_addrname(module->handle, address);
    innermost->function = symbol ? strdup(symbol) : NULL;
}

static bool place_equal(const void *context, size_t number, const void *key)
{
    const struct place *a = ((const struct nv_symboliser *)context)->places[number], *b = key;
    return a->offset == b->offset && strcmp(a->module, b->module) == 0;
}

/* NULL: no memory, or the module cannot be read. */
static const struct place *place_find(struct nv_symboliser *symboliser, const struct nv_frame *frame)
{
    struct place key = {.module = frame->module, .offset = frame->offset};
    uint64_t hash = nv_hash_text(nv_hash_bytes(1, &key.offset, sizeof key.offset), key.module);
    size_t known = nv_index_find(&symboliser->by_offset, hash, place_equal, symboliser, &key);
    if (known != SIZE_MAX)
        return symboliser->places[known];
    const struct module *module = module_find(symboliser, frame->module);
    if (!module || !nv_index_reserve(&symboliser->by_offset))
        return NULL;
    size_t count = symboliser->by_offset.count;
    if (count == symboliser->place_room) {
        void *grown = reallocarray(symboliser->places, count * 2 + 64, sizeof *symboliser->places);
        if (!grown)
            return NULL;
        symboliser->places = grown;
        symboliser->place_room = count * 2 + 64;
    }
    struct place *place = calloc(1, sizeof *place);
    if (!place)
        return NULL;
    *place = (struct place){.module = module->path, .offset = frame->offset};
    place_fill(symboliser, module, place);
    nv_index_insert(&symboliser->by_offset, hash, count);
    return symboliser->places[count] = place;
}

/* -- stacks -- */

static void frame_free(struct nv_frame *frame)
{
    free(frame->module);
    free(frame->function);
    free(frame->source);
}

/* Put `lines` in the place of frame `at`, and return how many frames that made. */
static size_t expand(struct nv_stack *stack, size_t at, const struct nv_stack *lines)
{
    struct nv_frame whole = stack->frames[at];
    size_t made = lines->count;
    if (made > NV_STACK_FRAMES_MAX - at)
        made = NV_STACK_FRAMES_MAX - at;
    while (stack->count + made - 1 > NV_STACK_FRAMES_MAX)
        frame_free(&stack->frames[--stack->count]);
    memmove(&stack->frames[at + made], &stack->frames[at + 1], (stack->count - at - 1) * sizeof whole);
    stack->count += made - 1;
    for (size_t i = 0; i < made; i++) {
        const struct nv_frame *line = &lines->frames[i];
        stack->frames[at + i] = (struct nv_frame){.module = i ? strdup(whole.module) : whole.module,
                                                  .offset = whole.offset,
                                                  .function = line->function ? strdup(line->function) : NULL,
                                                  .source = line->source ? strdup(line->source) : NULL,
                                                  .line = line->line};
    }
    return made;
}

static bool has_main(const struct nv_stack *stack, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (stack->frames[i].function && strcmp(stack->frames[i].function, "main") == 0)
            return true;
    return false;
}

/* What calls main has no name: nobody wants it, and it would take all of libc's debug information. */
void nv_symbolise(struct nv_symboliser *symboliser, struct nv_stack *stack)
{
    for (size_t at = 0, next; at < stack->count && !has_main(stack, at); at = next) {
        const struct nv_frame *frame = &stack->frames[at];
        bool wanted = frame->module && !frame->function && !frame->source;
        const struct place *place = wanted ? place_find(symboliser, frame) : NULL;
        next = at + (place ? expand(stack, at, &place->lines) : 1);
    }
}

static void symboliser_clear(struct nv_symboliser *symboliser)
{
    for (size_t i = 0; i < symboliser->by_offset.count; i++) {
        struct nv_stack *lines = &symboliser->places[i]->lines;
        for (size_t j = 0; j < lines->count; j++)
            frame_free(&lines->frames[j]);
        free(symboliser->places[i]);
    }
    free(symboliser->places);
    nv_index_free(&symboliser->by_offset);
    while (symboliser->modules) {
        struct module *module = symboliser->modules;
        symboliser->modules = module->next;
        if (module->dwfl)
            dwfl_end(module->dwfl);
        free(module->path);
        free(module);
    }
}

struct nv_symboliser *nv_symboliser_new(void)
{
    struct nv_symboliser *symboliser = calloc(1, sizeof *symboliser);
    if (!symboliser)
        return NULL;
    if (getcwd(symboliser->folder, sizeof symboliser->folder - 1) && symboliser->folder[0] == '/') {
        if (symboliser->folder[1])
            strcat(symboliser->folder, "/");
    } else {
        symboliser->folder[0] = '\0';
    }
    return symboliser;
}

void nv_symboliser_free(struct nv_symboliser *symboliser)
{
    if (symboliser)
        symboliser_clear(symboliser);
    free(symboliser);
}

void nv_report_symbolise(struct nv_report *report)
{
    struct nv_symboliser *symboliser = nv_symboliser_new();
    if (!symboliser)
        return;
    for (size_t i = 0; i < report->finding_count; i++) {
        nv_symbolise(symboliser, &report->findings[i]->write_stack);
        nv_symbolise(symboliser, &report->findings[i]->flush_stack);
    }
    for (size_t i = 0; i < report->mark_count; i++)
        nv_symbolise(symboliser, &report->marks[i].stack);
    for (size_t i = 0; report->timeline && i < report->timeline->place_count; i++)
        nv_symbolise(symboliser, &report->timeline->places[i]);
    nv_symboliser_free(symboliser);
}
