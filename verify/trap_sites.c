/* SPDX-License-Identifier: MIT */
/*
 * Owns the search for flush instructions in what is loaded: functions come from the unwind tables, and Zydis decides
 * what is an instruction in them. trap.c calls it once, before main.
 */
#include "verify/trap.h"

#include <Zydis/Zydis.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pointer encodings of the unwind tables (LSB, "DWARF Exception Header Encoding"). */
enum { ABSOLUTE = 0x00, UNSIGNED_4 = 0x03, UNSIGNED_8 = 0x04, SIGNED_4 = 0x0b, SIGNED_8 = 0x0c, SIZE_MASK = 0x0f };
enum { SORTED_TABLE = 0x3b }; /* relative to the header, signed 4 bytes each */

struct object {
    struct nv_trap_sites *sites;
    const ElfW(Phdr) * headers;
    int header_count;
    uintptr_t bias;
    bool ok;
};

/* ---- functions ---- */

struct table_entry {
    int32_t start, description; /* relative to the header */
};

struct table_header {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frame;
    uint32_t count;
    struct table_entry entries[];
};

static uint64_t uleb(const uint8_t **at)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;

        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80))
            return value;
    }
}

static size_t pointer_bytes(uint8_t encoding)
{
    switch (encoding & SIZE_MASK) {
    case UNSIGNED_4:
    case SIGNED_4:
        return 4;
    case ABSOLUTE:
    case UNSIGNED_8:
    case SIGNED_8:
        return 8;
    default:
        return 0;
    }
}

/* How the addresses of a function are written, by what all such functions have in common. 0: it cannot be told. */
static size_t function_pointer_bytes(const uint8_t *common)
{
    const uint8_t *at = common + 8;
    const char *letters = (const char *)at + 1;
    uint8_t version = *at;

    at += 1 + strlen(letters) + 1;
    (void)uleb(&at);
    (void)uleb(&at); /* signed, of the same length */
    if (version == 1)
        at++;
    else
        (void)uleb(&at);
    if (*letters != 'z')
        return *letters ? 0 : 8;
    (void)uleb(&at);
    for (letters++; *letters; letters++)
        if (*letters == 'R')
            return pointer_bytes(*at);
        else if (*letters == 'P')
            at += 1 + pointer_bytes(*at);
        else if (*letters == 'L')
            at++;
        else if (*letters != 'S' && *letters != 'B')
            return 0;
    return 8;
}

/* Bytes of the function that a description is of; 0: it cannot be told. */
static uint64_t function_bytes(const uint8_t *description)
{
    uint32_t length, back;
    uint64_t bytes = 0;
    size_t size;

    memcpy(&length, description, sizeof length);
    memcpy(&back, description + 4, sizeof back);
    if (length == UINT32_MAX || !back)
        return 0;
    size = function_pointer_bytes(description + 4 - back);
    memcpy(&bytes, description + 8 + size, size);
    return bytes;
}

/* ---- instructions ---- */

static const struct {
    ZydisMnemonic mnemonic;
    enum nv_trap_kind kind;
} kinds[] = {
    {ZYDIS_MNEMONIC_CLWB, NV_TRAP_FLUSH},      {ZYDIS_MNEMONIC_CLFLUSHOPT, NV_TRAP_FLUSH},
    {ZYDIS_MNEMONIC_SFENCE, NV_TRAP_FENCE},    {ZYDIS_MNEMONIC_MFENCE, NV_TRAP_FENCE},
    {ZYDIS_MNEMONIC_MOVNTI, NV_TRAP_STREAM},   {ZYDIS_MNEMONIC_CLFLUSH, NV_TRAP_ORDERED_FLUSH},
    {ZYDIS_MNEMONIC_MOVNTQ, NV_TRAP_STREAM},   {ZYDIS_MNEMONIC_MOVNTDQ, NV_TRAP_STREAM},
    {ZYDIS_MNEMONIC_MOVNTPS, NV_TRAP_STREAM},  {ZYDIS_MNEMONIC_MOVNTPD, NV_TRAP_STREAM},
    {ZYDIS_MNEMONIC_VMOVNTDQ, NV_TRAP_STREAM}, {ZYDIS_MNEMONIC_VMOVNTPS, NV_TRAP_STREAM},
    {ZYDIS_MNEMONIC_VMOVNTPD, NV_TRAP_STREAM}, {ZYDIS_MNEMONIC_MOVDIRI, NV_TRAP_STREAM},
};

static bool find_kind(ZydisMnemonic mnemonic, enum nv_trap_kind *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].mnemonic == mnemonic) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

/* False: it is none that holds an address. */
static bool find_register(ZydisRegister wanted, int8_t *number)
{
    static const int8_t numbers[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

    *number = NV_TRAP_NO_REGISTER;
    if (wanted == ZYDIS_REGISTER_NONE)
        return true;
    if (wanted < ZYDIS_REGISTER_RAX || wanted > ZYDIS_REGISTER_R15)
        return false;
    *number = numbers[wanted - ZYDIS_REGISTER_RAX];
    return true;
}

/* False: it is memory of another kind than a file may be mapped to (thread-local, say), and need not be trapped. */
static bool describe_memory(struct nv_trap_site *site, const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.segment == ZYDIS_REGISTER_FS ||
        operand->mem.segment == ZYDIS_REGISTER_GS || !find_register(operand->mem.base, &site->base) ||
        !find_register(operand->mem.index, &site->index))
        return false;
    site->scale = operand->mem.scale;
    site->displacement = operand->mem.disp.value;
    site->size_bytes = (uint16_t)(operand->size / 8);
    return true;
}

