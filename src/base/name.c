/* SPDX-License-Identifier: Apache-2.0 */
#include "base/name.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/utf8.h"

/* Of a principal and of a display name: what a DNS label and the name of a cgroup allow. */
#define NAME_MAX_LENGTH 63
/* As many hex digits could be meant as a prefix of an id. */
#define NAME_HEX_LOOKALIKE 8

static bool is_name_end(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name_middle(char c)
{
    return is_name_end(c) || c == '.' || c == '_' || c == '-';
}

bool principal_is_valid(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_MAX_LENGTH || !is_name_end(name[0]))
        return false;
    for (size_t i = 1; i < length; i++)
        if (!is_name_middle(name[i]))
            return false;
    return true;
}

static bool looks_like_an_id(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef-");

    return name[digits] == 0 && digits >= NAME_HEX_LOOKALIKE;
}

int job_name_check(const char *name, struct error *err)
{
    _cleanup_free_ char *shown = utf8_escape(name);
    size_t length = strlen(name);

    if (length == 0)
        return error_set(err, -EINVAL, "the name is empty; leave it out to have none");
    if (length > NAME_MAX_LENGTH)
        return error_set(err, -EINVAL, "the name has %zu characters, %d are allowed", length,
                         NAME_MAX_LENGTH);
    for (size_t i = 0; i < length; i++)
        if (!is_name_middle(name[i]))
            return error_set(err, -EINVAL,
                             "the name \"%s\" holds a character that is not one of a-z 0-9 . _ -",
                             shown ? shown : "");
    if (!is_name_end(name[0]) || !is_name_end(name[length - 1]))
        return error_set(err, -EINVAL, "the name \"%s\" must begin and end with a letter or digit",
                         shown ? shown : "");
    if (looks_like_an_id(name))
        return error_set(
            err, -EINVAL,
            "the name \"%s\" looks like a job id; add a letter beyond f to tell them apart",
            shown ? shown : "");
    return 0;
}
