/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <dirent.h>
#include <stdlib.h>

/*
 * Owners that clean up after themselves, and the hand-over of what they own.
 *
 * A variable marked `_cleanup_(f)` is given to `f` (by address) when it leaves its scope, so that a
 * function has one exit for free. `TAKE_PTR(p)` hands the pointer on and leaves NULL behind, which
 * every destructor accepts.
 */

/* To be cleaned up is a use, which clang doesn't see. */
#define _cleanup_(function) __attribute__((cleanup(function), unused))

/* Declares `name_freep(type **)` that calls `free_function(*p)`; the function must accept NULL. */
#define DEFINE_CLEANUP(type, free_function)                                                        \
    static inline void free_function##p(type *p)                                                   \
    {                                                                                              \
        free_function(*p);                                                                         \
    }                                                                                              \
    struct cleanup_swallows_the_semicolon_of_##free_function

static inline void freep(void *p)
{
    free(*(void **)p);
}

#define _cleanup_free_ _cleanup_(freep)

static inline void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

#define _cleanup_closedir_ _cleanup_(closedirp)

#define TAKE_PTR(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) *_taken_from = &(p);                                                         \
        __typeof__(p) _taken = *_taken_from;                                                       \
        *_taken_from = NULL;                                                                       \
        _taken;                                                                                    \
    })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) _min_a = (a);                                                                \
        __typeof__(b) _min_b = (b);                                                                \
        _min_a < _min_b ? _min_a : _min_b;                                                         \
    })

#define MAX(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) _max_a = (a);                                                                \
        __typeof__(b) _max_b = (b);                                                                \
        _max_a > _max_b ? _max_a : _max_b;                                                         \
    })
