/* SPDX-License-Identifier: MIT */
/* Objects and handles: references, and lookups that race with closes. */
#include "src/io/object.h"
#include "tests/support/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct thing {
    struct nv_object object;
    uint64_t content; /* CONTENT as long as it lives */
    int closed;
};

#define CONTENT 0x600dc0de600dc0deu

static atomic_long alive;

static void closed(struct nv_object *object)
{
    ((struct thing *)(void *)object)->closed++;
}

static void destroy(struct nv_object *object)
{
    struct thing *thing = (struct thing *)(void *)object;
    if (thing->content != CONTENT || thing->closed > 1)
        abort();
    memset(thing, 0xdd, sizeof(*thing));
    free(thing);
    atomic_fetch_sub(&alive, 1);
}

static const struct nv_object_type thing_type = {.name = "Thing", .closed = closed, .destroy = destroy};
static const struct nv_object_type other_type = {.name = "Other", .closed = closed, .destroy = destroy};

static struct thing *new_thing(void)
{
    struct thing *thing = calloc(1, sizeof(*thing));
    if (nv_object_begin(&thing->object, &thing_type) != STATUS_SUCCESS)
        abort();
    thing->content = CONTENT;
    atomic_fetch_add(&alive, 1);
    return thing;
}

static void references(void **state)
{
    (void)state;
    struct nv_object *found;
    ACCESS_MASK granted;
    struct thing *thing = new_thing();
    HANDLE handle = thing->object.handle;
    assert_status(nv_handle_reference(handle, NULL, &found, &granted), STATUS_INVALID_HANDLE);
    assert_status(nv_handle_close(handle), STATUS_INVALID_HANDLE);
    assert_ptr_equal(nv_handle_open(&thing->object, 0x1234), handle);
    assert_status(nv_handle_reference(handle, &thing_type, &found, &granted), STATUS_SUCCESS);
    assert_ptr_equal(found, thing);
    assert_int_equal(granted, 0x1234);
    assert_status(nv_handle_reference(handle, &other_type, &found, &granted), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(nv_handle_reference(handle, NULL, &found, &granted), STATUS_SUCCESS);
    nv_object_release(found);
    assert_status(nv_handle_close(handle), STATUS_SUCCESS);
    assert_status(nv_handle_close(handle), STATUS_INVALID_HANDLE);
    assert_status(nv_handle_reference(handle, NULL, &found, &granted), STATUS_INVALID_HANDLE);
    assert_int_equal(thing->closed, 1);
    assert_int_equal(alive, 1);
    nv_object_reference(&thing->object);
    nv_object_release(&thing->object);
    assert_int_equal(alive, 1);
    nv_object_release(&thing->object);
    assert_int_equal(alive, 0);
    assert_int_equal(nv_object_count(), 0);
}

/* One that never got a handle. */
static void without_handle(void **state)
{
    (void)state;
    struct thing *thing = new_thing();
    nv_object_release(&thing->object);
    assert_int_equal(alive, 0);
    assert_int_equal(nv_object_count(), 0);
}

/* -- races -- */

#define HANDLES 4
#define USERS 4
#define RENEWALS 30000

static _Atomic(HANDLE) handles[HANDLES];
static atomic_bool stop;
static atomic_long found_some, found_none;

static void *use(void *argument)
{
    (void)argument;
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        struct nv_object *object;
        ACCESS_MASK granted;
        HANDLE handle = atomic_load(&handles[i % HANDLES]);
        NTSTATUS status = nv_handle_reference(handle, &thing_type, &object, &granted);
        if (status == STATUS_INVALID_HANDLE) {
            atomic_fetch_add(&found_none, 1);
            continue;
        }
        if (status != STATUS_SUCCESS || ((struct thing *)(void *)object)->content != CONTENT ||
            object->handle != handle || granted != 7)
            abort();
        atomic_fetch_add(&found_some, 1);
        nv_object_release(object);
    }
    return NULL;
}

/* Closes handles under their users; each slot is soon another's. */
static void *renew(void *argument)
{
    uintptr_t own = (uintptr_t)argument;
    for (unsigned i = 0; i < RENEWALS; i++) {
        HANDLE handle = nv_handle_open(&new_thing()->object, 7);
        handle = atomic_exchange(&handles[(i + own) % HANDLES], handle);
        if (handle && nv_handle_close(handle) != STATUS_SUCCESS)
            abort();
    }
    return NULL;
}

static void closed_in_use(void **state)
{
    (void)state;
    pthread_t users[USERS], renewers[2];
    for (int i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&users[i], NULL, use, NULL), 0);
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&renewers[i], NULL, renew, (void *)i), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(renewers[i], NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < USERS; i++)
        pthread_join(users[i], NULL);
    for (int i = 0; i < HANDLES; i++)
        assert_status(nv_handle_close(atomic_load(&handles[i])), STATUS_SUCCESS);
    print_message("%ld found, %ld not\n", found_some, found_none);
    assert_int_equal(alive, 0);
    assert_int_equal(nv_object_count(), 0);
}

/* Two threads close the same handles in the same order: each is closed by one of them. */
#define CLOSED 2000

static HANDLE same[CLOSED];
static atomic_int ready;

static void *close_all(void *argument)
{
    intptr_t count = 0;
    (void)argument;
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2)
        continue;
    for (int i = 0; i < CLOSED; i++)
        count += nv_handle_close(same[i]) == STATUS_SUCCESS;
    return (void *)count;
}

static void closed_twice_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        void *theirs;
        for (int i = 0; i < CLOSED; i++)
            same[i] = nv_handle_open(&new_thing()->object, 0);
        atomic_store(&ready, 0);
        assert_int_equal(pthread_create(&thread, NULL, close_all, NULL), 0);
        intptr_t ours = (intptr_t)close_all(NULL);
        pthread_join(thread, &theirs);
        assert_int_equal(ours + (intptr_t)theirs, CLOSED);
    }
    assert_int_equal(alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(without_handle),
        cmocka_unit_test(closed_in_use),
        cmocka_unit_test(closed_twice_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
