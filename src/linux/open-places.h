/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Unix sockets and FIFOs of the host that everybody may use: a read-only mount doesn't keep anybody
 * from connecting to them or writing into them.
 */

/* Is `path` (absolute) or something above it to be passed over? */
typedef bool open_place_hidden_fn(const char *path, void *data);

/* One that was found; strings are valid during the call. */
typedef void open_place_found_fn(const char *path, void *data);

struct open_places {
    open_place_hidden_fn *hidden;
    open_place_found_fn *found;
    void *data;
};

/*
 * Sockets by path that somebody in our network namespace has bound (/proc/net/unix). Quick: looks
 * at no directory. 0 or a negative errno.
 */
int open_places_bound(const struct open_places *places);

/*
 * Sockets and FIFOs on the disk: walks the file system of "/" and looks at no more than `most`
 * entries. 1 when there were more, 0, or a negative errno.
 */
int open_places_walk(const struct open_places *places, size_t most);
