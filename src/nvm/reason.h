/* SPDX-License-Identifier: MIT */
/* Texts that live as long as the process. */
#ifndef NV_REASON_H
#define NV_REASON_H

/* A lasting copy of the text, the same one for equal texts; "" when there is no memory for it. */
const char *nv_reason_keep(const char *text);

#endif
