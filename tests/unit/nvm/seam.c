/* SPDX-License-Identifier: MIT */
/* What the constructor chooses by the environment, and what a token over several domains is bound to. */
#include "src/nvm/seam.h"

#include "src/nvm/engines.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct nv_segment segments[3];

static const struct nv_engine *bound_to(NVRTL_DOMAIN a, NVRTL_DOMAIN b, NVRTL_DOMAIN c)
{
    struct nv_region region = {0};
    const NVRTL_DOMAIN domains[] = {a, b, c};
    for (int i = 0; i < 3; i++)
        segments[i] = (struct nv_segment){.domain = domains[i], .inode = 5};
    assert_status(nv_seam->bind(&region, segments, 3), STATUS_SUCCESS);
    region.engine->release(&region, NULL);
    return region.engine;
}

static void mixed_domains(void **state)
{
    (void)state;
    const NVRTL_DOMAIN V = NvrtlDomainVolatile, P = NvrtlDomainPageCache, C = NvrtlDomainCpuCache,
                       M = NvrtlDomainMemory;
    assert_ptr_equal(bound_to(V, V, V), &nv_engine_volatile);
    assert_ptr_equal(bound_to(V, M, V), &nv_engine_memory);
    assert_ptr_equal(bound_to(M, C, V), &nv_engine_cpu_cache);
    assert_ptr_equal(bound_to(C, V, P), &nv_engine_page_cache);
    assert_ptr_equal(bound_to(P, M, C), &nv_engine_page_cache);
}

static char loaded[2][64];
static int loads;
static struct nv_seam other = {.version = NV_SEAM_VERSION, .verified = true};
static bool refuse_to_serve;

static const struct nv_seam *entry(const struct nv_runtime *runtime)
{
    assert_int_equal(runtime->version, NV_SEAM_VERSION);
    assert_non_null(runtime->plain);
    assert_non_null(runtime->resolve);
    return refuse_to_serve ? NULL : &other;
}

static const char *loads_only;

static void *fake_load(const char *library)
{
    strncpy(loaded[loads++ % 2], library, 63);
    return loads_only && strcmp(library, loads_only) == 0 ? (void *)1 : NULL;
}

static bool without_entry;

static void *fake_symbol(void *library, const char *name)
{
    assert_ptr_equal(library, (void *)1);
    assert_string_equal(name, "nvrtl_verifier_seam");
    const struct nv_seam *(*function)(const struct nv_runtime *) = entry;
    return without_entry ? NULL : *(void **)&function;
}

static int supervisor_answers = -EINVAL;

static int fake_supervisor(unsigned what)
{
    assert_int_equal(what, NV_OS_WISH_LIBRARY);
    return supervisor_answers < 0 ? supervisor_answers : dup(supervisor_answers);
}

static const struct nv_seam *chosen(const char *verifier, const char *path, const char *domain)
{
    const struct fake_file environment[] = {
        {"NVRTL_VERIFIER", verifier}, {"NVRTL_VERIFIER_PATH", path}, {"NVRTL_DOMAIN", domain}, {NULL, NULL}};
    system_begin();
    system_now.environment = environment;
    system_now.load = fake_load;
    system_now.symbol = fake_symbol;
    system_now.supervisor = fake_supervisor;
    loads = 0;
    const struct nv_seam *seam = nv_seam_choose();
    system_end();
    return seam;
}

static void not_verified(void **state)
{
    (void)state;
    assert_ptr_equal(chosen(NULL, NULL, NULL), nv_seam);
    assert_ptr_equal(chosen("0", "/v", NULL), nv_seam); /* not the supervisor's, nor without one */
    assert_int_equal(loads, 0);
    assert_true(chosen(NULL, NULL, "memory")->forced);
    assert_ptr_equal(chosen(NULL, NULL, "nonsense"), nv_seam);
}

static void verified(void **state)
{
    (void)state;
    loads_only = "/v/libnvrtl-verifier.so";
    assert_ptr_equal(chosen("@socket", "/v", "memory"), &other);
    assert_int_equal(loads, 1);
    assert_ptr_equal(chosen("1,fail-sync=2", "/v", NULL), &other); /* without a supervisor */
    assert_int_equal(loads, 1);
    loads_only = "libnvrtl-verifier.so";
    assert_ptr_equal(chosen("@socket", NULL, NULL), &other);
    assert_ptr_equal(chosen("@socket", "/elsewhere", NULL), &other);
    assert_int_equal(loads, 2);
}

/* By the descriptor that the supervisor gives: under the library's name, or, with another root, as it is. */
static void verified_whatever_the_environment_says(void **state)
{
    (void)state;
    supervisor_answers = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loads_only = "/dev/null";
    assert_ptr_equal(chosen(NULL, NULL, "memory"), &other);
    assert_int_equal(loads, 1);
    loads_only = NULL;
    assert_ptr_not_equal(chosen(NULL, NULL, NULL), nv_seam); /* verified, and without a verifier */
    assert_int_equal(loads, 2);
    assert_int_equal(strncmp(loaded[1], "/proc/self/fd/", 14), 0);
    close(supervisor_answers);
    supervisor_answers = -ENOENT;
    assert_ptr_not_equal(chosen(NULL, NULL, NULL), nv_seam);
    supervisor_answers = -EINVAL;
    assert_ptr_equal(chosen(NULL, NULL, NULL), nv_seam);
}

static void expect_only_msync(void)
{
    struct nv_region region = {0};
    const struct nv_seam *seam = chosen("@socket", NULL, NULL);
    segments[0] = (struct nv_segment){.domain = NvrtlDomainMemory, .inode = 5};
    assert_status(seam->bind(&region, segments, 1), STATUS_SUCCESS);
    assert_ptr_equal(region.engine, &nv_engine_page_cache);
    region.engine->release(&region, NULL);
}

/* The verifier cannot serve: every token is bound to msync, which the supervisor sees. */
static void verifier_missing(void **state)
{
    (void)state;
    loads_only = NULL;
    expect_only_msync();
    loads_only = "libnvrtl-verifier.so";
    without_entry = true;
    expect_only_msync();
    without_entry = false;
    refuse_to_serve = true;
    expect_only_msync();
    refuse_to_serve = false;
    other.version = NV_SEAM_VERSION + 1;
    expect_only_msync();
    other.version = NV_SEAM_VERSION;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixed_domains),    cmocka_unit_test(not_verified),
        cmocka_unit_test(verified),         cmocka_unit_test(verified_whatever_the_environment_says),
        cmocka_unit_test(verifier_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
