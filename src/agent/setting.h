/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "text/schema.h"

/*
 * The table of what can be set: each row is a key of hoistd.yaml and a flag of hoistd, so that
 * neither exists without the other. Keys with a dot live in a section ("tls.cert").
 */

struct setting {
    const char *key;  /* "tls.cert" */
    const char *flag; /* "--cert" */
    size_t offset;    /* of the value in struct config */
    text_parse_fn *parse;
    const void *argument;
    const char *value; /* what stands for the value in --help: "FILE"; NULL: a flag without value */
    const char *help;  /* one line */
    bool at_start;     /* looked at when hoistd starts, and not when it is told to reload */
};

extern const struct setting settings[];
extern const size_t settings_count;

/* Where the value in force came from. Texts are the config's. */
struct setting_origin {
    enum {
        SETTING_FROM_DEFAULT,
        SETTING_FROM_FILE,
        SETTING_FROM_FLAG,
    } from;
    unsigned line; /* of the file */
};

#define SETTINGS_MAX 40
