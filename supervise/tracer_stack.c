/* SPDX-License-Identifier: MIT */
/*
 * Stacks of the traced program, by libdw, from the registers that a thread had at its store; and the stacks and modules
 * of the book. The tracer calls it.
 */
#include "supervise/target.h"
#include "supervise/tracer_parts.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 48, REGISTERS = 17 };

struct nv_unwinder {
    Dwfl *dwfl;
    pid_t process;
    bool stale;
    const struct nv_tracee *tracee; /* that is looked at */
    const struct user_regs_struct *registers;
    struct frames {
        size_t count;
        const char *modules[FRAMES];
        uint64_t offsets[FRAMES];
        size_t passed;   /* the innermost, which store for others */
        uint64_t caller; /* where the innermost of all returns to */
    } frames;
};

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

static bool stores_for_others(Dwfl_Module *module, Dwarf_Addr address)
{
    const char *name = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL), *function;

    if (name && is_interface(name))
        return true;
    function = dwfl_module_addrname(module, address);
    return function && is_copy(function);
}

/* ---- libdw's questions ---- */

static int no_debug_information(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base, const char *file,
                                const char *link, GElf_Word check, char **found)
{
    (void)module, (void)user, (void)name, (void)base, (void)file, (void)link, (void)check, (void)found;
    return -1;
}

static bool get_thread(Dwfl *dwfl, pid_t thread, void *context, void **argument)
{
    (void)dwfl, (void)thread;
    *argument = context;
    return true;
}

static pid_t next_thread(Dwfl *dwfl, void *context, void **argument)
{
    const struct nv_unwinder *unwinder = context;

    (void)dwfl;
    if (*argument)
        return 0;
    *argument = context;
    return unwinder->tracee->thread;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word, void *context)
{
    const struct nv_unwinder *unwinder = context;

    (void)dwfl;
    return !nv_target_read(unwinder->tracee->thread, address, word, sizeof *word);
}

static bool give_registers(Dwfl_Thread *thread, void *context)
{
    const struct user_regs_struct *of = ((const struct nv_unwinder *)context)->registers;
    const Dwarf_Word words[REGISTERS] = {of->rax, of->rdx, of->rcx, of->rbx, of->rsi, of->rdi, of->rbp, of->rsp, of->r8,
                                         of->r9,  of->r10, of->r11, of->r12, of->r13, of->r14, of->r15, of->rip};

    return dwfl_thread_state_registers(thread, 0, REGISTERS, words);
}

static int take_frame(Dwfl_Frame *state, void *context)
{
    struct nv_unwinder *unwinder = context;
    struct frames *frames = &unwinder->frames;
    const char *name = NULL;
    Dwfl_Module *module;
    Dwarf_Addr address;
    GElf_Addr bias = 0;
    bool exact;

    if (!dwfl_frame_pc(state, &address, &exact) || !address)
        return DWARF_CB_ABORT;
    if (frames->count == 1)
        frames->caller = address;
    address += exact; /* as if it were a call's: what follows the store */
    module = dwfl_addrmodule(unwinder->dwfl, address - 1);
    if (module)
        name = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    if (module && frames->passed == frames->count && stores_for_others(module, address - 1))
        frames->passed++;
    if (!name || *name != '/' || !dwfl_module_getelf(module, &bias))
        bias = 0;
    frames->modules[frames->count] = name && *name == '/' ? name : "?";
    frames->offsets[frames->count] = address - bias;
    return ++frames->count < FRAMES ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* ---- the unwinder of a space ---- */

static struct nv_unwinder *make(pid_t thread)
{
    static char *no_path;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = no_debug_information, .debuginfo_path = &no_path};
    struct nv_unwinder *unwinder = calloc(1, sizeof *unwinder);
    long process = nv_target_status(thread, "Tgid:", 10);

    if (!unwinder)
        return NULL;
    unwinder->process = process > 0 ? (pid_t)process : thread;
    unwinder->stale = true;
    unwinder->dwfl = dwfl_begin(&callbacks);
    if (unwinder->dwfl)
        return unwinder;
    free(unwinder);
    return NULL;
}

