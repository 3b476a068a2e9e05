/* SPDX-License-Identifier: MIT */
/* One operation in the workload and in the model, and the end of both. */
#ifndef NV_TEST_FOLLOW_H
#define NV_TEST_FOLLOW_H

#include "tests/verified/session.h"

/* It must succeed. */
void follow_operation(struct session *session, struct model *model, const struct operation *operation);
/* An orderly end: the findings are the model's, and the files hold everything. */
void follow_end(struct session *session, struct model *model);

#endif
