/* SPDX-License-Identifier: MIT */
/*
 * Writes the label area of a guest's module, and reads it back: QEMU has that area written by libpmem.
 * usage: label /dev/nmemN
 */
#include <fcntl.h>
#include <linux/ndctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum { OFFSET = 4096, BYTES = 1000 };

static const char text[] = "a label, written by the guest";

int main(int argc, char **argv)
{
    union {
        struct nd_cmd_set_config_hdr set;
        struct nd_cmd_get_config_data_hdr get;
        char bytes[sizeof(struct nd_cmd_get_config_data_hdr) + BYTES + sizeof(__u32)];
    } call;
    int module = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

    memset(&call, 0, sizeof call);
    call.set.in_offset = OFFSET;
    call.set.in_length = BYTES;
    memcpy(call.set.in_buf, text, sizeof text);
    if (ioctl(module, ND_IOCTL_SET_CONFIG_DATA, &call) != 0) {
        perror("it cannot be written");
        return 1;
    }
    memset(&call, 0, sizeof call);
    call.get.in_offset = OFFSET;
    call.get.in_length = BYTES;
    if (ioctl(module, ND_IOCTL_GET_CONFIG_DATA, &call) != 0 || call.get.status != 0) {
        perror("it cannot be read");
        return 1;
    }
    return memcmp(call.get.out_buf, text, sizeof text) != 0;
}
