/* SPDX-License-Identifier: MIT */
/* Keeps the workload and the model in step. The tests that end in good order call it. */
#include "tests/verified/follow.h"
#include "tests/verified/compare.h"
#include "tests/verified/report.h"

#include <sys/wait.h>

void follow_operation(struct session *session, struct model *model, const struct operation *operation)
{
    int64_t result;

    session_send(session, operation);
    if (!session_hear(session, &result))
        session_fail("the workload is gone");
    if (result) {
        session_show(operation);
        session_fail("the operation failed: %lx", (long)result);
    }
    model_apply(model, operation);
}

void follow_end(struct session *session, struct model *model)
{
    struct operation operation = {.kind = OP_EXIT};
    int status, expected;

    session_send(session, &operation);
    status = session_end(session);
    model_persist_caches(model);
    expected = report_compare(model, session->report);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
        session_fail("nvrtl ended with %x, and must end with %d", status, expected);
    compare_view(model, session->files);
}
