/* SPDX-License-Identifier: MIT */
/* The statuses of failed flushes, by errno. */
#include "src/os/os.h"
#include "tests/support/memory.h"

#include <errno.h>
#include <sys/mman.h>

static void statuses(void **state)
{
    (void)state;
    static const struct {
        int error;
        NTSTATUS status;
    } rows[] = {
        {EIO, STATUS_IO_DEVICE_ERROR},
        {ENOSPC, STATUS_DISK_FULL},
        {EDQUOT, STATUS_DISK_FULL},
        {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
        {EPERM, STATUS_ACCESS_DENIED},
        {EACCES, STATUS_ACCESS_DENIED},
        {EBADF, STATUS_INVALID_HANDLE},
        {EINVAL, STATUS_INVALID_DEVICE_REQUEST},
        {ENODEV, STATUS_VOLUME_DISMOUNTED},
        {ENXIO, STATUS_VOLUME_DISMOUNTED},
        {ESTALE, STATUS_VOLUME_DISMOUNTED},
        {ESHUTDOWN, STATUS_VOLUME_DISMOUNTED},
        {EFAULT, STATUS_ACCESS_VIOLATION},
        {ENOMEM, STATUS_INSUFFICIENT_RESOURCES},
        {EOPNOTSUPP, STATUS_NOT_SUPPORTED},
        {EPIPE, STATUS_PIPE_BROKEN},
        {ENOTCONN, STATUS_VOLUME_DISMOUNTED},
        {ENOMEDIUM, STATUS_VOLUME_DISMOUNTED},
        {ENODATA, STATUS_DEVICE_DATA_ERROR},
        {EREMOTEIO, STATUS_IO_DEVICE_ERROR},
        {ETIMEDOUT, STATUS_IO_DEVICE_ERROR},
        {EUCLEAN, STATUS_IO_DEVICE_ERROR},
        {ECONNABORTED, STATUS_VOLUME_DISMOUNTED},
        {EILSEQ, STATUS_DEVICE_DATA_ERROR},
        {ENOLINK, STATUS_IO_DEVICE_ERROR},
        {EXFULL, STATUS_UNSUCCESSFUL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_status(nv_os_status(-rows[i].error), rows[i].status);
}

/* Where a path is concerned; the rest is as above. */
static void path_statuses(void **state)
{
    (void)state;
    static const struct {
        int error;
        NTSTATUS status;
    } rows[] = {
        {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},  {ENOTDIR, STATUS_OBJECT_PATH_NOT_FOUND},
        {EEXIST, STATUS_OBJECT_NAME_COLLISION},  {EISDIR, STATUS_FILE_IS_A_DIRECTORY},
        {ENOTEMPTY, STATUS_DIRECTORY_NOT_EMPTY}, {EXDEV, STATUS_NOT_SAME_DEVICE},
        {ENAMETOOLONG, STATUS_NAME_TOO_LONG},    {ELOOP, STATUS_OBJECT_NAME_INVALID},
        {EILSEQ, STATUS_OBJECT_NAME_INVALID},    {EMFILE, STATUS_TOO_MANY_OPENED_FILES},
        {ENFILE, STATUS_TOO_MANY_OPENED_FILES},  {ETXTBSY, STATUS_SHARING_VIOLATION},
        {EBUSY, STATUS_SHARING_VIOLATION},       {EINVAL, STATUS_INVALID_PARAMETER},
        {EFBIG, STATUS_FILE_TOO_LARGE},          {ENODEV, STATUS_NO_SUCH_DEVICE},
        {ENXIO, STATUS_NO_SUCH_DEVICE},          {ESPIPE, STATUS_ILLEGAL_FUNCTION},
        {EIO, STATUS_IO_DEVICE_ERROR},           {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
        {EACCES, STATUS_ACCESS_DENIED},          {EXFULL, STATUS_UNSUCCESSFUL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_status(nv_os_path_status(-rows[i].error), rows[i].status);
}

/* No call of ours may change the program's errno. */
static void errno_is_left_alone(void **state)
{
    (void)state;
    struct statx file;
    errno = 12345;
    assert_int_equal(nv_os->open("/no/such/file"), -ENOENT);
    assert_int_equal(nv_os->statx("/no/such/file", &file), -ENOENT);
    assert_int_equal(nv_os->sync((void *)PAGE, PAGE), -ENOMEM);
    assert_int_equal(nv_os->check_mapped((void *)PAGE, PAGE), -ENOMEM);
    assert_int_equal(nv_os->read(-1, &file, 1), -EBADF);
    assert_int_equal(nv_os->sync_file(-1, true), -EBADF);
    assert_int_equal(nv_os->sync_volume(-1), -EBADF);
    assert_int_equal(nv_os->write_back(-1), -EBADF);
    assert_int_equal(nv_os->drop_pages(-1), -EBADF);
    assert_int_equal(nv_os->alive(-1), -EBADF);
    assert_int_equal(nv_os->unread(-1), -EBADF);
    assert_int_equal(nv_os->await_hangup(-1, 0), 0); /* poll() leaves what is no descriptor out */
    assert_int_equal(nv_os->drain_terminal(-1), -EBADF);
    assert_int_equal(nv_os->map(0, PAGE, PROT_READ, MAP_SHARED, -1, 0), -EBADF);
    assert_int_equal(nv_os->unmap(1, PAGE), -EINVAL);
    assert_int_equal(nv_os->memory_file(UINT64_MAX), -EINVAL);
    nv_os->close(-1);
    assert_null(nv_os->reserve(SIZE_MAX / 2));
    assert_int_equal(errno, 12345);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses),
        cmocka_unit_test(path_statuses),
        cmocka_unit_test(errno_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
