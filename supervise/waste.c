/* SPDX-License-Identifier: MIT */
/*
 * Places in the code whose flushes or drains had nothing to do, as verifiers counted them. Called when the run is
 * judged, if it was asked for.
 */
#include "supervise/told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Not where it happens now and then: a flush behind a condition, or of a value that sometimes stays the same, is as it
 * should be.
 */
static bool is_waste(uint32_t in_vain, uint32_t all)
{
    return in_vain && in_vain >= all - in_vain;
}

/* Where the findings go, and what they are told by. */
struct waste {
    const struct nv_ledger *ledger;
    struct nv_report *report;
};

static int report(const struct waste *waste, enum nv_rule rule, const char *what, uint32_t place, uint32_t in_vain,
                  uint32_t all)
{
    struct nv_finding *finding = nv_finding_new(rule, NV_SEVERITY_NOTE);

    if (!finding)
        return -ENOMEM;
    finding->count = in_vain;
    if (asprintf(&finding->message, what, in_vain, all) < 0)
        finding->message = NULL;
    finding->advice = strdup(nv_rule_advice(rule));
    if (finding->message && finding->advice && nv_judge_place(&finding->flush_stack, waste->ledger, place))
        return nv_report_add(waste->report, finding) ? 0 : -ENOMEM;
    nv_finding_free(finding);
    return -ENOMEM;
}

static int judge_place(const struct waste *waste, uint32_t number)
{
    const struct nv_ledger_place *place = &waste->ledger->place[number];
    uint32_t flushes = atomic_load(&place->flushes), redundant = atomic_load(&place->redundant);
    uint32_t drains = atomic_load(&place->drains), needless = atomic_load(&place->needless);
    int status = 0;

    if (is_waste(redundant, flushes))
        status =
            report(waste, NV_RULE_REDUNDANT_FLUSH,
                   "%u of %u flushes from here found nothing that was not flushed already", number, redundant, flushes);
    if (!status && is_waste(needless, drains))
        status = report(waste, NV_RULE_NEEDLESS_DRAIN,
                        "%u of %u drains from here came when the thread had flushed nothing since the last", number,
                        needless, drains);
    return status;
}

int nv_judge_waste(const struct nv_ledger *ledger, struct nv_report *report)
{
    const struct waste waste = {ledger, report};
    uint32_t places = atomic_load(&ledger->places);
    int status = 0;

    for (uint32_t i = 1; i <= places && i < NV_LEDGER_PLACES && !status; i++)
        if (atomic_load(&ledger->place[i].ready))
            status = judge_place(&waste, i);
    return status;
}
