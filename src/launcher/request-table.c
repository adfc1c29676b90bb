/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/request-table.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/state.h"

#define GREETING   STATE_BIT(CONNECTION_GREETING)
#define SETTING_UP STATE_BIT(CONNECTION_SETTING_UP)
#define READY      STATE_BIT(CONNECTION_READY)

#define SMALL 512 /* bytes: every request but Spawn fits with room to spare */

static const struct request_rule {
    uint32_t states; /* in which it is legal */
    size_t size_max;
    size_t fd_count; /* exactly so many come with it */
    launcher_answer_fn *answer;
} request_rules[] = {
    [LAUNCHER_REQUEST_HELLO] = {GREETING, SMALL, 0, launcher_answer_hello},
    [LAUNCHER_REQUEST_LISTEN] = {SETTING_UP, SMALL, 0, launcher_answer_listen},
    [LAUNCHER_REQUEST_READY] = {SETTING_UP, SMALL, LAUNCHER_READY_FDS, launcher_answer_ready},
    [LAUNCHER_REQUEST_SPAWN] = {READY, LAUNCHER_REQUEST_MAX, LAUNCHER_SPAWN_FDS,
                                launcher_answer_spawn},
    [LAUNCHER_REQUEST_KILL] = {SETTING_UP | READY, SMALL, 0, launcher_answer_kill},
    [LAUNCHER_REQUEST_REMOVE] = {SETTING_UP | READY, SMALL, 0, launcher_answer_remove},
    [LAUNCHER_REQUEST_LIST_GROUPS] = {SETTING_UP | READY, SMALL, 0, launcher_answer_list_groups},
    [LAUNCHER_REQUEST_FIND] = {SETTING_UP | READY, SMALL, 0, launcher_answer_find},
    [LAUNCHER_REQUEST_LIST_TASKS] = {SETTING_UP | READY, SMALL, 0, launcher_answer_list_tasks},
};

static_assert(ARRAY_SIZE(request_rules) == _LAUNCHER_REQUEST_MAX, "each request has a rule");

static const char *const state_names[] = {
    [CONNECTION_GREETING] = "GREETING",
    [CONNECTION_SETTING_UP] = "SETTING_UP",
    [CONNECTION_READY] = "READY",
};

static_assert(ARRAY_SIZE(state_names) == _CONNECTION_STATE_MAX, "each state has a name");

const char *connection_state_name(enum connection_state state)
{
    return state_names[state];
}

int request_table_check(enum connection_state state, enum launcher_request_type type, size_t size,
                        size_t fd_count, struct error *err)
{
    const struct request_rule *rule = &request_rules[type];

    if (!(rule->states & STATE_BIT(state)))
        return error_set(err, -EPROTO, "%s is not legal in the state %s",
                         launcher_request_name(type), state_names[state]);
    if (size > rule->size_max)
        return error_set(err, -EPROTO, "a %s of %zu bytes, at most %zu are legal",
                         launcher_request_name(type), size, rule->size_max);
    if (fd_count != rule->fd_count)
        return error_set(err, -EPROTO, "a %s with %zu descriptors instead of %zu",
                         launcher_request_name(type), fd_count, rule->fd_count);
    return 0;
}

launcher_answer_fn *request_table_answer(enum launcher_request_type type)
{
    return request_rules[type].answer;
}

enum connection_state request_table_next(enum connection_state state,
                                         enum launcher_request_type type)
{
    switch (type) {
    case LAUNCHER_REQUEST_HELLO:
        return CONNECTION_SETTING_UP;
    case LAUNCHER_REQUEST_READY:
        return CONNECTION_READY;
    case LAUNCHER_REQUEST_LISTEN:
    case LAUNCHER_REQUEST_SPAWN:
    case LAUNCHER_REQUEST_KILL:
    case LAUNCHER_REQUEST_REMOVE:
    case LAUNCHER_REQUEST_LIST_GROUPS:
    case LAUNCHER_REQUEST_FIND:
    case LAUNCHER_REQUEST_LIST_TASKS:
    case _LAUNCHER_REQUEST_MAX:
    default:
        return state;
    }
}
