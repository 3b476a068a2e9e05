/* SPDX-License-Identifier: MIT */
/*
 * The C library's functions that store: the program's own calls of them come here (ld --wrap), are told, and go on.
 * What is told of a string is what it will store.
 */
#include "compat/stores/hooks.h"

#include <string.h>

#define DECLARE(result, name, ...)                                                                                     \
    result __real_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__);                                                                                 \
    NV_HOOK result __wrap_##name(__VA_ARGS__)

#define RETURN_STORED(destination, call)                                                                               \
    do {                                                                                                               \
        __typeof__(call) nv_result = (call);                                                                           \
        NV_STORED(destination);                                                                                        \
        return nv_result;                                                                                              \
    } while (0)

DECLARE(void *, memcpy, void *destination, const void *source, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real_memcpy(destination, source, size_bytes));
}

DECLARE(void *, memmove, void *destination, const void *source, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real_memmove(destination, source, size_bytes));
}

DECLARE(void *, mempcpy, void *destination, const void *source, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real_mempcpy(destination, source, size_bytes));
}

DECLARE(void *, memset, void *destination, int value, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real_memset(destination, value, size_bytes));
}

DECLARE(char *, strcpy, char *destination, const char *source)
{
    NV_SEE_STORE(destination, strlen(source) + 1);
    RETURN_STORED(destination, __real_strcpy(destination, source));
}

DECLARE(char *, stpcpy, char *destination, const char *source)
{
    NV_SEE_STORE(destination, strlen(source) + 1);
    RETURN_STORED(destination, __real_stpcpy(destination, source));
}

DECLARE(char *, strncpy, char *destination, const char *source, size_t size_bytes)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real_strncpy(destination, source, size_bytes));
}

DECLARE(char *, strcat, char *destination, const char *source)
{
    NV_SEE_STORE(destination + strlen(destination), strlen(source) + 1);
    RETURN_STORED(destination, __real_strcat(destination, source));
}

DECLARE(void *, __memcpy_chk, void *destination, const void *source, size_t size_bytes, size_t room)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real___memcpy_chk(destination, source, size_bytes, room));
}

DECLARE(void *, __memmove_chk, void *destination, const void *source, size_t size_bytes, size_t room)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real___memmove_chk(destination, source, size_bytes, room));
}

DECLARE(void *, __memset_chk, void *destination, int value, size_t size_bytes, size_t room)
{
    NV_SEE_STORE(destination, size_bytes);
    RETURN_STORED(destination, __real___memset_chk(destination, value, size_bytes, room));
}

DECLARE(char *, __strcpy_chk, char *destination, const char *source, size_t room)
{
    NV_SEE_STORE(destination, strlen(source) + 1);
    RETURN_STORED(destination, __real___strcpy_chk(destination, source, room));
}
