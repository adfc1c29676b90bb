/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "launcher/config.h"

/*
 * The file: lines of `key = value`, comments from a `#` at the beginning of a line, blank lines. A
 * value is the rest of its line without the blanks around it: no quoting, no continuation, so that
 * what stands there is what counts.
 */

#define WHERE_MAX 320

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Cuts blanks off both ends, in place. */
static char *trim(char *text)
{
    size_t length;

    while (is_blank(*text))
        text++;
    length = strlen(text);
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    text[length] = 0;
    return text;
}

static int parse_line(struct launcher_config *config, char *line, const char *where,
                      struct error *err)
{
    char *text = trim(line), *sign = strchr(text, '=');

    if (!text[0] || text[0] == '#')
        return 0;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' && *c != '\t')
            return error_set(err, -EINVAL, "%s: a control character in the line", where);
    if (!sign)
        return error_set(err, -EINVAL, "%s: a line that isn't \"key = value\"", where);
    *sign = 0;
    return config_set(config, trim(text), trim(sign + 1), where, err);
}

int config_parse(struct launcher_config *config, const char *text, const char *name,
                 struct error *err)
{
    _cleanup_free_ char *copy = strdup(text);
    char *rest = copy, where[WHERE_MAX];

    if (!copy)
        return error_set(err, -ENOMEM, "no memory for %s", name);
    for (unsigned number = 1; rest; number++) {
        char *line = strsep(&rest, "\n");
        int r;

        snprintf(where, sizeof(where), "%.300s:%u", name, number);
        r = parse_line(config, line, where, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Whoever may write it, or replace what is in it, decides what root does. */
static int check_trust(int fd, const char *path, struct error *err)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, -EINVAL, "%s is no regular file", path);
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return error_set(err, -EPERM, "%s belongs to uid %u: it must be root's (chown root %s)",
                         path, status.st_uid, path);
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, -EPERM, "%s may be written by others: chmod go-w %s", path, path);
    return 0;
}

int config_read(struct launcher_config *config, const char *path, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    _cleanup_free_ char *text = NULL;
    char link[32];
    size_t size;
    int r;

    if (fd < 0)
        return error_set(err, -errno, "can't open %s: %s", path, strerror(errno));
    r = check_trust(fd, path, err);
    if (r < 0)
        return r;
    /* The file that was checked, whatever the path leads to by now. */
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    r = file_read(AT_FDCWD, link, CONFIG_FILE_MAX, &text, &size);
    if (r == -EFBIG)
        return error_set(err, r, "%s is longer than %d bytes", path, CONFIG_FILE_MAX);
    if (r < 0)
        return error_set(err, r, "can't read %s: %s", path, strerror(-r));
    if (strlen(text) != size)
        return error_set(err, -EINVAL, "%s holds a NUL byte", path);
    return config_parse(config, text, path, err);
}
