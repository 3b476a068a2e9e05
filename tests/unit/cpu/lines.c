/* SPDX-License-Identifier: MIT */
/*
 * Exactly the lines of a range are written back, and by copies and fills none of those that they store to is left out.
 *
 * Nothing that a program can read tells this. So the lines lie on a page that may not be touched, and each instruction
 * that touches it is a signal: it is noted, and then executed alone (x86-64) or left out (where all instructions are of
 * four bytes). On those CPUs also the instructions are tested that the CPU does not have.
 */
#include "src/cpu/cpu.h"
#include "tests/support/memory.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define LINE ((uintptr_t)64)
#define ROOM (2 * PAGE)
#define EVENTS_MAX 20000

enum kind { WRITE_BACK, NON_TEMPORAL, STORE, LOAD };

static struct {
    uintptr_t address;
    enum kind kind;
} events[EVENTS_MAX];
static volatile size_t count;
static char *room;

/* What happens elsewhere is an error like any other: it ends the program when it happens again. */
static bool is_ours(const void *address, int signal_number)
{
    bool ours = (uintptr_t)address - (uintptr_t)room < ROOM;
    if (!ours)
        signal(signal_number, SIG_DFL);
    return ours;
}

static void note(uintptr_t address, enum kind kind)
{
    if (count < EVENTS_MAX) {
        events[count].address = address;
        events[count].kind = kind;
    }
    count++;
}

static void close_room(void)
{
    mprotect(room, ROOM, PROT_NONE);
}

static void open_room(void)
{
    mprotect(room, ROOM, PROT_READ | PROT_WRITE);
}

#if defined(__x86_64__)

#define STEP_FLAG 0x100 /* of the flags register: a signal after the next instruction */
#define WAS_A_WRITE 2   /* of the fault's code */

static enum kind kind_of(const uint8_t *code, bool writes)
{
    if (code[0] == 0x62)
        return code[4] == 0xE7 ? NON_TEMPORAL : writes ? STORE : LOAD; /* vmovntdq */
    while (code[0] == 0x66 || code[0] == 0x3E || (code[0] & 0xF0) == 0x40)
        code++;
    if (code[0] == 0x0F && code[1] == 0xAE)
        return WRITE_BACK; /* clwb, clflushopt, clflush: see the manual's group 15 */
    if (code[0] == 0x0F && (code[1] == 0xC3 || code[1] == 0xE7 || (code[1] == 0x01 && code[2] == 0xFC)))
        return NON_TEMPORAL; /* movnti, movntdq, clzero */
    return writes ? STORE : LOAD;
}

static void on_fault(int signal, siginfo_t *information, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (!is_ours(information->si_addr, signal))
        return;
    note((uintptr_t)information->si_addr,
         kind_of((const uint8_t *)registers[REG_RIP], registers[REG_ERR] & WAS_A_WRITE));
    open_room();
    registers[REG_EFL] |= STEP_FLAG;
}

static void on_step(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    (void)information;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~STEP_FLAG;
    close_room();
}

/* One write-back of the room's first line. */
static void probe(const struct nv_cpu *cpu)
{
    (void)cpu;
    __asm__ volatile("clflush (%0)" : : "r"(room) : "memory");
}

static bool can_be_watched(const struct nv_cpu *cpu)
{
    return cpu->write_back && cpu->supported();
}

#elif defined(__aarch64__) || defined(__powerpc64__)

#if defined(__aarch64__)
#define PC(context) ((context)->uc_mcontext.pc)
#define OPERAND(context, code) ((context)->uc_mcontext.regs[(code)&31])
#define PROBE_PERSISTENT "sys #3, c7, c12, #1, %0"
#define PROBE_OTHER "dc cvac, %0"
#else
#define PC(context) ((context)->uc_mcontext.gp_regs[32])
#define OPERAND(context, code) ((context)->uc_mcontext.gp_regs[(code) >> 11 & 31])
#define PROBE_PERSISTENT ".machine push\n\t.machine power10\n\tdcbstps 0, %0\n\t.machine pop"
#define PROBE_OTHER "dcbst 0, %0"
#endif

static void probe(const struct nv_cpu *cpu)
{
    if (cpu->only_forced)
        __asm__ volatile(PROBE_OTHER : : "r"(room) : "memory");
    else
        __asm__ volatile(PROBE_PERSISTENT : : "r"(room) : "memory");
}

/* A fault tells its address; an instruction that the CPU does not have, only by its operand. */
static void on_fault(int signal, siginfo_t *information, void *context)
{
    ucontext_t *machine = context;
    uint32_t code = *(const uint32_t *)PC(machine);
    const void *address = signal == SIGILL ? (const void *)OPERAND(machine, code) : information->si_addr;
    if (!is_ours(address, signal))
        return;
    note((uintptr_t)address, WRITE_BACK);
    PC(machine) += 4;
}

