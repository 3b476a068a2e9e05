/* SPDX-License-Identifier: MIT */
/* Keepers: see keep, write_pages, end_keeper and forget_keeper in os.h. */
#ifndef NV_KEEPER_H
#define NV_KEEPER_H

#include "src/os/os.h"

int nv_keeper_start(struct nv_os_file *file, struct nv_os_keeper **keeper);
int nv_keeper_write(struct nv_os_keeper *keeper, const struct nv_os_pages *pages);
void nv_keeper_end(struct nv_os_keeper *keeper);
void nv_keeper_forget(struct nv_os_keeper *keeper);

#endif