static bool add(struct nv_trap_sites *sites, const struct nv_trap_site *site)
{
    if (sites->count == sites->room) {
        size_t room = sites->room ? sites->room * 2 : 64;
        struct nv_trap_site *grown = reallocarray(sites->sites, room, sizeof *grown);

        if (!grown)
            return false;
        sites->sites = grown;
        sites->room = room;
    }
    sites->sites[sites->count++] = *site;
    return true;
}

static bool note(struct nv_trap_sites *sites, const ZydisDecoder *decoder, uint8_t *at,
                 const ZydisDecodedInstruction *instruction, const ZydisDecoderContext *context, enum nv_trap_kind kind)
{
    struct nv_trap_site site = {.at = at, .length = instruction->length, .kind = kind};
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

    if (kind == NV_TRAP_FENCE)
        return add(sites, &site);
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeOperands(decoder, context, instruction, operands, instruction->operand_count)) ||
        !describe_memory(&site, &operands[0]))
        return true;
    return add(sites, &site);
}

/* What every one of them has, so that few functions need be decoded: an opcode of two bytes, or of a VEX prefix. */
static bool may_hold_one(const uint8_t *code, size_t bytes)
{
    for (size_t i = 1; i < bytes; i++) {
        bool streams = code[i] == 0xe7 || code[i] == 0x2b;
        bool two_bytes = code[i - 1] == 0x0f && (streams || code[i] == 0xae || code[i] == 0xc3 || code[i] == 0x38);

        if (two_bytes || (streams && ((i >= 2 && code[i - 2] == 0xc5) || (i >= 3 && code[i - 3] == 0xc4) ||
                                      (i >= 4 && code[i - 4] == 0x62))))
            return true;
    }
    return false;
}

/* From the function's first byte to its last. What is no instruction ends it: from there on nothing is certain. */
static bool search_function(struct nv_trap_sites *sites, const ZydisDecoder *decoder, uint8_t *code, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ZydisDecodedInstruction instruction;
        ZydisDecoderContext context;
        enum nv_trap_kind kind;

        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, &context, code + at, bytes - at, &instruction))) {
            sites->incomplete = true;
            return true;
        }
        if (find_kind(instruction.mnemonic, &kind) && !note(sites, decoder, code + at, &instruction, &context, kind))
            return false;
        at += instruction.length;
    }
    return true;
}

/* ---- objects ---- */

/* Where the code at an address ends; 0: there is none. */
static uintptr_t code_end(const struct object *object, uintptr_t address)
{
    for (int i = 0; i < object->header_count; i++) {
        const ElfW(Phdr) *header = &object->headers[i];
        uintptr_t start = object->bias + header->p_vaddr;

        if (header->p_type == PT_LOAD && (header->p_flags & PF_X) && address >= start &&
            address - start < header->p_filesz)
            return start + header->p_filesz;
    }
    return 0;
}

static bool search_table(struct object *object, const struct table_header *table)
{
    uintptr_t base = (uintptr_t)table;
    ZydisDecoder decoder;

    if (table->version != 1 || table->table_encoding != SORTED_TABLE || table->count_encoding != UNSIGNED_4 ||
        !ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))) {
        object->sites->incomplete = true;
        return true;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        uint8_t *code = (uint8_t *)(base + (uintptr_t)(intptr_t)table->entries[i].start);
        const uint8_t *description = (const uint8_t *)(base + (uintptr_t)(intptr_t)table->entries[i].description);
        uintptr_t end = code_end(object, (uintptr_t)code);
        uint64_t bytes = function_bytes(description);

        if (!end || bytes > end - (uintptr_t)code)
            continue;
        if (may_hold_one(code, bytes) && !search_function(object->sites, &decoder, code, bytes))
            return false;
    }
    return true;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/*
 * The program itself has no name. Of the system's libraries, those for persistent memory alone; of nvrtl's own none:
 * its engines flush what they mean.
 */
static bool is_wanted(const char *path)
{
    static const char *const system_folders[] = {"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"};
    const char *name = strrchr(path, '/');

    if (!*path)
        return true;
    name = name ? name + 1 : path;
    if (begins(name, "libnvrtl") || begins(name, "linux-vdso"))
        return false;
    for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders; i++)
        if (begins(path, system_folders[i]))
            return begins(name, "libpmem.so") || begins(name, "libpmem2.so");
    return true;
}

static int search_object(struct dl_phdr_info *info, size_t size, void *context)
{
    struct object object = {context, info->dlpi_phdr, info->dlpi_phnum, info->dlpi_addr, true};

    (void)size;
    if (!is_wanted(info->dlpi_name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && object.ok; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            object.ok =
                search_table(&object, (const struct table_header *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
    return !object.ok;
}

static int compare(const void *left, const void *right)
{
    const struct nv_trap_site *a = left, *b = right;

    return (a->at > b->at) - (a->at < b->at);
}

bool nv_trap_sites_find(struct nv_trap_sites *sites)
{
    if (dl_iterate_phdr(search_object, sites))
        return false;
    if (sites->count)
        qsort(sites->sites, sites->count, sizeof *sites->sites, compare);
    return true;
}
