/* SPDX-License-Identifier: MIT */
/*
 * Stacks of the traced program, by libdw, from the registers that a thread had at its store; and the stacks and modules
 * of the book. The tracer calls it.
 */
#include "supervise/target.h"
#include "supervise/tracer_parts.h"

#include <string.h>

/* ---- whose code it is ---- */

/* Libraries that store for others: whoever called them is meant. */
static bool is_interface(const char *module)
{
    static const char *const names[] = {"libc.so", "libc-", "ld-linux", "libpthread", "libnvrtl", "libpmem.so"};
    const char *name = strrchr(module, '/');

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name && !strncmp(name + 1, names[i], strlen(names[i])))
            return true;
    return false;
}

/* libc's functions that copy, linked into a program: memmove, __memcpy_chk, __memset_avx2_unaligned_erms. */
static bool is_copy(const char *function)
{
    static const char *const names[] = {"memcpy", "memmove", "mempcpy", "memset",
                                        "strcpy", "stpcpy",  "strncpy", "strcat"};
    static const char *const variants[] = {"", "_chk", "_avx", "_sse", "_ssse3", "_evex", "_erms", "_generic"};

    function += !strncmp(function, "__", 2) ? 2 : 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length = strlen(names[i]);

        for (size_t k = 0; k < sizeof variants / sizeof *variants && !strncmp(function, names[i], length); k++)
            if (k ? !strncmp(function + length, variants[k], strlen(variants[k])) : !function[length])
                return true;
    }
    return false;
}

static bool stores_for_others(struct nv_unwinder *unwinder, uint64_t address)
{
    const char *module, *function;

    return nv_unwinder_look(unwinder, address, &module, &function) &&
           ((module && is_interface(module)) || (function && is_copy(function)));
}

/* ---- the book ---- */

static uint32_t number_of_module(struct nv_explain_book *book, const char *path)
{
    uint32_t number = 0;

    while (number < book->module_count && strcmp(book->module[number], path) != 0)
        number++;
    if (number == book->module_count && number < NV_EXPLAIN_MODULES && strlen(path) < sizeof book->module[0])
        strcpy(book->module[book->module_count++], path);
    return number;
}

static uint32_t number_of_stack(struct nv_explain_book *book, const struct nv_explain_stack *stack)
{
    uint32_t number = 0;

    while (number < book->stack_count && memcmp(&book->stack[number], stack, sizeof *stack) != 0)
        number++;
    if (number == NV_EXPLAIN_STACKS)
        return 0;
    if (number == book->stack_count)
        book->stack[book->stack_count++] = *stack;
    return number + 1;
}

/* As if the innermost were a call, too: by what follows it. */
static uint32_t enter(struct nv_explain_book *book, struct nv_unwinder *unwinder, const struct nv_unwound *frames,
                      size_t count)
{
    struct nv_explain_stack stack;
    size_t first = 0;

    while (first < count && stores_for_others(unwinder, frames[first].address - !frames[first].exact))
        first++;
    if (first == count)
        first = 0;
    memset(&stack, 0, sizeof stack);
    for (size_t i = first; i < count && stack.count < NV_LEDGER_FRAMES; i++) {
        stack.modules[stack.count] = number_of_module(book, frames[i].module);
        stack.offsets[stack.count++] = frames[i].offset + frames[i].exact;
    }
    return stack.count ? number_of_stack(book, &stack) : 0;
}

/* NULL: no memory. */
static struct nv_unwinder *unwinder_of(struct nv_tracee *tracee)
{
    struct nv_space *space = tracee->space;

    if (!space->unwinder)
        space->unwinder = nv_unwinder_new(tracee->thread);
    return space->unwinder;
}

static size_t unwind(struct nv_tracee *tracee, const struct user_regs_struct *registers, struct nv_unwound *frames)
{
    struct nv_unwinder *unwinder = unwinder_of(tracee);

    return unwinder ? nv_unwind_frames(unwinder, tracee->thread, registers, frames, NV_UNWOUND_FRAMES) : 0;
}

uint32_t nv_unwind(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct user_regs_struct *registers)
{
    struct nv_unwound frames[NV_UNWOUND_FRAMES];
    size_t count = unwind(tracee, registers, frames);

    return count ? enter(tracer->book, tracee->space->unwinder, frames, count) : 0;
}

/* Most code is none that copies: that is told without unwinding. */
uint64_t nv_unwind_copy(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct user_regs_struct *registers,
                        uint32_t *known)
{
    struct nv_unwinder *unwinder = unwinder_of(tracee);
    struct nv_unwound frames[NV_UNWOUND_FRAMES];
    size_t count;
    uint64_t top;

    if (!unwinder || !stores_for_others(unwinder, registers->rip))
        return 0;
    count = unwind(tracee, registers, frames);
    *known = count ? enter(tracer->book, unwinder, frames, count) : 0;
    if (!*known || count < 2 || nv_target_read(tracee->thread, registers->rsp, &top, sizeof top) ||
        top != frames[1].address)
        return 0; /* it has a frame, and may call others */
    return top;
}

uint32_t nv_place_of(void *place_of)
{
    struct nv_place_of *of = place_of;

    return nv_unwind(of->tracer, of->tracee, &of->registers);
}