static void on_step(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    (void)information;
    (void)context;
}

static bool can_be_watched(const struct nv_cpu *cpu)
{
    return cpu->write_back != NULL;
}

#else

static void on_fault(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    (void)information;
    (void)context;
}

#define on_step on_fault

static void probe(const struct nv_cpu *cpu)
{
    (void)cpu;
}

static bool can_be_watched(const struct nv_cpu *cpu)
{
    (void)cpu;
    return false;
}

#endif

static void begin(void)
{
    count = 0;
    close_room();
}

static void end(void)
{
    open_room();
    assert_true(count <= EVENTS_MAX);
}

/* An emulator may do nothing at all for a write-back. */
static bool is_seen(const struct nv_cpu *cpu)
{
    begin();
    probe(cpu);
    end();
    return count > 0;
}

/* The kernels whose write-backs can be seen, each instruction once unless `all`. */
static size_t watched(const struct nv_cpu **kernels, bool all)
{
    size_t found = 0;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        bool known = false;
        for (size_t i = 0; i < found; i++)
            known = known || kernels[i]->write_back == (*cpu)->write_back;
        if (can_be_watched(*cpu) && (all || !known) && is_seen(*cpu))
            kernels[found++] = *cpu;
    }
    return found;
}

/* The kernel's own lines may be larger or smaller: what the first one-byte write-backs tell. */
static uintptr_t line_bytes_of(const struct nv_cpu *cpu)
{
    uintptr_t bytes = 0;
    begin();
    cpu->write_back(room, PAGE);
    end();
    bytes = PAGE / count;
    return bytes;
}

static void expect_lines(uintptr_t from, uintptr_t to, uintptr_t line)
{
    size_t expected = to > from ? ((to - 1) & ~(line - 1)) / line - from / line + 1 : 0;
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].kind, WRITE_BACK);
        assert_int_equal(events[i].address & ~(line - 1), (from & ~(line - 1)) + i * line);
    }
}

static void range(const struct nv_cpu *cpu)
{
    uintptr_t line = line_bytes_of(cpu);
    for (size_t size_bytes = 0; size_bytes <= 300; size_bytes += size_bytes < 140 ? 1 : 20)
        for (size_t shift = 0; shift < LINE; shift += size_bytes < 3 ? 1 : 9) {
            char *at = room + PAGE - LINE + shift;
            NV_MEMORY_RANGE one = {at, size_bytes};
            begin();
            cpu->write_back(at, size_bytes);
            end();
            expect_lines((uintptr_t)at, (uintptr_t)at + size_bytes, line);
            begin();
            cpu->write_back_ranges(&one, 1);
            end();
            expect_lines((uintptr_t)at, (uintptr_t)at + size_bytes, line);
        }
}

static void expect_ranges(const struct nv_cpu *cpu, const NV_MEMORY_RANGE *list, size_t ranges_count, bool in_a_row)
{
    bool wanted[ROOM] = {false}, seen[ROOM] = {false}; /* by the first byte of a line */
    uintptr_t line = line_bytes_of(cpu);
    for (size_t i = 0; i < ranges_count; i++) {
        size_t from = (size_t)((char *)list[i].BaseAddress - room);
        for (size_t at = from & ~(line - 1); list[i].Length && at < from + list[i].Length; at += line)
            wanted[at] = true;
    }
    begin();
    cpu->write_back_ranges(list, ranges_count);
    end();
    for (size_t i = 0; i < count; i++) {
        uintptr_t at = (events[i].address - (uintptr_t)room) & ~(line - 1);
        assert_int_equal(events[i].kind, WRITE_BACK);
        assert_true(in_a_row || i == 0 || events[i].address != events[i - 1].address);
        seen[at] = true;
    }
    assert_memory_equal(seen, wanted, sizeof(seen));
}

/*
 * Many ranges, near each other or not: every line of each, and no other. None twice in a row, but perhaps where a long
 * range is among short ones.
 */
static void ranges(const struct nv_cpu *cpu)
{
    enum { RANGES = 100 };
    NV_MEMORY_RANGE list[RANGES];
    for (size_t spread = 1; spread < 80; spread += 3)
        for (size_t longer = 0; longer < 2; longer++) {
            for (size_t i = 0; i < RANGES; i++) {
                size_t size_bytes = longer && i * spread % 11 == 0 ? 600 : i * 13 % 257;
                list[i] = (NV_MEMORY_RANGE){room + i * spread * 37 % (ROOM - 700), size_bytes};
            }
            expect_ranges(cpu, list, RANGES, longer);
        }
}

