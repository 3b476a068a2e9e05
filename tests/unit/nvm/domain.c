/* SPDX-License-Identifier: MIT */
/* Every row of the domain table, on machines that are made up: what statx, statfs, mountinfo, smaps and sysfs say. */
#include "src/nvm/domain.h"

#include "src/cpu/cpu.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

static struct statx file;
static unsigned long magic;

static int fake_statx(const char *path, struct statx *answer)
{
    (void)path;
    *answer = file;
    return file.stx_ino ? 0 : -ENOENT;
}

static int fake_statfs(const char *path, struct statfs *answer)
{
    (void)path;
    memset(answer, 0, sizeof(*answer));
    answer->f_type = (__typeof__(answer->f_type))magic;
    return 0;
}

static struct nv_segment segment_of(const char *path)
{
    struct nv_segment segment = {
        .start = (char *)0x10000, .end = (char *)0x12000, .device = makedev(259, 3), .inode = 77};
    strcpy(segment.path, path);
    return segment;
}

static void no_write_back(const void *address, size_t size_bytes)
{
    (void)address;
    (void)size_bytes;
}

/* A CPU that writes lines back; those that cannot have a test of their own. */
static const struct nv_cpu writing_lines = {.name = "test", .write_back = no_write_back};

static NVRTL_DOMAIN domain_on(struct nv_segment *segment, const struct fake_file *files, const char *forced)
{
    const struct fake_file environment[] = {{"NVRTL_DOMAIN", forced}, {NULL, NULL}};
    system_begin();
    system_now.files = files;
    system_now.statx = fake_statx;
    system_now.statfs = fake_statfs;
    system_now.environment = environment;
    nv_domain_find(segment);
    assert_int_equal(system_now.open_now, 0);
    system_end();
    assert_true(segment->reason[0] != 0);
    return segment->domain;
}

static void regular_file(uint64_t attributes, unsigned long type)
{
    file = (struct statx){.stx_ino = 77, .stx_dev_major = 259, .stx_dev_minor = 3, .stx_mode = S_IFREG | 0600};
    file.stx_attributes = attributes;
    magic = type;
}

#define SMAPS(flags)                                                                                                   \
    {                                                                                                                  \
        "/proc/self/smaps",                                                                                            \
            "00008000-00010000 rw-p 00000000 00:00 0\nVmFlags: rd wr mr\n"                                             \
            "00010000-00011000 rw-s 00000000 103:03 77   /mnt/f\nSize: 4 kB\nVmFlags: rd wr sh " flags "\n"            \
            "00011000-00013000 rw-s 00001000 103:03 77   /mnt/f\nVmFlags: rd wr sh sf\n"                               \
    }

static const struct fake_file nothing[] = {{NULL, NULL}};

static void files_on_a_disk(void **state)
{
    (void)state;
    struct nv_segment segment = segment_of("/mnt/f");
    regular_file(0, EXT4_SUPER_MAGIC);
    assert_int_equal(domain_on(&segment, nothing, NULL), NvrtlDomainPageCache);
}

static void file_systems_in_memory(void **state)
{
    (void)state;
    const unsigned long kinds[] = {TMPFS_MAGIC, RAMFS_MAGIC, HUGETLBFS_MAGIC};
    for (int i = 0; i < 3; i++) {
        struct nv_segment segment = segment_of("/mnt/f");
        regular_file(0, kinds[i]);
        assert_int_equal(domain_on(&segment, nothing, NULL), NvrtlDomainVolatile);
    }
}

static void memfd(void **state)
{
    (void)state;
    struct nv_segment segment = segment_of("/memfd:x (deleted)");
    segment.device = makedev(0, 1);
    file.stx_ino = 0;
    assert_int_equal(domain_on(&segment, nothing, NULL), NvrtlDomainVolatile);
}

static void direct_access(void **state)
{
    (void)state;
    const struct fake_file sync[] = {SMAPS("sf"), {NULL, NULL}};
    const struct fake_file half[] = {SMAPS("mr"), {NULL, NULL}};
    const struct fake_file cache[] = {
        SMAPS("sf"), {"/sys/dev/block/259:3/../../../persistence_domain", "cpu_cache\n"}, {NULL, NULL}};
    const struct fake_file controller[] = {
        SMAPS("sf"), {"/sys/dev/block/259:3/../persistence_domain", "memory_controller\n"}, {NULL, NULL}};
    struct nv_segment segment = segment_of("/mnt/f");
    regular_file(STATX_ATTR_DAX, EXT4_SUPER_MAGIC);
    assert_int_equal(domain_on(&segment, sync, NULL), NvrtlDomainCpuCache);
    assert_int_equal(domain_on(&segment, half, NULL), NvrtlDomainPageCache);
    assert_int_equal(domain_on(&segment, nothing, NULL), NvrtlDomainPageCache);
    assert_int_equal(domain_on(&segment, cache, NULL), NvrtlDomainMemory);
    assert_int_equal(domain_on(&segment, controller, NULL), NvrtlDomainCpuCache);
    assert_non_null(strstr(segment.reason, "memory_controller"));
}

