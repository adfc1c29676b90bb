/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/*
 * Strings and lists of strings.
 */

static inline bool text_is_empty(const char *text)
{
    return !text || !text[0];
}

bool text_equal(const char *a, const char *b); /* NULL equals NULL only */
bool text_starts_with(const char *text, const char *prefix);

/* asprintf(3) with a value: NULL when there is no memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Is `text` in the NULL-terminated list? `list` may be NULL; it is anybody's. */
bool strv_has(const char *const *list, const char *text);

/* A NULL-terminated list of strings that owns itself and them. */
size_t strv_length(char *const *list);
void strv_free(char **list);
DEFINE_CLEANUP(char **, strv_free);
#define _cleanup_strv_ _cleanup_(strv_freep)

char **strv_copy(char *const *list);
/* Appends a copy of `text`; *list may be NULL. Returns 0 or -ENOMEM (the list is as it was). */
int strv_append(char ***list, const char *text);
