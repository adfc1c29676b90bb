/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/show-limits.h"

static void test_limit_text_is_what_people_write(void **unused)
{
    static const struct {
        const char *name;
        uint64_t value;
        const char *text;
    } wanted[] = {
        {"cpu_millis", 1000, "100%"},
        {"cpu_millis", 125, "12.5%"},
        {"cpu_millis", 0, "no limit"},
        {"cpu_period_usec", 100000, "100ms"},
        {"cpu_reserved_millis", 0, "none"},
        {"memory_max", 512000000, "512MB"},
        {"memory_max", UINT64_C(512) << 20, "512MiB"},
        {"memory_max", UINT64_C(1) << 30, "1GiB"},
        {"memory_max", 0, "no limit"},
        {"memory_reserved", 0, "none"},
        {"swap_max", 0, "none"},
        {"oom_group", 0, "one process"},
        {"oom_group", 1, "the whole job"},
        {"pids_max", 4096, "4096"},
        {"io_read_bps", 10000000, "10MB/s"},
        {"io_write_bps", UINT64_C(5) << 20, "5MiB/s"},
        {"io_read_iops", 400000, "400000/s"},
        {"core_size", 0, "none"},
        {"of_tomorrow", 7, "7"},
    };
    char text[LIMIT_TEXT_MAX];

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        assert_string_equal(limit_text(wanted[i].name, wanted[i].value, text), wanted[i].text);
}

/* Each limit of the API has words, and no two have the same. */
static void test_limit_words_are_there_for_each_limit(void **unused)
{
    const ProtobufCMessageDescriptor *limits = &hoist__v1__limits__descriptor;

    (void)unused;
    for (unsigned i = 0; i < limits->n_fields; i++) {
        const char *words = limit_words(limits->fields[i].name);

        assert_null(strchr(words, '_'));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(words, limit_words(limits->fields[k].name));
    }
    assert_string_equal(limit_words("of_tomorrow"), "of_tomorrow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_text_is_what_people_write),
        cmocka_unit_test(test_limit_words_are_there_for_each_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
