/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/control.h"

#include <errno.h>
#include <stdbool.h>

/* The value: bits 0 … 6 the signal, 7 … 30 the grace; the sign bit is never set. */
#define SIGNAL_BITS 7
#define SIGNAL_MASK ((1 << SIGNAL_BITS) - 1)

#define SIGNAL_MAX 64 /* _NSIG: signal(7) */

static bool signal_is_valid(int signal)
{
    return signal >= 1 && signal <= SIGNAL_MAX;
}

static int grace_steps(usec_t grace)
{
    if (grace > CONTROL_GRACE_MAX)
        grace = CONTROL_GRACE_MAX;
    return (int)((grace + CONTROL_GRACE_STEP - 1) / CONTROL_GRACE_STEP);
}

int control_pack(const struct control_request *request, int *ret_signal, int *ret_value)
{
    int value = 0;

    if (request->op < 0 || request->op >= _CONTROL_OP_MAX)
        return -EINVAL;
    if (request->op != CONTROL_KILL) {
        if (!signal_is_valid(request->signal))
            return -EINVAL;
        value = request->signal;
    }
    if (request->op == CONTROL_STOP)
        value |= grace_steps(request->grace) << SIGNAL_BITS;
    *ret_signal = CONTROL_SIGNAL_FIRST + (int)request->op;
    *ret_value = value;
    return 0;
}

int control_parse(int signal, int value, struct control_request *ret)
{
    struct control_request request = {.op = (enum control_op)(signal - CONTROL_SIGNAL_FIRST)};
    int grace;

    if (signal < CONTROL_SIGNAL_FIRST || signal >= CONTROL_SIGNAL_FIRST + _CONTROL_OP_MAX ||
        value < 0)
        return -EINVAL;
    request.signal = value & SIGNAL_MASK;
    grace = value >> SIGNAL_BITS;
    request.grace = (usec_t)grace * CONTROL_GRACE_STEP;
    if (request.op == CONTROL_KILL ? value != 0 : !signal_is_valid(request.signal))
        return -EINVAL;
    if (request.op != CONTROL_STOP && grace != 0)
        return -EINVAL;
    *ret = request;
    return 0;
}
