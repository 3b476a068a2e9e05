/* SPDX-License-Identifier: MIT */
/*
 * The interface of libpmem.so.1, as its manual pages have it: pmem_flush(3), pmem_is_pmem(3), pmem_memmove_persist(3)
 * and libpmem(7) say what the functions do. Every file here that defines some of them includes it.
 */
#ifndef NV_PMEM_LIBPMEM_H
#define NV_PMEM_LIBPMEM_H

#include <stddef.h>
#include <sys/types.h>

#define NV_PMEM_API __attribute__((visibility("default")))
#define NV_PMEM_MAJOR 1u
#define NV_PMEM_MINOR 1u

#define PMEM_FILE_CREATE (1 << 0)
#define PMEM_FILE_EXCL (1 << 1)
#define PMEM_FILE_SPARSE (1 << 2)
#define PMEM_FILE_TMPFILE (1 << 3)

#define PMEM_F_MEM_NODRAIN (1U << 0)
#define PMEM_F_MEM_NONTEMPORAL (1U << 1)
#define PMEM_F_MEM_TEMPORAL (1U << 2)
#define PMEM_F_MEM_WC (1U << 3)
#define PMEM_F_MEM_WB (1U << 4)
#define PMEM_F_MEM_NOFLUSH (1U << 5)

NV_PMEM_API void *pmem_map_file(const char *path, size_t len, int flags, mode_t mode, size_t *mapped_lenp,
                                int *is_pmemp);
NV_PMEM_API int pmem_unmap(void *addr, size_t len);
NV_PMEM_API int pmem_is_pmem(const void *addr, size_t len);

NV_PMEM_API void pmem_persist(const void *addr, size_t len);
NV_PMEM_API int pmem_msync(const void *addr, size_t len);
NV_PMEM_API void pmem_flush(const void *addr, size_t len);
NV_PMEM_API void pmem_drain(void);
NV_PMEM_API void pmem_deep_flush(const void *addr, size_t len);
NV_PMEM_API int pmem_deep_drain(const void *addr, size_t len);
NV_PMEM_API int pmem_deep_persist(const void *addr, size_t len);
NV_PMEM_API int pmem_has_auto_flush(void);
NV_PMEM_API int pmem_has_hw_drain(void);

NV_PMEM_API void *pmem_memmove(void *pmemdest, const void *src, size_t len, unsigned flags);
NV_PMEM_API void *pmem_memcpy(void *pmemdest, const void *src, size_t len, unsigned flags);
NV_PMEM_API void *pmem_memset(void *pmemdest, int c, size_t len, unsigned flags);
NV_PMEM_API void *pmem_memmove_persist(void *pmemdest, const void *src, size_t len);
NV_PMEM_API void *pmem_memcpy_persist(void *pmemdest, const void *src, size_t len);
NV_PMEM_API void *pmem_memset_persist(void *pmemdest, int c, size_t len);
NV_PMEM_API void *pmem_memmove_nodrain(void *pmemdest, const void *src, size_t len);
NV_PMEM_API void *pmem_memcpy_nodrain(void *pmemdest, const void *src, size_t len);
NV_PMEM_API void *pmem_memset_nodrain(void *pmemdest, int c, size_t len);

NV_PMEM_API const char *pmem_check_version(unsigned major_required, unsigned minor_required);
NV_PMEM_API const char *pmem_errormsg(void);

#endif
