/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "agent/amount.h"
#include "agent/config.h"
#include "base/buffer.h"
#include "text/value.h"

/* Writes the value as the file would hold it. */
static int print_value(const struct config *config, const struct setting *setting,
                       struct buffer *out)
{
    const void *value = (const char *)config + setting->offset;

    if (setting->parse == text_parse_string || setting->parse == text_parse_path) {
        const char *text = *(char *const *)value;

        return text ? buffer_append_format(out, "\"%s\"", text) : buffer_append_text(out, "");
    }
    if (setting->parse == text_parse_bool)
        return buffer_append_text(out, *(const bool *)value ? "true" : "false");
    if (setting->parse == text_parse_unsigned)
        return buffer_append_format(out, "%llu", (unsigned long long)*(const uint64_t *)value);
    if (setting->parse == text_parse_size)
        return amount_print_size(*(const uint64_t *)value, NULL, out);
    if (setting->parse == amount_parse_size)
        return amount_print_size(*(const uint64_t *)value, setting->argument, out);
    if (setting->parse == amount_parse_share)
        return amount_print_share(value, out);
    if (setting->parse == text_parse_duration)
        return amount_print_duration(*(const usec_t *)value, NULL, out);
    if (setting->parse == amount_parse_duration)
        return amount_print_duration(*(const usec_t *)value, setting->argument, out);
    if (setting->parse == text_parse_choice)
        return buffer_append_text(out,
                                  ((const char *const *)setting->argument)[*(const int *)value]);
    return -ENOENT;
}

static int print_origin(const struct config *config, size_t at, struct buffer *out)
{
    const struct setting_origin *origin = &config->origins[at];

    switch (origin->from) {
    case SETTING_FROM_FILE:
        return buffer_append_format(out, "  # %s:%u\n", config->file, origin->line);
    case SETTING_FROM_FLAG:
        return buffer_append_format(out, "  # %s\n", settings[at].flag);
    case SETTING_FROM_DEFAULT:
    default:
        return buffer_append_text(out, "  # default\n");
    }
}

static int print_listen(const struct config *config, struct buffer *out)
{
    const struct config_address *listen = &config->listen;

    if (strchr(listen->host, ':'))
        return buffer_append_format(out, "\"[%s]:%u\"", listen->host, (unsigned)listen->port);
    return buffer_append_format(out, "\"%s:%u\"", listen->host, (unsigned)listen->port);
}

/* A row whose value lives in a class is shown there. */
static bool shown_with_classes(const struct setting *setting)
{
    return setting->offset == offsetof(struct config, classes);
}

static bool is_unset(const struct config *config, const struct setting *setting)
{
    return setting->parse == text_parse_path &&
           !*(char *const *)((const char *)config + setting->offset);
}

int config_print_value(const struct config *config, size_t at, struct buffer *out)
{
    if (settings[at].offset == offsetof(struct config, listen))
        return print_listen(config, out);
    return print_value(config, &settings[at], out);
}

static int print_setting(const struct config *config, size_t at, const char **section,
                         struct buffer *out)
{
    const struct setting *setting = &settings[at];
    const char *dot = strchr(setting->key, '.');
    size_t length = dot ? (size_t)(dot - setting->key) : 0;
    int r = 0;

    if (shown_with_classes(setting) || is_unset(config, setting))
        return 0;
    if (dot && (!*section || strncmp(*section, setting->key, length + 1) != 0))
        r = buffer_append_format(out, "%.*s:\n", (int)length, setting->key);
    *section = dot ? setting->key : NULL;
    if (r == 0)
        r = buffer_append_format(out, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : setting->key);
    if (r == 0)
        r = config_print_value(config, at, out);
    return r < 0 ? r : print_origin(config, at, out);
}

static int print_class(const struct class *class, struct buffer *out)
{
    int r = buffer_append_format(out, "  %s:\n", class->name);

    if (r == 0 && class->profile[0])
        r = buffer_append_format(out, "    profile: %s\n    profile_for_all: %s\n", class->profile,
                                 class->profile_for_all ? "true" : "false");
    if (r == 0)
        r = class_print_limits(class, out);
    return r < 0 ? r : class_print_output(class, "    ", out);
}

int config_print(const struct config *config, struct buffer *out)
{
    const char *section = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < settings_count; i++)
        r = print_setting(config, i, &section, out);
    if (r == 0)
        r = buffer_append_text(out, "classes:\n");
    for (size_t i = 0; r == 0 && i < config->classes.count; i++)
        r = print_class(&config->classes.list[i], out);
    return r;
}

int config_print_help(struct buffer *out)
{
    int r = buffer_append_text(
        out, "hoistd: the agent of hoist. Started by hoist-launcher, never by hand:\n"
             "  hoist-launcher [options] -- [hoistd options]\n"
             "Every option is also a key of the configuration file; options win.\n\n"
             "  --config FILE\n      the configuration (default " CONFIG_FILE_DEFAULT ")\n"
             "  --print-config\n      print the values in force and where each came from\n"
             "  --doctor[=json|yaml]\n      check this host and tell what mends it\n"
             "  --version, --help\n");

    for (size_t i = 0; r == 0 && i < settings_count; i++)
        r = buffer_append_format(
            out, "  %s%s%s\n      %s (%s)\n", settings[i].flag, settings[i].value ? " " : "",
            settings[i].value ? settings[i].value : "", settings[i].help, settings[i].key);
    return r;
}
