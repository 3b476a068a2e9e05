/* SPDX-License-Identifier: MIT */
/*
 * Owns the trapped instructions: each begins with a breakpoint, and what it would have done is done by the handler of
 * the breakpoint's signal, which tells the verifier. All is in place before main.
 */
#include "verify/trap.h"
#include "src/nvm/seam.h"

#include <errno.h>
#include <immintrin.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BREAKPOINT = 0xcc, LINE = 64, PAGE = 4096, SLOT_BYTES = 32 };

static struct nv_trap_sites sites;

/* A streaming store is done after the handler: it is told of at the thread's next trap. */
static _Thread_local struct {
    uintptr_t from, to;
    const void *place;
} streamed;

/* ---- at a trap ---- */

static const struct nv_trap_site *find(const uint8_t *at)
{
    size_t low = 0, high = sites.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sites.sites[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sites.count && sites.sites[low].at == at ? &sites.sites[low] : NULL;
}

static uintptr_t address_of(const struct nv_trap_site *site, const greg_t *registers)
{
    uintptr_t address = (uintptr_t)site->displacement;

    if (site->base != NV_TRAP_NO_REGISTER)
        address += (uintptr_t)registers[site->base];
    if (site->index != NV_TRAP_NO_REGISTER)
        address += (uintptr_t)registers[site->index] * site->scale;
    return address;
}

static void tell_streamed(void)
{
    if (streamed.to)
        (void)nv_trap_write_back(streamed.from, streamed.to - streamed.from, false, streamed.place);
    streamed.to = 0;
}

/* Stores that go on in one line are told of together. */
static void stream(uintptr_t from, size_t size_bytes, const void *place)
{
    uintptr_t to = from + size_bytes;

    if (streamed.to == from && streamed.from / LINE == (to - 1) / LINE) {
        streamed.to = to;
        return;
    }
    tell_streamed();
    streamed.from = from;
    streamed.to = to;
    streamed.place = place;
}

/* What the instruction does; the program goes on behind it, which is its return address to all who look for one. */
static void act(const struct nv_trap_site *site, greg_t *registers)
{
    const void *place = site->at + site->length;
    uintptr_t address = address_of(site, registers);

    registers[REG_RIP] = (greg_t)place;
    switch (site->kind) {
    case NV_TRAP_STREAM:
        stream(address, site->size_bytes, place);
        registers[REG_RIP] = (greg_t)site->slot;
        break;
    case NV_TRAP_FENCE:
        tell_streamed();
        nv_seam->see_fence();
        _mm_mfence();
        break;
    case NV_TRAP_FLUSH:
    case NV_TRAP_ORDERED_FLUSH:
        tell_streamed();
        if (!nv_trap_write_back(address & ~(uintptr_t)(LINE - 1), LINE, site->kind == NV_TRAP_ORDERED_FLUSH, place))
            _mm_clflush((const void *)address);
        break;
    }
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const struct nv_trap_site *site = info->si_code > 0 ? find((const uint8_t *)registers[REG_RIP] - 1) : NULL;
    int before = errno;

    if (site)
        act(site, registers);
    else
        nv_trap_pass_on(number, info, context);
    errno = before;
}

/* ---- before main ---- */

/* The instruction, and a jump behind the original. */
static void fill_slot(const struct nv_trap_site *site)
{
    static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0}; /* to the address that follows it */
    const uint8_t *behind = site->at + site->length;

    memcpy(site->slot, site->at, site->length);
    memcpy(site->slot + site->length, jump, sizeof jump);
    memcpy(site->slot + site->length + sizeof jump, &behind, sizeof behind);
}

static bool make_slots(void)
{
    size_t bytes = sites.count * SLOT_BYTES;
    uint8_t *slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (slots == MAP_FAILED)
        return false;
    for (size_t i = 0; i < sites.count; i++)
        if (sites.sites[i].kind == NV_TRAP_STREAM) {
            sites.sites[i].slot = slots + i * SLOT_BYTES;
            fill_slot(&sites.sites[i]);
        }
    return !mprotect(slots, bytes, PROT_READ | PROT_EXEC);
}

static bool place_breakpoint(uint8_t *at)
{
    void *page = (void *)((uintptr_t)at & ~(uintptr_t)(PAGE - 1));

    if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
        return false;
    *at = BREAKPOINT;
    return !mprotect(page, PAGE, PROT_READ | PROT_EXEC);
}

/* The runtime within this library has found the verifier by now. */
__attribute__((constructor(102))) static void start(void)
{
    if (!nv_seam->verified)
        return;
    if (!nv_trap_sites_find(&sites) || (sites.count && (!make_slots() || !nv_trap_take_signal(on_trap)))) {
        sites.count = 0;
        nv_seam->tell("flush instructions: they could not be trapped, for want of memory");
    }
    if (sites.incomplete)
        nv_seam->tell("flush instructions in code that could not be told from data, or that has no unwind tables");
    for (size_t i = 0; i < sites.count; i++)
        if (!place_breakpoint(sites.sites[i].at))
            nv_seam->tell("flush instructions in pages that may not be written");
}