static void device_dax(void **state)
{
    (void)state;
    const struct fake_file dax[] = {{"/sys/dev/char/252:1/subsystem", "../../../../bus/dax"}, {NULL, NULL}};
    const struct fake_file eadr[] = {{"/sys/dev/char/252:1/subsystem", "../../../../bus/dax"},
                                     {"/sys/dev/char/252:1/../../persistence_domain", "cpu_cache\n"},
                                     {NULL, NULL}};
    const struct fake_file other[] = {{"/sys/dev/char/252:1/subsystem", "../../class/drm"}, {NULL, NULL}};
    struct nv_segment segment = segment_of("/dev/dax0.0");
    regular_file(0, TMPFS_MAGIC); /* the node lives on devtmpfs */
    file.stx_mode = S_IFCHR | 0600;
    file.stx_rdev_major = 252;
    file.stx_rdev_minor = 1;
    assert_int_equal(domain_on(&segment, dax, NULL), NvrtlDomainCpuCache);
    assert_int_equal(domain_on(&segment, eadr, NULL), NvrtlDomainMemory);
    assert_int_equal(domain_on(&segment, other, NULL), NvrtlDomainPageCache);
}

/* The path leads nowhere, or to another file: mountinfo is asked by the device number, and the call never fails. */
static void paths_that_lead_elsewhere(void **state)
{
    (void)state;
    const struct fake_file tmpfs[] = {
        {"/proc/self/mountinfo",
         "22 28 0:20 / /sys rw - sysfs sysfs rw\n30 22 259:3 / /tmp rw,x shared:1 - tmpfs none rw\n"},
        {NULL, NULL}};
    const struct fake_file ext4[] = {{"/proc/self/mountinfo", "30 22 259:3 / /tmpfs rw - ext4 tmpfs rw\n"},
                                     {NULL, NULL}};
    struct nv_segment segment = segment_of("/tmp/f (deleted)");
    file.stx_ino = 0;
    assert_int_equal(domain_on(&segment, tmpfs, NULL), NvrtlDomainVolatile);
    assert_int_equal(domain_on(&segment, ext4, NULL), NvrtlDomainPageCache);
    assert_int_equal(domain_on(&segment, nothing, NULL), NvrtlDomainPageCache);
    const struct fake_file dax[] = {SMAPS("sf"), {NULL, NULL}};
    assert_int_equal(domain_on(&segment, dax, NULL), NvrtlDomainCpuCache); /* only DAX can be mapped so */
    regular_file(STATX_ATTR_DAX, TMPFS_MAGIC);
    file.stx_ino = 78;
    assert_int_equal(domain_on(&segment, ext4, NULL), NvrtlDomainPageCache);
}

static void forced(void **state)
{
    (void)state;
    for (int domain = 0; domain < 4; domain++) {
        struct nv_segment segment = segment_of("/mnt/f");
        regular_file(0, EXT4_SUPER_MAGIC);
        assert_int_equal(domain_on(&segment, nothing, NvrtlDomainName((NVRTL_DOMAIN)domain)), domain);
        assert_non_null(strstr(segment.reason, "forced"));
    }
    struct nv_segment segment = segment_of("/mnt/f");
    assert_int_equal(domain_on(&segment, nothing, "nonsense"), NvrtlDomainPageCache);
    assert_string_equal(NvrtlDomainName((NVRTL_DOMAIN)4), "unknown");
    assert_string_equal(NvrtlDomainName((NVRTL_DOMAIN)-1), "unknown");
}

/* The kernel has to write lines back: a flush by no instruction at all would promise what it does not do. */
static void cpu_without_write_back(void **state)
{
    (void)state;
    const struct fake_file controller[] = {
        SMAPS("sf"), {"/sys/dev/block/259:3/../persistence_domain", "memory_controller\n"}, {NULL, NULL}};
    const struct fake_file cache[] = {
        SMAPS("sf"), {"/sys/dev/block/259:3/../persistence_domain", "cpu_cache\n"}, {NULL, NULL}};
    struct nv_segment segment = segment_of("/mnt/f");
    regular_file(STATX_ATTR_DAX, EXT4_SUPER_MAGIC);
    nv_cpu = &nv_cpu_generic;
    assert_int_equal(domain_on(&segment, controller, NULL), NvrtlDomainPageCache);
    assert_non_null(strstr(segment.reason, "memory_controller"));
    assert_non_null(strstr(segment.reason, "msync"));
    assert_int_equal(domain_on(&segment, cache, NULL), NvrtlDomainMemory); /* nothing has to be written back */
    assert_int_equal(domain_on(&segment, nothing, "cpu-cache"), NvrtlDomainPageCache);
    nv_cpu = &writing_lines;
    assert_int_equal(domain_on(&segment, controller, NULL), NvrtlDomainCpuCache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_without_write_back),
        cmocka_unit_test(files_on_a_disk),
        cmocka_unit_test(file_systems_in_memory),
        cmocka_unit_test(memfd),
        cmocka_unit_test(direct_access),
        cmocka_unit_test(device_dax),
        cmocka_unit_test(paths_that_lead_elsewhere),
        cmocka_unit_test(forced),
    };
    nv_cpu = &writing_lines;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
