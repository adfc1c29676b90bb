/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct error;

/*
 * What of the host's root directory jobs see.
 *
 * The job's root is a directory of its own in which the host's top-level directories appear one by
 * one, read-only, the hidden ones as empty directories: a place that is never mounted needs no
 * cover, and there is room for directories that the host doesn't have. Hidden places further down
 * are covered. It is looked at once, when the agent starts: a start must not wait for a hanging
 * file system.
 */

enum host_entry_kind {
    HOST_ENTRY_SHOWN, /* a directory, seen read-only with all that is mounted below */
    HOST_ENTRY_EMPTY, /* a directory, hidden: exists and is empty */
    HOST_ENTRY_LINK,  /* a symbolic link: "bin" → "usr/bin" */
    _HOST_ENTRY_KIND_MAX,
};

struct host_entry {
    enum host_entry_kind kind;
    char *path;   /* "/usr", as jobs see it; owned */
    char *source; /* where it is on the host; owned */
    char *link;   /* what a link holds; owned */
};

struct host_view {
    struct host_entry *entries; /* of "/", without those that the profile makes itself */
    size_t count;
    char **covered; /* hidden paths below shown entries; they needn't exist; owned; NULL: none */
};

void host_view_done(struct host_view *view);

/*
 * Looks at the directory `root` ("/"; tests use another). `own`: names that the profile makes
 * itself
 * ("/proc"). `hidden` and `more_hidden` (NULL: none): absolute paths (-EINVAL), which needn't exist
 * yet. All lists are NULL-terminated.
 */
int host_view_make(const char *root, const char *const *own, const char *const *hidden,
                   const char *const *more_hidden, struct host_view *ret, struct error *err);

/* Can a job see what is mounted at the absolute `path`? */
bool host_view_shows(const struct host_view *view, const char *path);
