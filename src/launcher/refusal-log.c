/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/refusal-log.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/id.h"

void refusal_log_end(struct refusal_log *log)
{
    if (log->suppressed > 0)
        log_warning("%" PRIu64 " more refusals like these suppressed", log->suppressed);
    *log = (struct refusal_log){0};
}

usec_t refusal_log_due(const struct refusal_log *log)
{
    return log->suppressed > 0 ? log->since + REFUSAL_LOG_WHILE : USEC_INFINITY;
}

void refusal_log_tick(struct refusal_log *log, usec_t now)
{
    if (now >= refusal_log_due(log))
        refusal_log_end(log);
}

void refusal_log_add(struct refusal_log *log, enum log_level level, const char *message,
                     const char *group, const struct id *id, const struct error *why, usec_t now)
{
    char text[ID_TEXT_MAX];

    if (log->lines == 0 || now >= log->since + REFUSAL_LOG_WHILE) {
        refusal_log_end(log);
        log->since = now;
    }
    if (log->lines == REFUSAL_LOG_LINES) {
        log->suppressed++;
        return;
    }
    log->lines++;
    log_event(level, message, LOG_TEXT("job", id ? id_format(id, text) : NULL),
              LOG_TEXT("group", group), LOG_TEXT("error", why->text));
}