typedef void kernel_test(const struct nv_cpu *cpu);

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(signal, &action, NULL), 0);
}

/* In each test anew: cmocka has handlers of its own, and puts them back. */
static void for_each_watched(kernel_test *test, bool all)
{
    const struct nv_cpu *kernels[16];
    handle(SIGSEGV, on_fault);
    handle(SIGILL, on_fault);
    handle(SIGTRAP, on_step);
    size_t found = watched(kernels, all);
    for (size_t i = 0; i < found; i++) {
        test(kernels[i]);
        print_message("kernel watched: %s%s\n", kernels[i]->name,
                      kernels[i]->supported() ? "" : ", which this CPU does not have");
    }
    if (found == 0) {
        print_message("no write-back is seen on this CPU: an emulator does nothing for it\n");
        skip();
    }
}

static void each_range(void **state)
{
    (void)state;
    for_each_watched(range, false);
}

static void each_ranges(void **state)
{
    (void)state;
    for_each_watched(ranges, false);
}

#if defined(__x86_64__)

/*
 * Each line of [from, to) is stored to by non-temporal stores alone, or is written back after the last ordinary store
 * to it. (A store that reaches into the next line is seen in the first only; so a line without a store needs a
 * write-back, too.)
 */
static void expect_durable(const struct nv_cpu *cpu, uintptr_t from, uintptr_t to)
{
    for (uintptr_t line = from & ~(LINE - 1); line < to && from < to; line += LINE) {
        enum kind last = STORE;
        bool non_temporal = false, ordinary = false;
        for (size_t i = 0; i < count; i++) {
            if ((events[i].address & ~(LINE - 1)) != line || events[i].kind == LOAD)
                continue;
            non_temporal = non_temporal || events[i].kind == NON_TEMPORAL;
            ordinary = ordinary || events[i].kind == STORE;
            last = events[i].kind;
        }
        if (last == STORE)
            fail_msg("%s: line %zu of %zu bytes at %zu is not written back", cpu->name,
                     (size_t)(line - (uintptr_t)room), (size_t)(to - from), (size_t)(from - (uintptr_t)room));
        assert_false(non_temporal && ordinary); /* costs three times as much */
    }
    for (size_t i = 0; i < count; i++)
        assert_true(events[i].address >= (from & ~(LINE - 1)) && events[i].address < to + LINE);
}

static void store_case(const struct nv_cpu *cpu, size_t shift, size_t size_bytes)
{
    static char source[ROOM];
    char *at = room + LINE + shift;
    begin();
    cpu->copy(at, source, size_bytes);
    end();
    expect_durable(cpu, (uintptr_t)at, (uintptr_t)at + size_bytes);
    for (int value = 0; value < 2; value++) {
        begin();
        cpu->fill(at, (uint8_t)value, size_bytes);
        end();
        expect_durable(cpu, (uintptr_t)at, (uintptr_t)at + size_bytes);
    }
}

static void overlap_case(const struct nv_cpu *cpu, ptrdiff_t distance, size_t size_bytes)
{
    char *at = room + 1000;
    begin();
    cpu->copy(at + distance, at, size_bytes);
    end();
    size_t kept = 0; /* without the loads */
    for (size_t i = 0; i < count; i++)
        if (events[i].kind != LOAD)
            events[kept++] = events[i];
    count = kept;
    expect_durable(cpu, (uintptr_t)at + distance, (uintptr_t)at + distance + size_bytes);
}

static void stores(const struct nv_cpu *cpu)
{
    static const size_t shifts[] = {0, 1, 4, 7, 8, 12, 16, 32, 33, 60, 63};
    static const size_t large[] = {1000, 2047, 2048, 2112, 2200, 4096, 6000};
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        for (size_t size_bytes = 0; size_bytes <= 300; size_bytes += size_bytes < 20 ? 1 : 7)
            store_case(cpu, shifts[i], size_bytes);
        for (size_t j = 0; j < sizeof(large) / sizeof(large[0]) && i % 3 == 0; j++)
            store_case(cpu, shifts[i], large[j]);
    }
    for (ptrdiff_t distance = -200; distance <= 200; distance += 33)
        for (size_t size_bytes = 1; size_bytes <= 300; size_bytes += 23)
            overlap_case(cpu, distance, size_bytes);
}

static void each_stores(void **state)
{
    (void)state;
    for_each_watched(stores, true);
}

#else

/* All other kernels copy and fill by the C library, and then write back the range. */
static void each_stores(void **state)
{
    (void)state;
    print_message("the stores of this CPU's kernels cannot be watched\n");
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_range),
        cmocka_unit_test(each_ranges),
        cmocka_unit_test(each_stores),
    };
    room = guarded_make(ROOM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
