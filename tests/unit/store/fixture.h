/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/store-memory.h"
#include "store/store-sqlite.h"
#include "store/store.h"

/*
 * A directory for one test, the path of a database in it, and records to put there.
 */

struct fixture {
    char dir[64];
    char path[80];
};

static inline void fixture_begin(struct fixture *fixture)
{
    strcpy(fixture->dir, "/tmp/hoist-test-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/jobs.db", fixture->dir);
}

static inline void fixture_end(struct fixture *fixture)
{
    char wal[96];

    (void)snprintf(wal, sizeof(wal), "%s-wal", fixture->path);
    (void)unlink(wal);
    (void)unlink(fixture->path);
    assert_int_equal(rmdir(fixture->dir), 0);
}

static inline struct store *fixture_open(const struct fixture *fixture)
{
    struct store *store = NULL;
    struct store_open_report report;
    struct error err = {};

    if (store_open_sqlite(fixture->path, &store, &report, &err) < 0)
        fail_msg("%s", err.text);
    return store;
}

/* Borrows everything: not to be freed. */
static inline struct store_record sample(uint8_t number, const char *owner, const char *name)
{
    static char spec[] = "spec\0with any byte";

    return (struct store_record){
        .id.bytes = {number, 1},
        .owner = (char *)owner,
        .display_name = (char *)name,
        .state = 2,
        .live = true,
        .created = number * UINT64_C(1000),
        .uid = 4000000000,
        .pid = 123,
        .start_time = UINT64_MAX - number,
        .boot_id.bytes = {9, number},
        .spec = spec,
        .spec_size = sizeof(spec),
    };
}

static inline void put(struct store *store, const struct store_record *record)
{
    struct error err = {};

    if (store_put(store, record, &err) < 0)
        fail_msg("%s", err.text);
}
