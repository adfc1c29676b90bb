/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names are tried by execve(2) itself, as execvp(3) does it: asking first whether a file is
 * executable could be answered differently from what the exec then finds.
 */
#include "init/lookup.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static int fail(enum spawn_failure failure, int code, const char *name, const char *why,
                enum spawn_failure *ret_failure, struct error *err)
{
    *ret_failure = failure;
    return error_set(err, code, "command \"%.96s\": %s", name, why);
}

/* A file that is there, and of which exec says ENOENT, names an interpreter that is not there. */
static bool file_exists(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0;
}

static int explain(const char *path, int code, enum spawn_failure *ret_failure, struct error *err)
{
    enum spawn_failure not_found = SPAWN_FAILURE_COMMAND_NOT_FOUND,
                       not_executable = SPAWN_FAILURE_COMMAND_NOT_EXECUTABLE;
    struct stat status;

    switch (code) {
    case -ENOENT:
        if (file_exists(path))
            return fail(not_executable, code, path, "its interpreter was not found", ret_failure,
                        err);
        return fail(not_found, code, path, "no such file", ret_failure, err);
    case -ENOTDIR:
    case -ENAMETOOLONG:
    case -ELOOP:
        return fail(not_found, code, path, strerror(-code), ret_failure, err);
    case -EACCES:
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            return fail(not_executable, code, path, "it is a directory", ret_failure, err);
        return fail(not_executable, code, path, strerror(-code), ret_failure, err);
    case -ENOEXEC:
        return fail(not_executable, code, path,
                    "neither a program of this machine nor a script that begins with #!",
                    ret_failure, err);
    case -E2BIG:
        return fail(not_executable, code, path, "its arguments and environment are too long",
                    ret_failure, err);
    case -EPERM:
    case -ELIBBAD:
    case -ETXTBSY:
    case -EINVAL:
    case -EISDIR:
        return fail(not_executable, code, path, strerror(-code), ret_failure, err);
    default:
        return fail(SPAWN_FAILURE_SPAWN, code, path, strerror(-code), ret_failure, err);
    }
}

static const char *find_path(char *const *env)
{
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return LOOKUP_DEFAULT_PATH;
}

/* "directory/name" of one entry of PATH; false when it doesn't fit. */
static bool join(char path[static PATH_MAX], const char *directory, size_t length, const char *name)
{
    size_t name_length = strlen(name);

    if (length + 1 + name_length >= PATH_MAX)
        return false;
    memcpy(path, directory, length);
    if (length > 0)
        path[length++] = '/';
    memcpy(path + length, name, name_length + 1);
    return true;
}

/* The failures after which shells and execvp(3) look further. */
static bool goes_on(int code)
{
    return code == -ENOENT || code == -ENOTDIR || code == -EACCES || code == -ENAMETOOLONG ||
           code == -ESTALE || code == -ENODEV || code == -ETIMEDOUT || code == -ELOOP;
}

static int try_path(char *const *argv, char *const *env, const char *search,
                    enum spawn_failure *ret_failure, struct error *err)
{
    char path[PATH_MAX], denied[PATH_MAX];
    bool was_denied = false;

    for (;;) {
        size_t length = strcspn(search, ":");
        int code = -ENAMETOOLONG;

        if (join(path, search, length, argv[0])) {
            (void)execve(path, argv, env);
            code = -errno;
        }
        if (!goes_on(code) || (code == -ENOENT && file_exists(path)))
            return explain(path, code, ret_failure, err);
        if (code == -EACCES && !was_denied && file_exists(path)) {
            was_denied = true;
            memcpy(denied, path, strlen(path) + 1);
        }
        if (!search[length])
            break;
        search += length + 1;
    }
    if (was_denied)
        return explain(denied, -EACCES, ret_failure, err);
    return fail(SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOENT, argv[0], "not found in PATH", ret_failure,
                err);
}

int lookup_execute(char *const *argv, char *const *env, enum spawn_failure *ret_failure,
                   struct error *err)
{
    const char *name = argv[0];

    if (!name[0])
        return fail(SPAWN_FAILURE_COMMAND_NOT_FOUND, -ENOENT, name, "its name is empty",
                    ret_failure, err);
    if (!strchr(name, '/'))
        return try_path(argv, env, find_path(env), ret_failure, err);
    (void)execve(name, argv, env);
    return explain(name, -errno, ret_failure, err);
}
