/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/message.h"
#include "base/buffer.h"
#include "base/error.h"

static Hoist__V1__StartJobRequest *request_make(size_t args, size_t bytes_each)
{
    Hoist__V1__StartJobRequest *request = api_new(hoist__v1__start_job_request);
    char *arg = calloc(1, bytes_each + 1);

    assert_true(request && arg);
    memset(arg, 'x', bytes_each);
    request->spec = api_new(hoist__v1__job_spec);
    assert_non_null(request->spec);
    for (size_t i = 0; i < args; i++)
        assert_int_equal(
            api_append_bytes(&request->spec->n_args, &request->spec->args, arg, bytes_each), 0);
    free(arg);
    return request;
}

/* Packs `request` and unpacks it as a client's. */
static int pass_on(const Hoist__V1__StartJobRequest *request, struct error *err)
{
    _cleanup_buffer_ struct buffer wire = {0};
    _cleanup_api_message_ Hoist__V1__StartJobRequest *back = NULL;

    assert_int_equal(api_pack(&request->base, &wire), 0);
    return api_unpack_as(hoist__v1__start_job_request, API_FROM_CLIENT, buffer_bytes(&wire),
                         buffer_size(&wire), &back, err);
}

static void assert_passed_on(size_t args, size_t bytes_each, int code, const char *sentence)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request = request_make(args, bytes_each);
    struct error err = {0};

    assert_int_equal(pass_on(request, &err), code);
    assert_string_equal(err.text, sentence);
}

static void test_api_unpack_gives_back_what_was_packed(void **unused)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request = request_make(2, 3), *back = NULL;
    _cleanup_buffer_ struct buffer wire = {0};
    struct error err;

    assert_int_equal(api_set_text(&request->request_id, "once"), 0);
    assert_int_equal(api_set_text(&request->request_id, "r1"), 0);
    assert_int_equal(api_set_bytes(&request->spec->command, "\xff\0x", 3), 0);
    assert_int_equal(api_append_entry(&hoist__v1__job_spec__labels_entry__descriptor,
                                      &request->spec->n_labels, &request->spec->labels, "team",
                                      "blue"),
                     0);
    assert_int_equal(api_pack(&request->base, &wire), 0);
    assert_int_equal(api_unpack_as(hoist__v1__start_job_request, API_FROM_CLIENT,
                                   buffer_bytes(&wire), buffer_size(&wire), &back, &err),
                     0);
    assert_string_equal(back->request_id, "r1");
    assert_int_equal(back->spec->command.len, 3);
    assert_memory_equal(back->spec->command.data, "\xff\0x", 3);
    assert_int_equal(back->spec->n_args, 2);
    assert_string_equal(back->spec->labels[0]->key, "team");
    assert_string_equal(back->spec->labels[0]->value, "blue");
    /* An array that protobuf-c made can grow as well. */
    assert_int_equal(api_append_bytes(&back->spec->n_args, &back->spec->args, "more", 4), 0);
    assert_int_equal(back->spec->n_args, 3);
}

static void test_api_unpack_takes_nothing_for_the_empty_message(void **unused)
{
    _cleanup_api_message_ Hoist__V1__PingRequest *ping = NULL;

    assert_int_equal(api_unpack_as(hoist__v1__ping_request, API_FROM_CLIENT, NULL, 0, &ping, NULL),
                     0);
    assert_int_equal(ping->payload.len, 0);
}

static void test_api_unpack_bounds_the_arguments(void **unused)
{
    assert_passed_on(1024, 10, 0, "");
    assert_passed_on(1025, 10, -E2BIG, "spec.args has more than 1024 elements");
}

static void test_api_unpack_bounds_empty_arguments_by_the_million(void **unused)
{
    const size_t size = 4 * 1024 * 1024;
    uint8_t *wire = malloc(size + 8);
    size_t before = mallinfo2().uordblks;
    struct error err;
    ProtobufCMessage *message = NULL;

    /* StartJobRequest {spec {args: "", args: "", …}}: 2,097,152 of them. */
    assert_non_null(wire);
    memcpy(wire, "\x0a\x80\x80\x80\x02", 5);
    for (size_t i = 0; i < size; i += 2)
        memcpy(wire + 5 + i, "\x22", 2);
    assert_int_equal(api_unpack(&hoist__v1__start_job_request__descriptor, API_FROM_CLIENT, wire,
                                size + 5, &message, &err),
                     -E2BIG);
    assert_true(mallinfo2().uordblks < before + size + 65536);
    free(wire);
}

static void test_api_unpack_bounds_memory(void **unused)
{
    assert_passed_on(1, 3 * 1024 * 1024, 0, "");
    assert_passed_on(2, 3 * 1024 * 1024, -ENOBUFS,
                     "StartJobRequest needs more than 4194304 bytes of memory");
}

static void test_api_unpack_leaves_the_output_alone(void **unused)
{
    Hoist__V1__PingRequest *ping = (void *)0x1;
    struct error err;

    assert_int_equal(
        api_unpack_as(hoist__v1__ping_request, API_FROM_CLIENT, "\xff", 1, &ping, &err), -EBADMSG);
    assert_ptr_equal(ping, (void *)0x1);
}

static void test_api_append_take_owns_on_success(void **unused)
{
    _cleanup_api_message_ Hoist__V1__Job *job = api_new(hoist__v1__job);

    for (int i = 0; i < 5; i++) {
        Hoist__V1__LimitStatus *status = api_new(hoist__v1__limit_status);

        assert_int_equal(api_set_text(&status->name, "memory_max"), 0);
        assert_int_equal(api_append_take(&job->n_limits, &job->limits, status), 0);
        assert_int_equal(
            api_append_text(&job->n_degradations, &job->degradations, "no controllers"), 0);
    }
    assert_int_equal(job->n_limits, 5);
    assert_string_equal(job->limits[4]->name, "memory_max");
    assert_string_equal(job->degradations[4], "no controllers");
}

static void test_api_limits_get_and_set_by_name(void **unused)
{
    _cleanup_api_message_ Hoist__V1__Limits *limits = api_new(hoist__v1__limits);
    uint64_t value = 7;

    assert_int_equal(api_limits_get(limits, "memory_max", &value), 0);
    assert_int_equal(value, 7);
    assert_int_equal(api_limits_set(limits, "memory_max", 512), 0);
    assert_int_equal(api_limits_set(limits, "memory_max", 0), 0);
    assert_int_equal(api_limits_get(limits, "memory_max", &value), 1);
    assert_int_equal(value, 0);
    assert_int_equal(api_limits_get(limits, "memory", &value), -EINVAL);
    assert_int_equal(api_limits_set(limits, "", 1), -EINVAL);
}

static void test_api_free_takes_null(void **unused)
{
    api_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_unpack_gives_back_what_was_packed),
        cmocka_unit_test(test_api_unpack_takes_nothing_for_the_empty_message),
        cmocka_unit_test(test_api_unpack_bounds_the_arguments),
        cmocka_unit_test(test_api_unpack_bounds_empty_arguments_by_the_million),
        cmocka_unit_test(test_api_unpack_bounds_memory),
        cmocka_unit_test(test_api_unpack_leaves_the_output_alone),
        cmocka_unit_test(test_api_append_take_owns_on_success),
        cmocka_unit_test(test_api_limits_get_and_set_by_name),
        cmocka_unit_test(test_api_free_takes_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
