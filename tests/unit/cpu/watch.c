/* SPDX-License-Identifier: MIT */
/* Owns the signals by which touches of the watched memory are seen. Called by lines.c. */
#include "tests/unit/cpu/watch.h"

#include "tests/support/memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define TOUCHES_MAX (sizeof(touches) / sizeof(touches[0]))

char *watched;
struct touched touches[20000];
volatile size_t touches_count;

static void set_open(bool open)
{
    mprotect(watched, WATCHED_BYTES, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void watch_begin(void)
{
    touches_count = 0;
    set_open(false);
}

void watch_end(void)
{
    set_open(true);
    assert_true(touches_count <= TOUCHES_MAX);
}

#if defined(__x86_64__) || defined(__aarch64__) || defined(__powerpc64__)

/* False: it is elsewhere, an error like any other, which ends the program when the instruction is tried again. */
static bool note(uintptr_t address, enum touch by, int signal_number)
{
    if (address - (uintptr_t)watched >= WATCHED_BYTES) {
        signal(signal_number, SIG_DFL);
        return false;
    }
    if (touches_count < TOUCHES_MAX)
        touches[touches_count] = (struct touched){address, by};
    touches_count++;
    return true;
}

static void handle(int signal_number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(signal_number, &action, NULL), 0);
}

#endif

#if defined(__x86_64__)

#define STEP_FLAG 0x100 /* of the flags register: a signal after the next instruction */
#define WAS_A_WRITE 2   /* of the fault's code */

static enum touch touch_by(const uint8_t *code, bool writes)
{
    if (code[0] == 0x62 && code[4] == 0xE7)
        return NON_TEMPORAL; /* vmovntdq of 64 bytes */
    while (code[0] == 0x66 || code[0] == 0x3E || (code[0] & 0xF0) == 0x40)
        code++;
    if (code[0] == 0x0F && code[1] == 0xAE)
        return WRITE_BACK; /* clwb, clflushopt, clflush */
    if (code[0] == 0x0F && (code[1] == 0xC3 || code[1] == 0xE7 || (code[1] == 0x01 && code[2] == 0xFC)))
        return NON_TEMPORAL; /* movnti, movntdq, clzero */
    return writes ? STORE : LOAD;
}

static void on_fault(int signal_number, siginfo_t *information, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    enum touch by = touch_by((const uint8_t *)registers[REG_RIP], registers[REG_ERR] & WAS_A_WRITE);
    if (!note((uintptr_t)information->si_addr, by, signal_number))
        return;
    set_open(true);
    registers[REG_EFL] |= STEP_FLAG;
}

static void on_step(int signal_number, siginfo_t *information, void *context)
{
    (void)signal_number;
    (void)information;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~STEP_FLAG;
    set_open(false);
}

void watch_signals(void)
{
    handle(SIGSEGV, on_fault);
    handle(SIGTRAP, on_step);
}

bool watch_sees(const struct nv_cpu *cpu)
{
    if (!cpu->write_back || !cpu->supported())
        return false;
    watch_begin();
    __asm__ volatile("clflush (%0)" : : "r"(watched) : "memory");
    watch_end();
    return touches_count > 0;
}

#elif defined(__aarch64__) || defined(__powerpc64__)

#if defined(__aarch64__)
#define PC(context) ((context)->uc_mcontext.pc)
#define OPERAND(context, code) ((context)->uc_mcontext.regs[(code)&31])
#define CHOSEN "sys #3, c7, c12, #1, %0" /* dc cvap */
#define ONLY_FORCED "dc cvac, %0"
#else
#define PC(context) ((context)->uc_mcontext.gp_regs[32])
#define OPERAND(context, code) ((context)->uc_mcontext.gp_regs[(code) >> 11 & 31])
#define CHOSEN ".machine push\n\t.machine power10\n\tdcbstps 0, %0\n\t.machine pop"
#define ONLY_FORCED "dcbst 0, %0"
#endif

/* A fault tells its address; an instruction that the CPU does not have, only by its operand. */
static void on_fault(int signal_number, siginfo_t *information, void *context)
{
    ucontext_t *machine = context;
    uint32_t code = *(const uint32_t *)PC(machine);
    uintptr_t operand = (uintptr_t)OPERAND(machine, code);
    if (note(signal_number == SIGILL ? operand : (uintptr_t)information->si_addr, WRITE_BACK, signal_number))
        PC(machine) += 4;
}

void watch_signals(void)
{
    handle(SIGSEGV, on_fault);
    handle(SIGILL, on_fault);
}

bool watch_sees(const struct nv_cpu *cpu)
{
    if (!cpu->write_back)
        return false;
    watch_begin();
    if (cpu->only_forced)
        __asm__ volatile(ONLY_FORCED : : "r"(watched) : "memory");
    else
        __asm__ volatile(CHOSEN : : "r"(watched) : "memory");
    watch_end();
    return touches_count > 0;
}

#else

void watch_signals(void)
{
}

bool watch_sees(const struct nv_cpu *cpu)
{
    (void)cpu;
    return false;
}

#endif
