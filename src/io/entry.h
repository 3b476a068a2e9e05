/* SPDX-License-Identifier: MIT */
/* A file's entry in its folder: its name, which the file's own data and metadata know nothing of. */
#ifndef NV_IO_ENTRY_H
#define NV_IO_ENTRY_H

#include "src/io/file.h"

/*
 * Makes the name of the file or folder durable, unless this object has done so since it was last named. Its data has
 * been flushed before: so that a file system with a journal, which took the name along, has nothing left to do.
 *
 * A folder that may not be read cannot be flushed. Then an object that gave the file its name flushes the whole volume;
 * one that only opened it leaves the name to whoever gave it.
 */
NTSTATUS nv_entry_flush(struct nv_file *file);

/* Forgets the failure that stands between the name and its being durable: the folder's. */
void nv_entry_forget(struct nv_file *file);

#endif
