/* SPDX-License-Identifier: MIT */
/* RtlNtStatusToDosError against the values in the reference, and for statuses it does not know. */
#include "tests/support/memory.h"

static void known_statuses(void **state)
{
    (void)state;
    static const struct {
        NTSTATUS status;
        ULONG error;
    } rows[] = {
        {STATUS_SUCCESS, 0},
        {STATUS_PENDING, 997},
        {STATUS_TIMEOUT, 258},
        {STATUS_BUFFER_TOO_SMALL, 122},
        {STATUS_NOT_FOUND, 1168},
        {STATUS_MORE_PROCESSING_REQUIRED, 234},
        {STATUS_FLT_DO_NOT_ATTACH, 317},
        {STATUS_NOT_IMPLEMENTED, 1},
        {STATUS_INFO_LENGTH_MISMATCH, 24},
        {STATUS_ACCESS_VIOLATION, 998},
        {STATUS_IN_PAGE_ERROR, 999},
        {STATUS_INVALID_HANDLE, 6},
        {STATUS_INVALID_PARAMETER, 87},
        {STATUS_NO_SUCH_DEVICE, 433},
        {STATUS_INVALID_DEVICE_REQUEST, 1},
        {STATUS_END_OF_FILE, 38},
        {STATUS_NOT_MAPPED_VIEW, 487},
        {STATUS_INVALID_VIEW_SIZE, 5},
        {STATUS_INVALID_FILE_FOR_SECTION, 193},
        {STATUS_ACCESS_DENIED, 5},
        {STATUS_OBJECT_TYPE_MISMATCH, 6},
        {STATUS_OBJECT_NAME_INVALID, 123},
        {STATUS_OBJECT_NAME_NOT_FOUND, 2},
        {STATUS_OBJECT_NAME_COLLISION, 183},
        {STATUS_OBJECT_PATH_NOT_FOUND, 3},
        {STATUS_OBJECT_PATH_SYNTAX_BAD, 161},
        {STATUS_SHARING_VIOLATION, 32},
        {STATUS_QUOTA_EXCEEDED, 1816},
        {STATUS_FILE_LOCK_CONFLICT, 33},
        {STATUS_DELETE_PENDING, 5},
        {STATUS_NOT_SAME_DEVICE, 17},
        {STATUS_DIRECTORY_NOT_EMPTY, 145},
        {STATUS_CANNOT_DELETE, 5},
        {STATUS_EAS_NOT_SUPPORTED, 282},
        {STATUS_DISK_FULL, 112},
        {STATUS_INSUFFICIENT_RESOURCES, 1450},
        {STATUS_DEVICE_DATA_ERROR, 23},
        {STATUS_DEVICE_NOT_CONNECTED, 1167},
        {STATUS_MEDIA_WRITE_PROTECTED, 19},
        {STATUS_DEVICE_NOT_READY, 21},
        {STATUS_NOT_SUPPORTED, 50},
        {STATUS_INVALID_PARAMETER_1, 87},
        {STATUS_INVALID_PARAMETER_10, 87},
        {STATUS_MAPPED_FILE_SIZE_ZERO, 1006},
        {STATUS_IO_DEVICE_ERROR, 1117},
        {STATUS_MAPPED_ALIGNMENT, 1132},
        {STATUS_VOLUME_DISMOUNTED, 21},
        {STATUS_DEVICE_REMOVED, 1617},
        {STATUS_NOT_SUPPORTED_ON_DAX, 360},
        {STATUS_NOT_A_DAX_VOLUME, 420},
        {STATUS_NOT_DAX_MAPPABLE, 421},
        {STATUS_DISK_QUOTA_EXCEEDED, 1295},
        {STATUS_FILE_TOO_LARGE, 223},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(RtlNtStatusToDosError(rows[i].status), rows[i].error);
}

static void unknown_statuses(void **state)
{
    (void)state;
    static const ULONG unknown[] = {1,          0x7F000000, 0x40000000, 0x80000001,
                                    0xC0000007, 0xC00000EE, 0xC0000905, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(RtlNtStatusToDosError((NTSTATUS)unknown[i]), 317);
}

static void severity(void **state)
{
    (void)state;
    assert_true(NT_SUCCESS(STATUS_SUCCESS));
    assert_true(NT_SUCCESS(STATUS_PENDING));
    assert_false(NT_SUCCESS(STATUS_BUFFER_OVERFLOW));
    assert_false(NT_SUCCESS(STATUS_INVALID_PARAMETER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_statuses),
        cmocka_unit_test(unknown_statuses),
        cmocka_unit_test(severity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
