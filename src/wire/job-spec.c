/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/strv.h"
#include "wire/specification.h"
#include "wire/stored.h"

void job_spec_done(struct job_spec *spec)
{
    for (size_t i = 0; i < spec->label_count; i++) {
        free(spec->labels[i].key);
        free(spec->labels[i].value);
    }
    free(spec->labels);
    free(spec->display_name);
    free(spec->command);
    strv_free(spec->args);
    strv_free(spec->env);
    free(spec->cwd);
    free(spec->job_class);
    free(spec->profile);
    *spec = JOB_SPEC_NULL;
}

static int copy_labels(const struct job_spec *from, struct job_spec *to)
{
    if (from->label_count == 0)
        return 0;
    to->labels = calloc(from->label_count, sizeof(*to->labels));
    if (!to->labels)
        return -ENOMEM;
    to->label_count = from->label_count;
    for (size_t i = 0; i < from->label_count; i++) {
        if (stored_copy_text(from->labels[i].key, &to->labels[i].key) < 0 ||
            stored_copy_text(from->labels[i].value, &to->labels[i].value) < 0)
            return -ENOMEM;
    }
    return 0;
}

int job_spec_copy(const struct job_spec *spec, struct job_spec *ret)
{
    _cleanup_job_spec_ struct job_spec copy = *spec;

    copy.display_name = copy.command = copy.cwd = copy.job_class = copy.profile = NULL;
    copy.args = copy.env = NULL;
    copy.labels = NULL;
    copy.label_count = 0;
    if (stored_copy_text(spec->display_name, &copy.display_name) < 0 ||
        stored_copy_text(spec->command, &copy.command) < 0 ||
        stored_copy_list(spec->args, &copy.args) < 0 ||
        stored_copy_list(spec->env, &copy.env) < 0 || stored_copy_text(spec->cwd, &copy.cwd) < 0 ||
        stored_copy_text(spec->job_class, &copy.job_class) < 0 ||
        stored_copy_text(spec->profile, &copy.profile) < 0 || copy_labels(spec, &copy) < 0)
        return -ENOMEM;
    *ret = copy;
    copy = JOB_SPEC_NULL;
    return 0;
}

void job_spec_forget_values(struct job_spec *spec)
{
    for (char **variable = spec->env; variable && *variable; variable++) {
        char *value = strchr(*variable, '=');

        if (value)
            explicit_bzero(value, strlen(value));
    }
}

/* With its NUL, so that "ab", "c" and "a", "bc" differ. */
static uint32_t digest_text(uint32_t crc, const char *text)
{
    return crc32c(crc, text ? text : "", strlen(text ? text : "") + 1);
}

/* The empty text at the end separates a list from the next one. */
static uint32_t digest_list(uint32_t crc, char *const *list)
{
    for (; list && *list; list++)
        crc = digest_text(crc, *list);
    return digest_text(crc, NULL);
}

uint32_t job_spec_digest(const struct job_spec *spec)
{
    const uint64_t numbers[] = {
        spec->limits.given, spec->warn_unenforced,       spec->network, spec->timeout,
        spec->grace,        (uint64_t)spec->stop_signal, spec->merged,
    };
    const uint64_t choice[] = {spec->output_choice.cap, spec->output_choice.policy};
    uint32_t crc = crc32c(0, numbers, sizeof(numbers));

    crc = crc32c(crc, spec->limits.value, sizeof(spec->limits.value));
    if (spec->output_choice.cap > 0 || spec->output_choice.policy != OUTPUT_POLICY_UNSPECIFIED)
        crc = crc32c(crc, choice, sizeof(choice));
    crc = digest_text(crc, spec->display_name);
    crc = digest_text(crc, spec->command);
    crc = digest_text(crc, spec->cwd);
    crc = digest_text(crc, spec->job_class);
    crc = digest_list(crc, spec->args);
    crc = digest_list(crc, spec->env);
    for (size_t i = 0; i < spec->label_count; i++) {
        crc = digest_text(crc, spec->labels[i].key);
        crc = digest_text(crc, spec->labels[i].value);
    }
    return crc;
}
