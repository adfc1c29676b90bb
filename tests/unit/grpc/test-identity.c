/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "forge.h"
#include "grpc/identity.h"

static int identify(struct forge_request request, struct identity *ret, struct error *err)
{
    struct forged forged = forge(&request, NULL);
    int r = identity_from_certificate(forged.certificate, ret, err);

    forged_done(&forged);
    return r;
}

static void assert_refused(struct forge_request request, const char *sentence)
{
    struct identity identity = {.principal = "untouched"};
    struct error err = {0};

    assert_int_equal(identify(request, &identity, &err), -EKEYREJECTED);
    assert_string_equal(err.text, sentence);
    assert_string_equal(identity.principal, "untouched");
}

static void test_identity_is_cn_and_o(void **unused)
{
    struct identity identity;
    struct error err = {0};

    assert_int_equal(
        identify((struct forge_request){.subject = {NAME("O", "admin"), NAME("CN", "alice")}},
                 &identity, &err),
        0);
    assert_string_equal(identity.principal, "alice");
    assert_string_equal(identity.role, "admin");
}

static void test_identity_needs_one_cn(void **unused)
{
    assert_refused((struct forge_request){.subject = {NAME("O", "admin")}},
                   "the certificate's subject has no CN");
    assert_refused((struct forge_request){.subject = {NAME("CN", "alice"), NAME("CN", "admin")}},
                   "the certificate's subject has 2 CNs, not one");
}

static void test_identity_refuses_nul_in_cn(void **unused)
{
    assert_refused(
        (struct forge_request){.subject = {NAME_AS("CN", "admin\0.evil", V_ASN1_UTF8STRING, 11)}},
        "the CN of the certificate's subject holds a NUL");
}

static void test_identity_reads_a_bmp_string_as_text(void **unused)
{
    struct identity identity;
    struct error err = {0};

    assert_int_equal(
        identify((struct forge_request){.subject = {NAME_AS("CN", "\0a\0l", V_ASN1_BMPSTRING, 4)}},
                 &identity, &err),
        0);
    assert_string_equal(identity.principal, "al");
}

static void test_identity_bounds_the_length(void **unused)
{
    char name[65];
    struct identity identity;
    struct error err = {0};

    memset(name, 'a', 64);
    name[64] = '\0';
    assert_refused((struct forge_request){.subject = {NAME("CN", name)}},
                   "the CN of the certificate's subject is longer than 63 bytes");
    name[63] = '\0';
    assert_int_equal(
        identify((struct forge_request){.subject = {NAME("CN", name)}}, &identity, &err), 0);
    assert_string_equal(identity.principal, name);
}

static void test_identity_refuses_other_characters(void **unused)
{
    static const char *const names[] = {
        "Alice", "alice/../root", "a b", "-alice", "a\nb", "\320\260dmin", "a\x1b[1m",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_refused(
            (struct forge_request){.subject = {NAME_AS("CN", names[i], V_ASN1_UTF8STRING, 0)}},
            "the CN of the certificate's subject is no principal: it must match "
            "[a-z0-9][a-z0-9._-]{0,62}");
}

static void test_identity_refuses_two_os(void **unused)
{
    assert_refused((struct forge_request){.subject = {NAME("CN", "alice"), NAME("O", "user"),
                                                      NAME("O", "admin")}},
                   "the certificate's subject has 2 Os, not one");
    assert_refused(
        (struct forge_request){
            .subject = {NAME("CN", "alice"), NAME_AS("O", "admin\0x", V_ASN1_UTF8STRING, 7)}},
        "the O of the certificate's subject holds a NUL");
}

static void test_identity_takes_an_organisation_for_no_role(void **unused)
{
    static const char *const organisations[] = {
        "Example Ltd",
        "\320\260dmin",
        "Admin",
        "the-society-for-the-advancement-of-names-that-are-too-long-by-far",
    };
    struct identity identity;
    struct error err = {0};

    for (size_t i = 0; i < sizeof(organisations) / sizeof(organisations[0]); i++) {
        assert_int_equal(identify(
                             (struct forge_request){
                                 .subject = {NAME("CN", "alice"),
                                             NAME_AS("O", organisations[i], V_ASN1_UTF8STRING, 0)}},
                             &identity, &err),
                         0);
        assert_string_equal(identity.role, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_is_cn_and_o),
        cmocka_unit_test(test_identity_needs_one_cn),
        cmocka_unit_test(test_identity_refuses_nul_in_cn),
        cmocka_unit_test(test_identity_reads_a_bmp_string_as_text),
        cmocka_unit_test(test_identity_bounds_the_length),
        cmocka_unit_test(test_identity_refuses_other_characters),
        cmocka_unit_test(test_identity_refuses_two_os),
        cmocka_unit_test(test_identity_takes_an_organisation_for_no_role),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
