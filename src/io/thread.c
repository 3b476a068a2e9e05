/* SPDX-License-Identifier: MIT */
/* Owns what the file plane knows of each thread. Read by the public functions, set by the stack. */
#include "src/io/thread.h"

__thread struct nv_io_thread nv_io_thread __attribute__((tls_model("initial-exec")));
