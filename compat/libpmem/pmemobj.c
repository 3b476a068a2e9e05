/* SPDX-License-Identifier: MIT */
/*
 * libpmemobj.so.1 for verified runs: it stands before the real one, which it needs, and tells the verifier which bytes
 * of a pool are locks and volatile variables. Programs call it, and so does libpmemobj itself.
 *
 * Such bytes lie anywhere in a program's objects, are of the process that has the pool open, and are never flushed;
 * nothing in the pool tells them from data.
 */
#include <nvrtl/verifier.h>

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define API __attribute__((visibility("default")))
#define LOCK_BYTES ((size_t)64)    /* of every kind */
#define RUN_BYTES sizeof(uint64_t) /* of what tells whether a variable is of this run */
#define TOLD ((size_t)4096)

/* What was told lately, so that it is not told at each use. Another pool may come to lie at the same addresses. */
static _Atomic uintptr_t told[TOLD];

static void forget_told(void)
{
    for (size_t i = 0; i < TOLD; i++)
        atomic_store_explicit(&told[i], 0, memory_order_relaxed);
}

static void tell(const void *start, size_t size_bytes)
{
    uintptr_t address = (uintptr_t)start;
    size_t slot = (address >> 3 ^ address >> 15) % TOLD;
    if (atomic_exchange_explicit(&told[slot], address, memory_order_relaxed) != address)
        NvrtlIgnore(start, size_bytes);
}

/* The real library's function of that name. */
static void *next(void *_Atomic *kept, const char *name)
{
    void *function = atomic_load_explicit(kept, memory_order_relaxed);
    if (!function) {
        function = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(kept, function, memory_order_relaxed);
    }
    return function;
}

#define NEXT(type)                                                                                                     \
    static void *_Atomic kept;                                                                                         \
    type *real = (type *)next(&kept, __func__)

/* -- locks -- */

typedef int use(void *pool, void *lock);
typedef int use_until(void *pool, void *lock, const struct timespec *end);

#define DEFINE_USE(name)                                                                                               \
    API use name;                                                                                                      \
    int name(void *pool, void *lock)                                                                                   \
    {                                                                                                                  \
        NEXT(use);                                                                                                     \
        tell(lock, LOCK_BYTES);                                                                                        \
        return real(pool, lock);                                                                                       \
    }

#define DEFINE_USE_UNTIL(name)                                                                                         \
    API use_until name;                                                                                                \
    int name(void *pool, void *lock, const struct timespec *end)                                                       \
    {                                                                                                                  \
        NEXT(use_until);                                                                                               \
        tell(lock, LOCK_BYTES);                                                                                        \
        return real(pool, lock, end);                                                                                  \
    }

DEFINE_USE(pmemobj_mutex_lock)
DEFINE_USE(pmemobj_mutex_trylock)
DEFINE_USE(pmemobj_mutex_unlock)
DEFINE_USE_UNTIL(pmemobj_mutex_timedlock)
DEFINE_USE(pmemobj_rwlock_rdlock)
DEFINE_USE(pmemobj_rwlock_wrlock)
DEFINE_USE(pmemobj_rwlock_tryrdlock)
DEFINE_USE(pmemobj_rwlock_trywrlock)
DEFINE_USE(pmemobj_rwlock_unlock)
DEFINE_USE_UNTIL(pmemobj_rwlock_timedrdlock)
DEFINE_USE_UNTIL(pmemobj_rwlock_timedwrlock)
DEFINE_USE(pmemobj_cond_signal)
DEFINE_USE(pmemobj_cond_broadcast)

typedef int wait_for(void *pool, void *condition, void *mutex);
typedef int wait_until(void *pool, void *condition, void *mutex, const struct timespec *end);
API wait_for pmemobj_cond_wait;
API wait_until pmemobj_cond_timedwait;

int pmemobj_cond_wait(void *pool, void *condition, void *mutex)
{
    NEXT(wait_for);
    tell(condition, LOCK_BYTES);
    return real(pool, condition, mutex);
}

int pmemobj_cond_timedwait(void *pool, void *condition, void *mutex, const struct timespec *end)
{
    NEXT(wait_until);
    tell(condition, LOCK_BYTES);
    return real(pool, condition, mutex, end);
}

/* -- variables -- */

typedef int construct(void *variable, void *argument);
typedef void *use_volatile(void *pool, void *run, void *variable, size_t size, construct *constructor, void *argument);
API use_volatile pmemobj_volatile;

void *pmemobj_volatile(void *pool, void *run, void *variable, size_t size, construct *constructor, void *argument)
{
    NEXT(use_volatile);
    tell(run, RUN_BYTES);
    tell(variable, size);
    return real(pool, run, variable, size, constructor, argument);
}

/* -- pools -- */

typedef void *open_pool(const char *path, const char *layout);
typedef void *create_pool(const char *path, const char *layout, size_t size, mode_t mode);
API open_pool pmemobj_open;
API create_pool pmemobj_create;

void *pmemobj_open(const char *path, const char *layout)
{
    NEXT(open_pool);
    forget_told();
    return real(path, layout);
}

void *pmemobj_create(const char *path, const char *layout, size_t size, mode_t mode)
{
    NEXT(create_pool);
    forget_told();
    return real(path, layout, size, mode);
}
