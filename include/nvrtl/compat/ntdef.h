/* SPDX-License-Identifier: MIT */
/* The types of the NT interface itself: counted strings, names of objects, results of input and output. */
#ifndef NVRTL_COMPAT_NTDEF_H
#define NVRTL_COMPAT_NTDEF_H

#include "nvrtl_basic.h"

#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif

/* Lengths are in bytes; there need not be a NUL at the end. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING;

#define UNICODE_NULL ((WCHAR)0)

#ifdef __cplusplus
/* A literal is const in C++, and Buffer is not. */
extern "C++" {
static inline PWSTR NvrtlCompatBuffer(PCWSTR text)
{
    return const_cast<PWSTR>(text);
}
static inline PSTR NvrtlCompatBuffer(PCSTR text)
{
    return const_cast<PSTR>(text);
}
}
#else
#define NvrtlCompatBuffer(text) ((PVOID)(text))
#endif

/* Initialises a UNICODE_STRING or an ANSI_STRING from a literal. */
#define RTL_CONSTANT_STRING(s)                                                                                         \
    {                                                                                                                  \
        sizeof(s) - sizeof((s)[0]), sizeof(s), NvrtlCompatBuffer(s)                                                    \
    }

/* Let DestinationString stand for the text at SourceString (NULL: no text), without a copy. At most 32766 WCHARs. */
static inline VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    const SIZE_T most = 0xfffe / sizeof(WCHAR) - 1;
    SIZE_T count = 0;

    while (SourceString && SourceString[count] && count < most) {
        count++;
    }
    DestinationString->Length = (USHORT)(count * sizeof(WCHAR));
    DestinationString->MaximumLength = SourceString ? (USHORT)((count + 1) * sizeof(WCHAR)) : (USHORT)0;
    DestinationString->Buffer = (PWSTR)SourceString;
}

typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

#define OBJ_INHERIT 0x00000002
#define OBJ_PERMANENT 0x00000010
#define OBJ_EXCLUSIVE 0x00000020
#define OBJ_CASE_INSENSITIVE 0x00000040
#define OBJ_OPENIF 0x00000080
#define OBJ_KERNEL_HANDLE 0x00000200
#define OBJ_VALID_ATTRIBUTES 0x00001ff2

#define InitializeObjectAttributes(p, name, attributes, root, security)                                                \
    do {                                                                                                               \
        (p)->Length = sizeof(OBJECT_ATTRIBUTES);                                                                       \
        (p)->RootDirectory = (root);                                                                                   \
        (p)->ObjectName = (name);                                                                                      \
        (p)->Attributes = (attributes);                                                                                \
        (p)->SecurityDescriptor = (security);                                                                          \
        (p)->SecurityQualityOfService = NULL;                                                                          \
    } while (0)

typedef struct _IO_STATUS_BLOCK {
    __extension__ union {
        NTSTATUS Status;
        PVOID Pointer;
    };
    ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef struct _FILE_FS_ATTRIBUTE_INFORMATION {
    ULONG FileSystemAttributes;
    LONG MaximumComponentNameLength;
    ULONG FileSystemNameLength; /* bytes */
    WCHAR FileSystemName[1];
} FILE_FS_ATTRIBUTE_INFORMATION, *PFILE_FS_ATTRIBUTE_INFORMATION;

#endif
