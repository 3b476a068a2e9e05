/* SPDX-License-Identifier: MIT */
/* Owns the driver at the bottom of every stack: one function for each major function. Called through a volume. */
#include "src/io/driver.h"
#include "src/io/volume.h"

#include <nvrtl/status.h>

static nv_request_function *const serve[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
    [IRP_MJ_CREATE] = nv_driver_create,
    [IRP_MJ_READ] = nv_driver_read,
    [IRP_MJ_WRITE] = nv_driver_write,
    [IRP_MJ_QUERY_INFORMATION] = nv_driver_query_information,
    [IRP_MJ_SET_INFORMATION] = nv_driver_set_information,
    [IRP_MJ_QUERY_VOLUME_INFORMATION] = nv_driver_query_volume_information,
    [IRP_MJ_CLEANUP] = nv_driver_cleanup,
    [IRP_MJ_CLOSE] = nv_driver_close,
    [IRP_MJ_FLUSH_BUFFERS] = nv_driver_flush,
};

NTSTATUS nv_driver_serve(struct nv_request *request)
{
    nv_request_function *function = request->major <= IRP_MJ_MAXIMUM_FUNCTION ? serve[request->major] : NULL;
    return function ? function(request) : STATUS_INVALID_DEVICE_REQUEST;
}
