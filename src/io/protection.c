/* SPDX-License-Identifier: MIT */
/* Owns what each PAGE_* lets a view do, and what it asks of the handles that it is made from. Called by sections. */
#include "src/io/section.h"

#include <sys/mman.h>

#define R NV_PAGE_READ
#define W NV_PAGE_WRITE
#define C NV_PAGE_COPY
#define X NV_PAGE_EXECUTE
#define FILE_READ FILE_READ_DATA
#define FILE_BOTH (FILE_READ_DATA | FILE_WRITE_DATA)
#define MAP_R SECTION_MAP_READ
#define MAP_W SECTION_MAP_WRITE
#define MAP_X SECTION_MAP_EXECUTE
#define RW (PROT_READ | PROT_WRITE)

static const struct nv_protection protections[] = {
    {PAGE_NOACCESS, 0, PROT_NONE, FILE_READ, MAP_R},
    {PAGE_READONLY, R, PROT_READ, FILE_READ, MAP_R},
    {PAGE_READWRITE, R | W, RW, FILE_BOTH, MAP_W},
    {PAGE_WRITECOPY, R | C, RW, FILE_READ, MAP_R},
    {PAGE_EXECUTE, X, PROT_EXEC, FILE_EXECUTE, MAP_X},
    {PAGE_EXECUTE_READ, R | X, PROT_READ | PROT_EXEC, FILE_READ | FILE_EXECUTE, MAP_R | MAP_X},
    {PAGE_EXECUTE_READWRITE, R | W | X, RW | PROT_EXEC, FILE_BOTH | FILE_EXECUTE, MAP_W | MAP_X},
    {PAGE_EXECUTE_WRITECOPY, R | C | X, RW | PROT_EXEC, FILE_READ | FILE_EXECUTE, MAP_R | MAP_X},
};

const struct nv_protection *nv_protection_find(ULONG value)
{
    for (size_t i = 0; i < sizeof(protections) / sizeof(protections[0]); i++)
        if (protections[i].value == value)
            return &protections[i];
    return NULL;
}
