/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/doctor.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "text/emitter.h"
#include "wire/launcher-messages.h"

/* In the order in which one would mend them. */
static const struct {
    const char *name;
    doctor_check_fn *run;
} doctor_checks[] = {
    {"kernel", check_kernel},
    {"cgroup-mount", check_cgroup_mount},
    {"cgroup-controllers", check_cgroup_controllers},
    {"delegation", check_delegation},
    {"namespaces", check_namespaces},
    {"user-namespaces", check_user_namespaces},
    {"seccomp", check_seccomp},
    {"landlock", check_landlock},
    {"pids", check_pids},
    {"inotify", check_inotify},
    {"state-directory", check_state_directory},
    {"state-disk", check_state_disk},
    {"hole-punching", check_hole_punching},
    {"sockets", check_sockets},
    {"certificate", check_certificate},
    {"client-ca", check_client_ca},
    {"revocations", check_revocations},
};

static_assert(ARRAY_SIZE(doctor_checks) <= DOCTOR_CHECKS_MAX, "there is room for each");

static const char *const result_names[_CHECK_RESULT_MAX] = {
    [CHECK_OK] = "ok",
    [CHECK_WARNING] = "warning",
    [CHECK_FAILED] = "failed",
    [CHECK_SKIPPED] = "skipped",
};

/* --- for the checks ------------------------------------------------------------------------------
 */

static void text_set(char **text, const char *format, va_list arguments)
{
    char *made = NULL;

    if (vasprintf(&made, format, arguments) < 0)
        return; /* no memory: the result stands without words */
    free(*text);
    *text = made;
}

void check_say(struct check *check, enum check_result result, const char *format, ...)
{
    va_list arguments;

    check->result = result;
    va_start(arguments, format);
    text_set(&check->text, format, arguments);
    va_end(arguments);
}

void check_mend(struct check *check, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    text_set(&check->mend, format, arguments);
    va_end(arguments);
}

/* --- the report ----------------------------------------------------------------------------------
 */

void doctor_report_done(struct doctor_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        free(report->checks[i].text);
        free(report->checks[i].mend);
    }
    report->count = 0;
}

void doctor_run(const struct doctor_facts *facts, struct doctor_report *ret)
{
    *ret = (struct doctor_report){.count = ARRAY_SIZE(doctor_checks)};
    for (size_t i = 0; i < ret->count; i++) {
        ret->checks[i] = (struct check){.name = doctor_checks[i].name, .result = CHECK_SKIPPED};
        doctor_checks[i].run(facts, &ret->checks[i]);
    }
}

size_t doctor_failures(const struct doctor_report *report)
{
    size_t failures = 0;

    for (size_t i = 0; i < report->count; i++)
        failures += report->checks[i].result == CHECK_FAILED;
    return failures;
}

static int print_text(const struct doctor_report *report, struct buffer *out)
{
    size_t failures = doctor_failures(report);
    int r = 0;

    for (size_t i = 0; r >= 0 && i < report->count; i++) {
        const struct check *check = &report->checks[i];

        r = buffer_append_format(out, "%-8s %-19s %s\n", result_names[check->result], check->name,
                                 check->text ? check->text : "");
        if (r >= 0 && check->mend)
            r = buffer_append_format(out, "%-8s %-19s mend: %s\n", "", "", check->mend);
    }
    if (r < 0 || failures == 0)
        return r;
    return buffer_append_format(out, "%zu failed\n", failures);
}

static int print_document(const struct doctor_report *report, enum emitter_format format,
                          struct buffer *out)
{
    _cleanup_emitter_ struct emitter *emitter = emitter_new();

    if (!emitter)
        return -ENOMEM;
    emitter_begin_map(emitter, NULL);
    emitter_unsigned(emitter, "failed", doctor_failures(report));
    emitter_begin_list(emitter, "checks");
    for (size_t i = 0; i < report->count; i++) {
        const struct check *check = &report->checks[i];

        emitter_begin_map(emitter, NULL);
        emitter_text(emitter, "name", check->name);
        emitter_text(emitter, "result", result_names[check->result]);
        emitter_text(emitter, "text", check->text);
        emitter_text(emitter, "mend", check->mend);
        emitter_end(emitter);
    }
    emitter_end(emitter);
    emitter_end(emitter);
    return emitter_finish(emitter, format, out, NULL);
}

int doctor_print(const struct doctor_report *report, enum doctor_format format, struct buffer *out)
{
    if (format == DOCTOR_TEXT)
        return print_text(report, out);
    return print_document(report, format == DOCTOR_JSON ? EMITTER_JSON : EMITTER_YAML, out);
}

/* --- who asks ------------------------------------------------------------------------------------
 */

int doctor_main(const struct config *config, enum doctor_format format)
{
    _cleanup_doctor_report_ struct doctor_report report = {.count = 0};
    _cleanup_free_ char *cgroup_root = NULL;
    _cleanup_buffer_ struct buffer out = {0};
    struct doctor_facts facts = {.config = config, .thorough = true};
    struct error err;
    int r = doctor_ask_launcher(&facts, &cgroup_root, &err);

    if (r < 0)
        dprintf(STDERR_FILENO, "hoistd: launcher.conf isn't looked at: %s\n", err.text);
    facts.cgroup_root = cgroup_root;
    doctor_run(&facts, &report);
    strv_free(facts.hidden);
    r = doctor_print(&report, format, &out);
    if (r >= 0)
        r = fd_write_full(STDOUT_FILENO, buffer_bytes(&out), buffer_size(&out));
    if (r < 0)
        dprintf(STDERR_FILENO, "hoistd: what was found can't be told: %s\n", strerror(-r));
    return r < 0 || doctor_failures(&report) > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

void doctor_at_start(const struct config *config, const struct launcher_hello *launcher)
{
    _cleanup_doctor_report_ struct doctor_report report = {.count = 0};
    const struct doctor_facts facts = {
        .config = config,
        .rootless = launcher->rootless,
        .cgroup_root = launcher->cgroup_root,
    };

    doctor_run(&facts, &report);
    for (size_t i = 0; i < report.count; i++) {
        const struct check *check = &report.checks[i];

        if (check->result == CHECK_WARNING || check->result == CHECK_FAILED)
            log_event(LOG_LEVEL_WARNING, "this host is not all that it should be",
                      LOG_TEXT("check", check->name),
                      LOG_TEXT("result", result_names[check->result]), LOG_TEXT("why", check->text),
                      LOG_TEXT("mend", check->mend));
    }
}
