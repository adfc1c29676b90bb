/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strv.h"
#include "base/utf8.h"

/* One argument of the command line: `name` of "--name=value" or "--name value". */
struct flag {
    const char *name; /* behind the dashes, `length` bytes */
    size_t length;
    const char *value; /* behind the "="; NULL: the next argument, if it takes one */
};

static bool flag_is(const struct flag *flag, const char *name)
{
    return strlen(name) == flag->length && memcmp(flag->name, name, flag->length) == 0;
}

static int flag_parse(const char *argument, struct flag *ret, struct error *err)
{
    const char *sign;

    if (!text_starts_with(argument, "--")) {
        _cleanup_free_ char *shown = utf8_escape(argument);

        return error_set(err, -EINVAL, "\"%.64s\" is no flag; see --help", shown ?: "?");
    }
    sign = strchr(argument, '=');
    ret->name = argument + 2;
    ret->length = sign ? (size_t)(sign - ret->name) : strlen(ret->name);
    ret->value = sign ? sign + 1 : NULL;
    return 0;
}

static bool flag_request(const struct flag *flag, enum options_request *ret)
{
    static const struct {
        const char *name;
        enum options_request request;
    } requests[] = {
        {"help", OPTIONS_HELP},
        {"park", OPTIONS_PARK},
        {"print-config", OPTIONS_PRINT_CONFIG},
        {"version", OPTIONS_VERSION},
    };

    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        if (flag_is(flag, requests[i].name)) {
            *ret = requests[i].request;
            return true;
        }
    return false;
}

static int flag_unknown(const struct flag *flag, struct error *err)
{
    char name[64];
    _cleanup_free_ char *shown = NULL;

    snprintf(name, sizeof(name), "%.*s", (int)MIN(flag->length, sizeof(name) - 1), flag->name);
    shown = utf8_escape(name);
    return error_set(err, -EINVAL, "there is no flag --%s; see --help", shown ?: "?");
}

/* What was said on the command line, before the file is read. */
struct command_line {
    const char *file; /* --config */
    enum options_request request;
    size_t count;
    struct {
        const char *key;
        const char *value;
        char where[64]; /* "--job-uids" */
    } settings[64];
};

static int take_setting(struct command_line *line, const struct flag *flag, const char *value,
                        struct error *err)
{
    const char *key = config_key_of_flag(flag->name, flag->length);

    if (!key)
        return flag_unknown(flag, err);
    if (line->count == ARRAY_SIZE(line->settings))
        return error_set(err, -E2BIG, "more than %zu flags: use launcher.conf",
                         ARRAY_SIZE(line->settings));
    line->settings[line->count].key = key;
    line->settings[line->count].value = value;
    snprintf(line->settings[line->count].where, sizeof(line->settings[0].where), "--%.*s",
             (int)flag->length, flag->name);
    line->count++;
    return 0;
}

/* Returns how many arguments it took, or a negative errno. */
static int take_flag(struct command_line *line, char **arguments, struct error *err)
{
    bool is_file, is_key;
    struct flag flag = {.name = ""};
    const char *value;
    int r = flag_parse(arguments[0], &flag, err);

    if (r < 0)
        return r;
    if (flag_request(&flag, &line->request))
        return 1;
    is_file = flag_is(&flag, "config");
    is_key = config_key_of_flag(flag.name, flag.length);
    if (!is_file && !is_key)
        return flag_unknown(&flag, err);
    value = flag.value ?: arguments[1];
    if (!value)
        return error_set(err, -EINVAL, "--%.*s needs a value; see --help", (int)flag.length,
                         flag.name);
    if (is_file) {
        line->file = value;
    } else {
        r = take_setting(line, &flag, value, err);
        if (r < 0)
            return r;
    }
    return flag.value ? 1 : 2;
}

static int take_arguments(struct command_line *line, int argc, char **argv,
                          struct launcher_config *config, struct error *err)
{
    int i = 1;

    while (i < argc && !text_equal(argv[i], "--")) {
        int taken = take_flag(line, &argv[i], err);

        if (taken < 0)
            return taken;
        i += taken;
    }
    for (i++; i < argc; i++) {
        int r = strv_append(&config->hoistd_args, argv[i]);

        if (r < 0)
            return error_set(err, r, "no memory for the arguments of hoistd");
    }
    return 0;
}

/* The launcher goes to "/", and reads it again from there. Negative: as *err says. */
static int absolute_path(const char *path, char **ret, struct error *err)
{
    _cleanup_free_ char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);

    if (path[0] != '/' && !here)
        return error_set(err, -errno, "can't tell where %s is: %s", path, strerror(errno));
    *ret = here ? text_format("%s/%s", here, path) : strdup(path);
    return *ret ? 0 : error_set(err, -ENOMEM, "no memory for a path");
}

static int load_file(const struct command_line *line, const char *again,
                     struct launcher_config *config, struct error *err)
{
    const char *named = again ?: line->file;
    _cleanup_free_ char *path = NULL;
    int r = absolute_path(named ?: CONFIG_FILE_DEFAULT, &path, err);

    if (r < 0)
        return r;
    r = config_read(config, path, err);
    if (r >= 0)
        config->file = TAKE_PTR(path);
    return r == -ENOENT && !named ? 0 : r;
}

int options_load(int argc, char **argv, const char *again, struct launcher_config *config,
                 enum options_request *ret_request, struct error *err)
{
    struct command_line line = {.request = OPTIONS_RUN};
    int r = take_arguments(&line, argc, argv, config, err);

    if (r < 0)
        return r;
    *ret_request = line.request;
    if (line.request == OPTIONS_HELP || line.request == OPTIONS_VERSION ||
        line.request == OPTIONS_PARK)
        return 0;
    r = load_file(&line, again, config, err);
    for (size_t i = 0; i < line.count && r >= 0; i++)
        r = config_set(config, line.settings[i].key, line.settings[i].value, line.settings[i].where,
                       err);
    return r < 0 ? r : 0;
}

int options_help(struct buffer *out)
{
    int r = buffer_append_text(
        out, "hoist-launcher [FLAG…] [-- ARGUMENT-OF-HOISTD…]\n\n"
             "Starts the agent: hoistd as an unprivileged user, and its jobs for it.\n\n"
             "  --config FILE               read FILE instead of " CONFIG_FILE_DEFAULT "\n"
             "  --help                      show this\n"
             "  --park                      hold a cgroup for jobs, and end them with it\n"
             "  --print-config              show what is set and where it was set\n"
             "  --version                   show the version\n\n"
             "Each key of launcher.conf(5) is a flag, too, and wins over the file:\n\n");

    if (r >= 0)
        r = config_print_flags(out);
    if (r >= 0)
        r = buffer_append_text(out, "\nExample: hoist-launcher --agent-user hoist -- --config "
                                    "/etc/hoist/hoistd.yaml\n");
    return r;
}
