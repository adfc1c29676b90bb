/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file with every kind of row. */
#include <stdlib.h>

#include "base/error.h"
#include "text/schema.h"
#include "text/value.h"

static uint64_t number;

static int take_member(void *unused, const char *name, void **ret, struct error *err)
{
    *ret = unused;
    return 0;
}

static int take_entry(void *unused, const char *name, const char *text, struct error *err)
{
    return 0;
}

static const struct text_key keys[] = {
    {.key = "size", .parse = text_parse_size},
    {.key = "time", .parse = text_parse_duration},
    {.key = "list", .kind = TEXT_KIND_LIST, .parse = text_parse_unsigned},
    {.key = "section", .kind = TEXT_KIND_SECTION, .keys = keys},
    {.key = "members", .kind = TEXT_KIND_MEMBERS, .member = take_member, .keys = keys},
    {.key = "items", .kind = TEXT_KIND_ITEMS, .member = take_member, .keys = keys},
    {.key = "entries", .kind = TEXT_KIND_ENTRIES, .entry = take_entry},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;

    (void)text_read("fuzz", (const char *)data, size, keys, &number, NULL, &err);
    return 0;
}
