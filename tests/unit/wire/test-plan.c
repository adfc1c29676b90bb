/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/plan-format.h"
#include "wire/plan.h"

static const struct plan_settings settings = {
    .id = {{1, 2, 3}},
    .flags = PLAN_MERGED | PLAN_HAS_CGROUP,
    .agent_uid = 990,
    .agent_gid = 991,
    .job_uid = 100000,
    .job_gid = 100001,
    .stop_signal = SIGINT,
    .fd_count = 2,
    .grace = 7,
    .timeout = 8,
    .output = {.rate = 9, .cap = 10, .head = 11, .stop_at_cap = true, .read_buffer = 12},
    .umask = 027,
};

static const struct plan_step root = {.op = PLAN_ROOT_CLONE, .source = "/"};
static const struct plan_step pivot = {.op = PLAN_PIVOT};
static const struct plan_step bind_fd = {
    .op = PLAN_BIND, .fd = PLAN_FD_FIRST + 1, .target = "/data", .attributes = MOUNT_ATTR_RDONLY};
static const struct plan_step directory = {.op = PLAN_MKDIR,
                                           .flags = PLAN_STEP_FOLLOW,
                                           .target = "/job",
                                           .mode = 01770,
                                           .uid = 5,
                                           .gid = 6};

static struct plan_builder *minimal(void)
{
    struct plan_builder *builder = plan_builder_new();

    assert_non_null(builder);
    plan_builder_set(builder, &settings);
    plan_builder_argument(builder, "true");
    return builder;
}

static struct plan_builder *complete(void)
{
    static const struct sock_filter filter[] = {{6, 0, 0, 0x7fff0000}};
    struct plan_builder *builder = plan_builder_new();
    char *argv[] = {(char *)"sh", (char *)"", (char *)"-c", NULL};
    char *env[] = {(char *)"A=b", (char *)"C=", NULL};

    assert_non_null(builder);
    plan_builder_set(builder, &settings);
    plan_builder_step(builder, &root);
    plan_builder_step(builder, &bind_fd);
    plan_builder_step(builder, &directory);
    plan_builder_step(builder, &pivot);
    plan_builder_rlimit(builder, RLIMIT_NOFILE, 1024, 4096);
    plan_builder_rlimit(builder, RLIMIT_CORE, 0, UINT64_MAX);
    plan_builder_filter(builder, filter, 1);
    plan_builder_arguments(builder, argv);
    plan_builder_environment(builder, env);
    plan_builder_cwd(builder, "/job");
    return builder;
}

static void encode(struct plan_builder *builder, struct buffer *out)
{
    struct error err = {0};

    if (plan_builder_encode(builder, out, &err) < 0)
        fail_msg("%s", err.text);
    (void)plan_builder_free(builder);
}

static void test_plan_read_gives_back_settings(void **unused)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    struct plan plan;

    encode(complete(), &bytes);
    assert_int_equal(plan_read(buffer_bytes(&bytes), buffer_size(&bytes), &plan, NULL), 0);
    assert_memory_equal(&plan.settings, &settings, sizeof(settings));
    assert_string_equal(plan.cwd, "/job");
    assert_int_equal(plan.filter_count, 1);
    assert_int_equal(plan.filter[0].k, 0x7fff0000);
}

static void test_plan_read_gives_back_lists(void **unused)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    struct plan plan;
    char *argv[4], *env[3];

    encode(complete(), &bytes);
    assert_int_equal(plan_read(buffer_bytes(&bytes), buffer_size(&bytes), &plan, NULL), 0);
    assert_int_equal(plan.argument_count, 3);
    assert_int_equal(plan.env_count, 2);
    plan_list_strings(plan.arguments, 3, argv);
    plan_list_strings(plan.env, 2, env);
    assert_string_equal(argv[0], "sh");
    assert_string_equal(argv[1], "");
    assert_string_equal(argv[2], "-c");
    assert_null(argv[3]);
    assert_string_equal(env[1], "C=");
    assert_null(env[2]);
}

