/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/doctor.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"

/* launcher.conf is the launcher's to read: it prints what is in force as `key = value`. */

#define PROGRAM_ENV "HOIST_LAUNCHER"        /* another program */
#define CONFIG_ENV  "HOIST_LAUNCHER_CONFIG" /* another launcher.conf */

#define PRINTED_MAX (64 * 1024)

/* An environment variable, or what stands for it when it is missing. */
static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe): there is one thread

    return text_is_empty(value) ? otherwise : value;
}

static int launcher_start(int output, pid_t *ret)
{
    const char *program = variable(PROGRAM_ENV, HOIST_LAUNCHER_PATH);
    const char *file = variable(CONFIG_ENV, NULL);
    char *argv[] = {(char[]){"hoist-launcher"}, (char[]){"--print-config"},
                    file ? (char[]){"--config"} : NULL, (char *)(uintptr_t)file, NULL};
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn(ret, program, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* All that it prints, NUL-terminated. */
static int launcher_read(char text[static PRINTED_MAX], struct error *err)
{
    _cleanup_close_ int reader = FD_NONE, writer = FD_NONE;
    size_t used = 0;
    int ends[2], status = 0, r;
    ssize_t n;
    pid_t pid = -1;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set(err, -errno, "no pipe: %s", strerror(errno));
    reader = ends[0];
    writer = ends[1];
    r = launcher_start(writer, &pid);
    if (r < 0)
        return error_set(err, r, "hoist-launcher can't be executed: %s", strerror(-r));
    writer = fd_close(writer);
    while (used < PRINTED_MAX - 1 && (n = read(reader, text + used, PRINTED_MAX - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, -EINVAL, "hoist-launcher refuses its configuration");
    return 0;
}

/* The value behind "key = ", or NULL. */
static const char *line_value(const char *line, const char *key)
{
    size_t length = strlen(key);

    return strncmp(line, key, length) == 0 && strncmp(line + length, " = ", 3) == 0
               ? line + length + 3
               : NULL;
}

static int line_take(struct doctor_facts *facts, const char *line, char **cgroup_root)
{
    const char *hidden = line_value(line, "hide"), *root = line_value(line, "cgroup_root");

    if (hidden)
        return strv_append(&facts->hidden, hidden);
    if (!root)
        return 0;
    free(*cgroup_root);
    *cgroup_root = strdup(root[0] == '/' ? root + 1 : root);
    return *cgroup_root ? 0 : -ENOMEM;
}

int doctor_ask_launcher(struct doctor_facts *facts, char **ret_cgroup_root, struct error *err)
{
    _cleanup_free_ char *text = malloc(PRINTED_MAX);
    char *rest = text, *line;
    int r;

    facts->rootless = geteuid() != 0;
    r = text ? launcher_read(text, err) : error_set(err, -ENOMEM, "no memory");
    while (r >= 0 && (line = strsep(&rest, "\n"))) {
        r = line_take(facts, line, ret_cgroup_root);
        if (r < 0)
            error_set(err, r, "no memory");
    }
    return r;
}
