/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/strv.h"
#include "fixture.h"
#include "linux/mount-table.h"
#include "linux/open-places.h"

static char directory[] = "/tmp/hoist-test-XXXXXX";

struct finding {
    const char *hidden; /* NULL: none */
    char **found;
};

static bool is_hidden(const char *path, void *data)
{
    const struct finding *finding = data;

    return !path_is_below(path, directory) ||
           (finding->hidden && path_is_below(path, finding->hidden));
}

static void note(const char *path, void *data)
{
    struct finding *finding = data;

    assert_int_equal(strv_append(&finding->found, path), 0);
}

static void socket_bind(const char *path, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(chmod(path, mode), 0); /* the descriptor lives as long as this program */
}

static int setup(void **unused)
{
    char path[128];

    assert_non_null(mkdtemp(directory));
    assert_int_equal(chmod(directory, 0755), 0);
    snprintf(path, sizeof(path), "%s/open", directory);
    socket_bind(path, 0666);
    snprintf(path, sizeof(path), "%s/closed", directory);
    socket_bind(path, 0660);
    return 0;
}

static int teardown(void **unused)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/open", directory);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/closed", directory);
    (void)unlink(path);
    return rmdir(directory);
}

static void test_open_places_bound_finds_what_everybody_may_use(void **unused)
{
    struct finding finding = {.hidden = NULL};
    char path[128];

    snprintf(path, sizeof(path), "%s/open", directory);
    assert_int_equal(open_places_bound(&(struct open_places){is_hidden, note, &finding}), 0);
    assert_int_equal(strv_length(finding.found), 1);
    assert_string_equal(finding.found[0], path);
    strv_free(finding.found);
}

static void test_open_places_bound_passes_over_what_is_hidden(void **unused)
{
    struct finding finding = {.hidden = directory};

    assert_int_equal(open_places_bound(&(struct open_places){is_hidden, note, &finding}), 0);
    assert_null(finding.found);
}

static void test_open_places_bound_passes_over_what_nobody_can_reach(void **unused)
{
    struct finding finding = {.hidden = NULL};

    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(open_places_bound(&(struct open_places){is_hidden, note, &finding}), 0);
    assert_int_equal(chmod(directory, 0755), 0);
    assert_null(finding.found);
}

static void test_open_places_walk_ends_where_it_is_told(void **unused)
{
    struct finding finding = {.hidden = "/"};

    assert_int_equal(open_places_walk(&(struct open_places){is_hidden, note, &finding}, 3), 1);
    assert_null(finding.found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_places_bound_finds_what_everybody_may_use),
        cmocka_unit_test(test_open_places_bound_passes_over_what_is_hidden),
        cmocka_unit_test(test_open_places_bound_passes_over_what_nobody_can_reach),
        cmocka_unit_test(test_open_places_walk_ends_where_it_is_told),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