static void test_plan_read_gives_back_steps_and_rlimits(void **unused)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    struct plan plan;
    struct plan_step step;
    struct plan_rlimit limit;

    encode(complete(), &bytes);
    assert_int_equal(plan_read(buffer_bytes(&bytes), buffer_size(&bytes), &plan, NULL), 0);
    assert_int_equal(plan.step_count, 4);
    step = plan_step_at(&plan, 1);
    assert_int_equal(step.op, PLAN_BIND);
    assert_int_equal(step.fd, PLAN_FD_FIRST + 1);
    assert_int_equal(step.attributes, MOUNT_ATTR_RDONLY);
    assert_string_equal(step.source, "");
    assert_string_equal(step.target, "/data");
    step = plan_step_at(&plan, 2);
    assert_int_equal(step.mode, 01770);
    assert_int_equal(step.uid, 5);
    assert_int_equal(step.gid, 6);
    assert_int_equal(step.flags, PLAN_STEP_FOLLOW);
    limit = plan_rlimit_at(&plan, 1);
    assert_int_equal(limit.resource, RLIMIT_CORE);
    assert_true(limit.hard == UINT64_MAX);
}

static void test_plan_builder_seal_makes_it_unchangeable(void **unused)
{
    struct plan_builder *builder = complete();
    struct error err = {0};
    int fd;

    assert_int_equal(plan_builder_seal(builder, &fd, &err), 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_true(fcntl(fd, F_GET_SEALS) & F_SEAL_SEAL);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    (void)fd_close(fd);
    (void)plan_builder_free(builder);
}

static void test_plan_builder_seal_needs_a_command(void **unused)
{
    struct plan_builder *builder = plan_builder_new();
    struct error err = {0};
    int fd;

    plan_builder_set(builder, &settings);
    assert_int_equal(plan_builder_seal(builder, &fd, &err), -EINVAL);
    assert_string_equal(err.text, "plan: there is no command");
    (void)plan_builder_free(builder);
}

static void test_plan_builder_seal_refuses_too_much(void **unused)
{
    struct plan_builder *builder = minimal();
    char *long_text = malloc(PLAN_SIZE_MAX / 2);
    struct error err = {0};
    int fd;

    memset(long_text, 'x', PLAN_SIZE_MAX / 2 - 1);
    long_text[PLAN_SIZE_MAX / 2 - 1] = '\0';
    plan_builder_argument(builder, long_text);
    plan_builder_env(builder, long_text);
    assert_int_equal(plan_builder_seal(builder, &fd, &err), -E2BIG);
    plan_builder_argument(builder, long_text);
    plan_builder_argument(builder, long_text);
    assert_int_equal(plan_builder_seal(builder, &fd, &err), -E2BIG);
    free(long_text);
    (void)plan_builder_free(builder);
}

/* A step that can't be, alone or behind a new root, and the word of the sentence that says why. */
static void assert_refused(const struct plan_step *before, const struct plan_step *step,
                           const struct plan_step *after, const char *words)
{
    struct plan_builder *builder = minimal();
    struct error err = {0};
    int fd;

    if (before)
        plan_builder_step(builder, before);
    plan_builder_step(builder, step);
    if (after)
        plan_builder_step(builder, after);
    assert_int_equal(plan_builder_seal(builder, &fd, &err), -EINVAL);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" lacks \"%s\"", err.text, words);
    (void)plan_builder_free(builder);
}

static void test_plan_read_refuses_steps_that_cannot_be(void **unused)
{
    assert_refused(NULL, &(struct plan_step){.op = _PLAN_OP_MAX}, NULL, "unknown step");
    assert_refused(NULL, &(struct plan_step){.op = PLAN_PIVOT, .flags = 1}, NULL, "flag");
    assert_refused(NULL, &root, NULL, "never goes there");
    assert_refused(NULL, &directory, NULL, "no new root yet");
    assert_refused(NULL, &pivot, NULL, "no new root yet");
    assert_refused(&root, &root, &pivot, "already");
    assert_refused(&root, &(struct plan_step){.op = PLAN_MKDIR, .target = "job"}, &pivot, "target");
    assert_refused(&root, &(struct plan_step){.op = PLAN_MKDIR}, &pivot, "target");
    assert_refused(&root, &(struct plan_step){.op = PLAN_BIND, .source = "x", .target = "/x"},
                   &pivot, "source");
    assert_refused(&root, &(struct plan_step){.op = PLAN_MOUNT, .target = "/x"}, &pivot, "source");
    assert_refused(&root,
                   &(struct plan_step){.op = PLAN_BIND, .fd = PLAN_FD_FIRST + 2, .target = "/x"},
                   &pivot, "not given");
    assert_refused(&root, &(struct plan_step){.op = PLAN_BIND, .fd = PLAN_FD_DATA, .target = "/x"},
                   &pivot, "not given");
    assert_refused(&root, &(struct plan_step){.op = PLAN_MASK, .fd = PLAN_FD_FIRST, .target = "/x"},
                   &pivot, "no descriptor");
    assert_refused(
        &root, &(struct plan_step){.op = PLAN_ATTRIBUTES, .target = "/", .attributes = 1u << 30},
        &pivot, "attributes");
}

