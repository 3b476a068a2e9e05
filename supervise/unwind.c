/* SPDX-License-Identifier: MIT */
/*
 * Owns what libdw knows of a process, and asks it for the stack of one of its threads. Called by the tracer of a second
 * run, and by the recording of a run.
 */
#include "supervise/unwind.h"
#include "supervise/target.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

enum {
    REFRESHES_MAX = 64, /* of a program that makes code itself */
    READS = 64
};

struct nv_unwinder {
    Dwfl *dwfl;
    pid_t process;
    bool stale;
    /* What is looked at: */
    pid_t thread;
    const struct user_regs_struct *registers;
    struct nv_unwound *frames;
    size_t count, room;
    bool unknown; /* a frame was in no module */
    unsigned refreshed;
    struct read {
        uint64_t address, word;
    } reads[READS]; /* the last ones */
    size_t read_count;
};

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
    return unwinder->thread;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word, void *context)
{
    struct nv_unwinder *unwinder = context;

    (void)dwfl;
    if (nv_target_read(unwinder->thread, address, word, sizeof *word))
        return false;
    unwinder->reads[unwinder->read_count++ % READS] = (struct read){address, *word};
    return true;
}

/* Where the return address was read, of late. */
static uint64_t find_read(const struct nv_unwinder *unwinder, uint64_t word)
{
    for (size_t i = 0; i < READS && i < unwinder->read_count; i++) {
        const struct read *last = &unwinder->reads[(unwinder->read_count - 1 - i) % READS];

        if (last->word == word)
            return last->address;
    }
    return 0;
}

static bool give_registers(Dwfl_Thread *thread, void *context)
{
#if defined(__x86_64__)
    const struct user_regs_struct *of = ((const struct nv_unwinder *)context)->registers;
    const Dwarf_Word words[] = {of->rax, of->rdx, of->rcx, of->rbx, of->rsi, of->rdi, of->rbp, of->rsp, of->r8,
                                of->r9,  of->r10, of->r11, of->r12, of->r13, of->r14, of->r15, of->rip};

    return dwfl_thread_state_registers(thread, 0, sizeof words / sizeof *words, words);
#else
    (void)thread, (void)context;
    return false;
#endif
}

void nv_unwind_where(const struct user_regs_struct *registers, uint64_t *instruction, uint64_t *stack)
{
#if defined(__x86_64__)
    *instruction = registers->rip;
    *stack = registers->rsp;
#else
    (void)registers;
    *instruction = *stack = 0;
#endif
}

static int take_frame(Dwfl_Frame *state, void *context)
{
    struct nv_unwinder *unwinder = context;
    struct nv_unwound *frame = &unwinder->frames[unwinder->count];
    const char *name = NULL;
    Dwfl_Module *module;
    Dwarf_Addr address;
    GElf_Addr bias = 0;

    if (!dwfl_frame_pc(state, &address, &frame->exact) || !address)
        return DWARF_CB_ABORT;
    module = dwfl_addrmodule(unwinder->dwfl, address - !frame->exact);
    if (module)
        name = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    else
        unwinder->unknown = true;
    if (!name || *name != '/' || !dwfl_module_getelf(module, &bias))
        bias = 0;
    frame->module = name && *name == '/' ? name : "?";
    frame->address = address;
    frame->kept_at = unwinder->count ? find_read(unwinder, address) : 0;
    frame->offset = address - bias;
    return ++unwinder->count < unwinder->room ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* ---- the unwinder of a process ---- */

struct nv_unwinder *nv_unwinder_new(pid_t thread)
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

static void walk(struct nv_unwinder *unwinder)
{
    unwinder->count = 0;
    unwinder->read_count = 0;
    unwinder->unknown = false;
    if (attach(unwinder))
        (void)dwfl_getthread_frames(unwinder->dwfl, unwinder->thread, take_frame, unwinder);
}

/* Code that is in no module may be of one that was loaded since. */
size_t nv_unwind_frames(struct nv_unwinder *unwinder, pid_t thread, const struct user_regs_struct *registers,
                        struct nv_unwound *frames, size_t frames_max)
{
    unwinder->thread = thread;
    unwinder->registers = registers;
    unwinder->frames = frames;
    unwinder->room = frames_max;
    walk(unwinder);
    if (unwinder->unknown && unwinder->refreshed++ < REFRESHES_MAX) {
        nv_unwinder_refresh(unwinder);
        walk(unwinder);
    }
    return unwinder->count;
}

bool nv_unwinder_look(struct nv_unwinder *unwinder, uint64_t address, const char **module, const char **function)
{
    Dwfl_Module *found = attach(unwinder) ? dwfl_addrmodule(unwinder->dwfl, address) : NULL;

    if (!found)
        return false;
    *module = dwfl_module_info(found, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    *function = dwfl_module_addrname(found, address);
    return true;
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
