/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool text_equal(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

bool text_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *text_format(const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? NULL : text;
}

bool strv_has(const char *const *list, const char *text)
{
    while (list && *list && !text_equal(*list, text))
        list++;
    return list && *list;
}

size_t strv_length(char *const *list)
{
    size_t length = 0;

    while (list && list[length])
        length++;
    return length;
}

void strv_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

char **strv_copy(char *const *list)
{
    _cleanup_strv_ char **copy = calloc(strv_length(list) + 1, sizeof(char *));

    if (!copy)
        return NULL;
    for (size_t i = 0; list && list[i]; i++) {
        copy[i] = strdup(list[i]);
        if (!copy[i])
            return NULL;
    }
    return TAKE_PTR(copy);
}

int strv_append(char ***list, const char *text)
{
    size_t length = strv_length(*list);
    _cleanup_free_ char *copy = strdup(text);
    char **longer;

    if (!copy)
        return -ENOMEM;
    longer = reallocarray(*list, length + 2, sizeof(char *));
    if (!longer)
        return -ENOMEM;
    longer[length] = TAKE_PTR(copy);
    longer[length + 1] = NULL;
    *list = longer;
    return 0;
}