static void test_plan_read_refuses_host_paths_after_the_pivot(void **unused)
{
    struct plan_builder *builder = minimal();
    struct error err = {0};
    int fd;

    plan_builder_step(builder, &root);
    plan_builder_step(builder, &pivot);
    plan_builder_step(builder, &bind_fd); /* a descriptor is still what it was */
    assert_int_equal(plan_builder_seal(builder, &fd, &err), 0);
    (void)fd_close(fd);
    plan_builder_step(builder,
                      &(struct plan_step){.op = PLAN_BIND, .source = "/x", .target = "/x"});
    assert_int_equal(plan_builder_seal(builder, &fd, &err), -EINVAL);
    assert_non_null(strstr(err.text, "after the pivot"));
    (void)plan_builder_free(builder);
}

static void assert_settings_refused(struct plan_settings wrong)
{
    struct plan_builder *builder = minimal();
    int fd;

    plan_builder_set(builder, &wrong);
    assert_int_equal(plan_builder_seal(builder, &fd, NULL), -EINVAL);
    (void)plan_builder_free(builder);
}

#define WITH(member, value)                                                                        \
    ({                                                                                             \
        struct plan_settings _with = settings;                                                     \
        _with.member = (value);                                                                    \
        _with;                                                                                     \
    })

static int encode_root(uint32_t flags, const char *argument, struct error *err)
{
    _cleanup_plan_builder_ struct plan_builder *builder = plan_builder_new();
    _cleanup_buffer_ struct buffer bytes = {0};

    assert_non_null(builder);
    plan_builder_set(builder, &(struct plan_settings){.flags = flags});
    plan_builder_step(builder, &root);
    plan_builder_step(builder, &pivot);
    if (argument)
        plan_builder_argument(builder, argument);
    return plan_builder_encode(builder, &bytes, err);
}

static void test_plan_read_knows_a_root_for_many_jobs_from_a_job(void **unused)
{
    struct error err = {0};

    assert_int_equal(encode_root(PLAN_MAKES_ROOT, NULL, &err), 0);
    assert_int_equal(encode_root(PLAN_MAKES_ROOT, "true", &err), -EINVAL);
    assert_non_null(strstr(err.text, "a job where a root is made"));
    assert_int_equal(encode_root(PLAN_MAKES_ROOT | PLAN_MERGED, NULL, &err), -EINVAL);
    assert_int_equal(encode_root(0, NULL, &err), -EINVAL);
}

static void test_plan_read_refuses_the_host_in_a_root_that_was_ready(void **unused)
{
    static const struct plan_step ready = {.op = PLAN_ROOT_READY};
    static const struct plan_step mask = {.op = PLAN_MASK, .target = "/x"};
    static const struct plan_step bind = {.op = PLAN_BIND, .source = "/etc", .target = "/x"};
    _cleanup_buffer_ struct buffer bytes = {0};
    struct plan_builder *builder = minimal();

    assert_refused(&ready, &bind, NULL, "nothing of the host");
    assert_refused(&ready, &pivot, NULL, "nothing of the host");
    assert_refused(&ready, &root, NULL, "a new root already");
    plan_builder_step(builder, &ready);
    plan_builder_step(builder, &mask);
    encode(builder, &bytes);
}

