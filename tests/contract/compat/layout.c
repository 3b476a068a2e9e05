/* SPDX-License-Identifier: MIT */
/*
 * Sizes, offsets and numbers of the interface as Windows has them on x86-64. Compiled twice: with the headers of a
 * program and (LAYOUT_DRIVER) with those of a driver. What mingw's headers lack is left out where they are used.
 */
#ifdef LAYOUT_DRIVER
#include <ntddk.h>
#else
#define WIN32_NO_STATUS
#include <windef.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>
#endif

#define AT(type, field, offset, size)                                                                                  \
    C_ASSERT(FIELD_OFFSET(type, field) == (offset) && sizeof(((type *)0)->field) == (size))

C_ASSERT(sizeof(HANDLE) == 8 && sizeof(SIZE_T) == 8 && sizeof(ULONG_PTR) == 8 && sizeof(PVOID) == 8);
C_ASSERT(sizeof(ULONG) == 4 && sizeof(LONG) == 4 && sizeof(NTSTATUS) == 4 && sizeof(BOOLEAN) == 1);
C_ASSERT(sizeof(USHORT) == 2 && sizeof(WCHAR) == 2 && sizeof(L"ab") == 6 && sizeof(ULONGLONG) == 8);
C_ASSERT((ULONG)-1 > 0 && (SIZE_T)-1 > 0 && (LONG)-1 < 0 && (NTSTATUS)-1 < 0 && (LONGLONG)-1 < 0 && (WCHAR)-1 > 0);

C_ASSERT(sizeof(NV_MEMORY_RANGE) == 16);
AT(NV_MEMORY_RANGE, BaseAddress, 0, 8);
AT(NV_MEMORY_RANGE, Length, 8, 8);

C_ASSERT(sizeof(IO_STATUS_BLOCK) == 16);
AT(IO_STATUS_BLOCK, Status, 0, 4);
AT(IO_STATUS_BLOCK, Pointer, 0, 8);
AT(IO_STATUS_BLOCK, Information, 8, 8);

C_ASSERT(sizeof(UNICODE_STRING) == 16);
AT(UNICODE_STRING, Length, 0, 2);
AT(UNICODE_STRING, MaximumLength, 2, 2);
AT(UNICODE_STRING, Buffer, 8, 8);

C_ASSERT(sizeof(OBJECT_ATTRIBUTES) == 48);
AT(OBJECT_ATTRIBUTES, Length, 0, 4);
AT(OBJECT_ATTRIBUTES, RootDirectory, 8, 8);
AT(OBJECT_ATTRIBUTES, ObjectName, 16, 8);
AT(OBJECT_ATTRIBUTES, Attributes, 24, 4);
AT(OBJECT_ATTRIBUTES, SecurityDescriptor, 32, 8);
AT(OBJECT_ATTRIBUTES, SecurityQualityOfService, 40, 8);

C_ASSERT(sizeof(LARGE_INTEGER) == 8);
AT(LARGE_INTEGER, LowPart, 0, 4);
AT(LARGE_INTEGER, HighPart, 4, 4);
AT(LARGE_INTEGER, QuadPart, 0, 8);
C_ASSERT(sizeof(ULARGE_INTEGER) == 8);

#ifndef __MINGW32__
C_ASSERT(sizeof(FILE_FS_ATTRIBUTE_INFORMATION) == 16);
AT(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemAttributes, 0, 4);
AT(FILE_FS_ATTRIBUTE_INFORMATION, MaximumComponentNameLength, 4, 4);
AT(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemNameLength, 8, 4);
AT(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName, 12, 2);
#endif

