/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "spawn/blocked-tasks.h"
#include "wire/spawn-spec.h"

/* What /proc tells of a task, whatever name the job has given it. */

static void test_parse_reads_pid_name_and_state(void **state)
{
    struct spawn_task task;

    (void)state;
    assert_int_equal(blocked_task_parse("4711 (dd) D 1 4711 4711 0 -1", &task), 0);
    assert_int_equal(task.pid, 4711);
    assert_string_equal(task.name, "dd");
    assert_int_equal(task.state, 'D');
}

static void test_parse_takes_a_name_of_any_bytes(void **state)
{
    struct spawn_task task;

    (void)state;
    assert_int_equal(blocked_task_parse("1 (a) R (\033\n\xff) D 1", &task), 0);
    assert_string_equal(task.name, "a) R (???");
    assert_int_equal(task.state, 'D');
    assert_int_equal(blocked_task_parse("1 () D 1", &task), 0);
    assert_string_equal(task.name, "");
    assert_int_equal(blocked_task_parse("1 (kworker/u8:2+flush-254:0) D 1", &task), 0);
    assert_string_equal(task.name, "kworker/u8:2+fl");
}

static void test_parse_refuses_what_is_no_such_text(void **state)
{
    static const char *const texts[] = {"",      "1",      "1 (",    "1 (a",    "1 )a(",
                                        "1 (a)", "1 (a) ", "1 (a)D", "1 (a) \n"};
    struct spawn_task task;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_int_equal(blocked_task_parse(texts[i], &task), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_reads_pid_name_and_state),
        cmocka_unit_test(test_parse_takes_a_name_of_any_bytes),
        cmocka_unit_test(test_parse_refuses_what_is_no_such_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