static void test_plan_read_refuses_settings_that_cannot_be(void **unused)
{
    assert_settings_refused(WITH(flags, 1u << 31));
    assert_settings_refused(WITH(job_uid, 0));
    assert_settings_refused(WITH(job_gid, 0));
    assert_settings_refused(WITH(job_uid, settings.agent_uid));
    assert_settings_refused(WITH(job_uid, (uid_t)-1));
    assert_settings_refused(WITH(agent_uid, (uid_t)-1));
    assert_settings_refused(WITH(stop_signal, 0));
    assert_settings_refused(WITH(stop_signal, 65));
    assert_settings_refused(WITH(fd_count, PLAN_FDS_MAX + 1));
    assert_settings_refused(WITH(umask, 01000));
    assert_settings_refused(WITH(output.read_buffer, OUTPUT_READ_BUFFER_MAX + 1));
}

/* Whatever single byte is changed or cut: refused, or still a plan that can be walked to its end.
 */
static void walk(const struct plan *plan)
{
    char **list = calloc((size_t)plan->argument_count + plan->env_count + 2, sizeof(*list));
    size_t length = strlen(plan->cwd);

    plan_list_strings(plan->arguments, plan->argument_count, list);
    plan_list_strings(plan->env, plan->env_count, list + plan->argument_count + 1);
    for (uint32_t i = 0; i < plan->argument_count; i++)
        length += strlen(list[i]);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        struct plan_step step = plan_step_at(plan, i);

        length += strlen(step.source) + strlen(step.target) + strlen(step.options) +
                  strlen(plan_op_name(step.op));
    }
    for (uint32_t i = 0; i < plan->rlimit_count; i++)
        assert_true(plan_rlimit_at(plan, i).resource < RLIM_NLIMITS);
    assert_true(length < PLAN_SIZE_MAX);
    free(list);
}

static void test_plan_read_survives_every_changed_byte(void **unused)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    uint8_t *copy;
    size_t size;

    encode(complete(), &bytes);
    size = buffer_size(&bytes);
    copy = malloc(size);
    for (size_t i = 0; i < size * ARRAY_SIZE(masks); i++) {
        struct plan plan;

        memcpy(copy, buffer_bytes(&bytes), size);
        copy[i / ARRAY_SIZE(masks)] ^= masks[i % ARRAY_SIZE(masks)];
        if (plan_read(copy, size, &plan, NULL) == 0)
            walk(&plan);
    }
    free(copy);
}

static void test_plan_read_refuses_every_cut(void **unused)
{
    _cleanup_buffer_ struct buffer bytes = {0};

    encode(complete(), &bytes);
    for (size_t size = 0; size < buffer_size(&bytes); size++) {
        uint8_t *copy = malloc(size + 1); /* its own end, for the sanitizer to watch */
        struct plan plan;

        memcpy(copy, buffer_bytes(&bytes), size);
        assert_int_equal(plan_read(copy, size, &plan, NULL), -EPROTO);
        free(copy);
    }
}

static void test_plan_read_refuses_another_version(void **unused)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    struct plan_header header;
    struct error err = {0};
    struct plan plan;
    uint8_t *copy;

    encode(minimal(), &bytes);
    copy = malloc(buffer_size(&bytes));
    memcpy(copy, buffer_bytes(&bytes), buffer_size(&bytes));
    memcpy(&header, copy, sizeof(header));
    header.version++;
    memcpy(copy, &header, sizeof(header));
    assert_int_equal(plan_read(copy, buffer_size(&bytes), &plan, &err), -EPROTO);
    assert_non_null(strstr(err.text, "version"));
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_read_gives_back_settings),
        cmocka_unit_test(test_plan_read_gives_back_lists),
        cmocka_unit_test(test_plan_read_gives_back_steps_and_rlimits),
        cmocka_unit_test(test_plan_builder_seal_makes_it_unchangeable),
        cmocka_unit_test(test_plan_builder_seal_needs_a_command),
        cmocka_unit_test(test_plan_builder_seal_refuses_too_much),
        cmocka_unit_test(test_plan_read_refuses_steps_that_cannot_be),
        cmocka_unit_test(test_plan_read_refuses_host_paths_after_the_pivot),
        cmocka_unit_test(test_plan_read_knows_a_root_for_many_jobs_from_a_job),
        cmocka_unit_test(test_plan_read_refuses_the_host_in_a_root_that_was_ready),
        cmocka_unit_test(test_plan_read_refuses_settings_that_cannot_be),
        cmocka_unit_test(test_plan_read_survives_every_changed_byte),
        cmocka_unit_test(test_plan_read_refuses_every_cut),
        cmocka_unit_test(test_plan_read_refuses_another_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