/* The numberings of a flush. */
#ifndef __MINGW32__
C_ASSERT(FLUSH_FLAGS_FILE_DATA_ONLY == 1);
C_ASSERT(FLUSH_FLAGS_NO_SYNC == 2);
C_ASSERT(FLUSH_FLAGS_FILE_DATA_SYNC_ONLY == 4);
C_ASSERT(FLUSH_FLAGS_FLUSH_AND_PURGE == 8);
C_ASSERT(FILE_DAX_VOLUME == 0x20000000);
#ifdef LAYOUT_DRIVER
C_ASSERT(IRP_MN_FLUSH_AND_PURGE == 1);
C_ASSERT(IRP_MN_FLUSH_DATA_ONLY == 2);
C_ASSERT(IRP_MN_FLUSH_NO_SYNC == 3);
C_ASSERT(IRP_MN_FLUSH_DATA_SYNC_ONLY == 4);
C_ASSERT(SL_FORCE_ASYNCHRONOUS == 1);
#else
C_ASSERT(VOL_PROP_FL_DAX_VOLUME == 1);
#endif
#endif
#if !defined(__MINGW32__) || !defined(LAYOUT_DRIVER)
C_ASSERT(FILE_READ_ONLY_VOLUME == 0x80000);
#endif

C_ASSERT(FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN == 1);
C_ASSERT(FLUSH_NV_MEMORY_DEFAULT_TOKEN == 0xffffffffffffffff);
C_ASSERT(WRITE_NV_MEMORY_FLAG_FLUSH == 1 && FILL_NV_MEMORY_FLAG_FLUSH == 1);
C_ASSERT(WRITE_NV_MEMORY_FLAG_NON_TEMPORAL == 2 && FILL_NV_MEMORY_FLAG_NON_TEMPORAL == 2);
C_ASSERT(WRITE_NV_MEMORY_FLAG_PERSIST == 3 && FILL_NV_MEMORY_FLAG_PERSIST == 3);
C_ASSERT(WRITE_NV_MEMORY_FLAG_NO_DRAIN == 0x100 && FILL_NV_MEMORY_FLAG_NO_DRAIN == 0x100);

#ifdef LAYOUT_DRIVER
C_ASSERT(IRP_MJ_FLUSH_BUFFERS == 0x09);
C_ASSERT(PASSIVE_LEVEL == 0 && APC_LEVEL == 1 && DISPATCH_LEVEL == 2);
#else
C_ASSERT(sizeof(BYTE) == 1 && sizeof(WORD) == 2 && sizeof(DWORD) == 4 && sizeof(BOOL) == 4 && sizeof(DWORD_PTR) == 8);
C_ASSERT((DWORD)-1 > 0 && (WORD)-1 > 0 && (BYTE)-1 > 0 && (BOOL)-1 < 0);
#endif

/* Statuses: one of each severity, and those that the memory plane returns. */
C_ASSERT(NT_SUCCESS(STATUS_SUCCESS) && NT_SUCCESS(STATUS_PENDING) && !NT_SUCCESS(STATUS_BUFFER_OVERFLOW));
C_ASSERT((ULONG)STATUS_PENDING == 0x103 && (ULONG)STATUS_BUFFER_OVERFLOW == 0x80000005);
C_ASSERT((ULONG)STATUS_INVALID_PARAMETER == 0xc000000d && (ULONG)STATUS_INFO_LENGTH_MISMATCH == 0xc0000004);
C_ASSERT((ULONG)STATUS_ACCESS_DENIED == 0xc0000022 && (ULONG)STATUS_INSUFFICIENT_RESOURCES == 0xc000009a);
C_ASSERT((ULONG)STATUS_DISK_FULL == 0xc000007f && (ULONG)STATUS_IO_DEVICE_ERROR == 0xc0000185);
C_ASSERT((ULONG)STATUS_NOT_SUPPORTED == 0xc00000bb);

/* A C++ compiler, too, finds something here. */
#ifdef LAYOUT_DRIVER
int nvrtl_layout_driver(void);
int nvrtl_layout_driver(void)
#else
int nvrtl_layout_program(void);
int nvrtl_layout_program(void)
#endif
{
    return 0;
}
