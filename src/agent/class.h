/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text/schema.h"
#include "wire/limits.h"
#include "wire/output-rules.h"
#include "wire/spawn-spec.h"

struct buffer;
struct error;

/*
 * Classes: named sets of limits, and the surroundings that go with them. Five are shipped; the
 * configuration changes them and adds more. A key given for a shipped class changes that limit
 * only; the others stay as shipped.
 */

#define CLASS_NAME_MAX 64 /* 63 characters, the rule of a job's display name, and the NUL */
#define CLASSES_MAX    64

struct class
{
    char name[CLASS_NAME_MAX];
    char profile[SPAWN_PROFILE_MAX]; /* of launcher.conf; "": the default one */
    bool profile_for_all;            /* not for admins alone */
    struct limits limits;
    struct output_choice output; /* `cap` is a ceiling too, as the limits are */
};

struct classes {
    struct class list[CLASSES_MAX];
    size_t count;
};

/* default, small, medium, large, telehandler (see docs/hoistd.yaml.5). */
void classes_init_shipped(struct classes *classes);

/* NULL when there is none of that name. */
struct class *classes_find(struct classes *classes, const char *name);
const struct class *classes_find_const(const struct classes *classes, const char *name);

/* For the row `classes:` of the configuration: finds or adds the class `name` (text_member_fn). */
int classes_member(void *destination, const char *name, void **ret, struct error *err);

/* The keys of one class (`destination` is a struct class). */
extern const struct text_key class_keys[];

/* Appends "    memory_max: 512000000\n", the key and value that set it, for each of its limits. */
int class_print_limits(const struct class *class, struct buffer *out);

/* Appends what the class says of its jobs' output, each line behind `indent`. */
int class_print_output(const struct class *class, const char *indent, struct buffer *out);