static bool attach(struct nv_unwinder *unwinder)
{
    static const Dwfl_Thread_Callbacks callbacks = {.next_thread = next_thread,
                                                    .get_thread = get_thread,
                                                    .memory_read = read_word,
                                                    .set_initial_registers = give_registers};

    if (unwinder->stale) {
        dwfl_report_begin(unwinder->dwfl);
        (void)dwfl_linux_proc_report(unwinder->dwfl, unwinder->process);
        (void)dwfl_report_end(unwinder->dwfl, NULL, NULL);
        unwinder->stale = false;
    }
    return dwfl_pid(unwinder->dwfl) >= 0 ||
           dwfl_attach_state(unwinder->dwfl, NULL, unwinder->process, &callbacks, unwinder);
}

void nv_unwinder_refresh(struct nv_unwinder *unwinder)
{
    if (unwinder)
        unwinder->stale = true;
}

void nv_unwinder_free(struct nv_unwinder *unwinder)
{
    if (unwinder)
        dwfl_end(unwinder->dwfl);
    free(unwinder);
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

static uint32_t enter(struct nv_explain_book *book, const struct frames *frames)
{
    struct nv_explain_stack stack;
    size_t first = frames->passed < frames->count ? frames->passed : 0;

    memset(&stack, 0, sizeof stack);
    for (size_t i = first; i < frames->count && stack.count < NV_LEDGER_FRAMES; i++) {
        stack.modules[stack.count] = number_of_module(book, frames->modules[i]);
        stack.offsets[stack.count++] = frames->offsets[i];
    }
    return stack.count ? number_of_stack(book, &stack) : 0;
}

/* For the thread with these registers. NULL: none. */
static struct nv_unwinder *unwinder_of(struct nv_tracee *tracee, const struct user_regs_struct *registers)
{
    struct nv_space *space = tracee->space;

    if (!space->unwinder)
        space->unwinder = make(tracee->thread);
    if (!space->unwinder)
        return NULL;
    space->unwinder->tracee = tracee;
    space->unwinder->registers = registers;
    space->unwinder->frames.count = 0;
    space->unwinder->frames.passed = 0;
    space->unwinder->frames.caller = 0;
    return attach(space->unwinder) ? space->unwinder : NULL;
}

uint32_t nv_unwind(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct user_regs_struct *registers)
{
    struct nv_unwinder *unwinder = unwinder_of(tracee, registers);

    if (!unwinder)
        return 0;
    (void)dwfl_getthread_frames(unwinder->dwfl, tracee->thread, take_frame, unwinder);
    return enter(tracer->book, &unwinder->frames);
}

/* Most code is none that copies: that is told without unwinding. */
static bool is_in_copy(struct nv_tracee *tracee, const struct user_regs_struct *registers)
{
    struct nv_unwinder *unwinder = unwinder_of(tracee, registers);
    Dwfl_Module *module = unwinder ? dwfl_addrmodule(unwinder->dwfl, registers->rip) : NULL;

    return module && stores_for_others(module, registers->rip);
}

uint64_t nv_unwind_copy(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct user_regs_struct *registers,
                        uint32_t *known)
{
    const struct frames *frames;
    uint64_t top;

    if (!is_in_copy(tracee, registers) || !(*known = nv_unwind(tracer, tracee, registers)))
        return 0;
    frames = &tracee->space->unwinder->frames;
    if (nv_target_read(tracee->thread, registers->rsp, &top, sizeof top) || top != frames->caller)
        return 0; /* it has a frame, and may call others */
    return frames->caller;
}

uint32_t nv_place_of(void *place_of)
{
    struct nv_place_of *of = place_of;

    return nv_unwind(of->tracer, of->tracee, &of->registers);
}
