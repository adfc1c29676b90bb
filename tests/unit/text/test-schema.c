/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/strv.h"
#include "text/schema.h"
#include "text/value.h"

/* A configuration in miniature: sections, named members, items, entries. */
struct class
{
    char name[16];
    uint64_t memory;
};

struct config {
    char *listen;
    struct {
        char *cert;
        bool strict;
    } tls;
    struct class classes[4];
    size_t class_count;
    struct class items[4];
    size_t item_count;
    char **hosts;
    char *labels; /* "k=v k=v " */
    char *cert_seen;
};

static const struct text_key class_keys[] = {
    TEXT_VALUE("memory", struct class, memory, text_parse_size, NULL),
    {0},
};

static int class_add(void *destination, const char *name, void **ret, struct error *err)
{
    struct config *config = destination;

    if (config->class_count == 4)
        return error_set(err, -E2BIG, "too many classes");
    struct class *class = &config->classes[config->class_count++];

    snprintf(class->name, sizeof(class->name), "%s", name);
    *ret = class;
    return 0;
}

static int item_add(void *destination, const char *name, void **ret, struct error *err)
{
    struct config *config = destination;

    assert_null(name);
    *ret = &config->items[config->item_count++];
    return 0;
}

static int label_add(void *destination, const char *name, const char *text, struct error *err)
{
    struct config *config = destination;
    char *longer = NULL;

    assert_true(asprintf(&longer, "%s%s=%s ", config->labels ? config->labels : "", name, text) >
                0);
    free(config->labels);
    config->labels = longer;
    return 0;
}

static const struct text_key tls_keys[] = {
    TEXT_VALUE("cert", struct config, tls.cert, text_parse_path, NULL),
    TEXT_VALUE("strict", struct config, tls.strict, text_parse_bool, NULL),
    {0},
};

static const struct text_key keys[] = {
    TEXT_VALUE("listen", struct config, listen, text_parse_string, NULL),
    TEXT_GROUP("tls", tls_keys),
    {.key = "classes", .kind = TEXT_KIND_MEMBERS, .member = class_add, .keys = class_keys},
    {.key = "items", .kind = TEXT_KIND_ITEMS, .member = item_add, .keys = class_keys},
    TEXT_LIST("hosts", struct config, hosts, text_parse_strings, NULL),
    {.key = "labels", .kind = TEXT_KIND_ENTRIES, .entry = label_add},
    {0},
};

static void config_done(struct config *config)
{
    free(config->listen);
    free(config->tls.cert);
    free(config->labels);
    strv_free(config->hosts);
}

static int read_text(const char *text, struct config *ret, struct error *err)
{
    *ret = (struct config){0};
    *err = (struct error){0};
    return text_read("x.yaml", text, strlen(text), keys, ret, NULL, err);
}

static void assert_reads(const char *text, struct config *ret)
{
    struct error err;

    if (read_text(text, ret, &err) < 0)
        fail_msg("%s", err.text);
}

static void assert_refused(const char *text, const char *sentence)
{
    struct config config;
    struct error err;

    assert_true(read_text(text, &config, &err) < 0);
    assert_string_equal(err.text, sentence);
    config_done(&config);
}

static void test_text_read_fills_the_destination(void **unused)
{
    struct config config;

    assert_reads("# a comment\n"
                 "listen: 127.0.0.1:7443\n"
                 "tls: {cert: /etc/cert, strict: true}\n"
                 "classes:\n"
                 "  small: {memory: 100MB}\n"
                 "  none:\n"
                 "items:\n"
                 "  - memory: 1Ki\n"
                 "  - memory: 2Ki\n"
                 "hosts: [a, \"b c\"]\n"
                 "labels: {team: x, flag: [1, 2]}\n",
                 &config);
    assert_string_equal(config.listen, "127.0.0.1:7443");
    assert_string_equal(config.tls.cert, "/etc/cert");
    assert_true(config.tls.strict);
    assert_int_equal(config.class_count, 2);
    assert_string_equal(config.classes[0].name, "small");
    assert_int_equal(config.classes[0].memory, 100000000);
    assert_string_equal(config.classes[1].name, "none");
    assert_int_equal(config.item_count, 2);
    assert_int_equal(config.items[1].memory, 2048);
    assert_int_equal(strv_length(config.hosts), 2);
    assert_string_equal(config.hosts[1], "b c");
    assert_string_equal(config.labels, "team=x flag=1 flag=2 ");
    config_done(&config);
}

static void test_text_read_takes_json(void **unused)
{
    struct config config;

    assert_reads("{\"listen\": \"h\\u00e9\", \"tls\": {\"strict\": false}, \"hosts\": []}",
                 &config);
    assert_string_equal(config.listen, "h\xc3\xa9");
    assert_null(config.hosts);
    config_done(&config);
}

static void test_text_read_takes_an_empty_file(void **unused)
{
    static const char *const texts[] = {"", "\n", "# only a comment\n", "---\n", "~\n"};
    struct config config;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_reads(texts[i], &config);
        assert_null(config.listen);
    }
}

static void test_text_read_refuses_an_unknown_key(void **unused)
{
    assert_refused("listen: x\nclassez: {}\n",
                   "x.yaml:2:1: unknown key \"classez\"; is \"classes\" meant?");
    assert_refused("tls:\n  certificate: /x\n", "x.yaml:2:3: unknown key \"certificate\"");
    assert_refused("\"a\\nb\": 1\n", "x.yaml:1:1: unknown key \"a\\nb\"");
    assert_refused("classes: {small: {memry: 1}}\n",
                   "x.yaml:1:19: unknown key \"memry\"; is \"memory\" meant?");
}

static void test_text_read_refuses_the_wrong_kind(void **unused)
{
    assert_refused("listen: [a]\n", "x.yaml:1:9: listen needs a single value, not a list");
    assert_refused("listen: {a: b}\n", "x.yaml:1:9: listen needs a single value, not a section");
    assert_refused("listen:\n", "x.yaml:1:8: listen needs a single value, not nothing");
    assert_refused("hosts: a\n", "x.yaml:1:8: hosts needs a list, not a single value");
    assert_refused("tls: 5\n",
                   "x.yaml:1:6: tls needs a section of keys and values, not a single value");
    assert_refused("- a\n", "x.yaml:1:1: the file needs a section of keys and values, not a list");
    assert_refused("labels: {a: {b: c}}\n", "x.yaml:1:13: labels.a needs a value, not a section");
    assert_refused("classes: [a]\n", "x.yaml:1:10: classes needs a section of names, not a list");
}

static void test_text_read_refuses_a_duplicate(void **unused)
{
    assert_refused("listen: a\ntls: {}\nlisten: b\n",
                   "x.yaml:3:1: \"listen\" stands in line 1 already");
    assert_refused("classes:\n  a: {}\n  a: {}\n", "x.yaml:3:3: \"a\" stands in line 2 already");
}

static void test_text_read_says_where_a_value_is_wrong(void **unused)
{
    assert_refused("tls:\n  strict: yes\n",
                   "x.yaml:2:11: tls.strict: \"yes\" is neither true nor false");
    assert_refused("tls: {cert: etc}\n", "x.yaml:1:13: tls.cert: \"etc\" is not an absolute path: "
                                         "it must begin with /");
}

static void test_text_read_forwards_what_a_member_says(void **unused)
{
    assert_refused("classes: {a: , b: , c: , d: , e: }\n",
                   "x.yaml:1:31: classes.e: too many classes");
}

static void test_text_read_refuses_anchors_and_tags(void **unused)
{
    assert_refused("listen: &a x\n", "x.yaml:1:9: anchors and aliases (& and *) are not allowed");
    assert_refused("listen: *a\n", "x.yaml:1:9: anchors and aliases (& and *) are not allowed");
    assert_refused("a: &a [x]\nb: &b [*a,*a]\n",
                   "x.yaml:1:4: anchors and aliases (& and *) are not allowed");
    assert_refused("listen: !!str 5\n", "x.yaml:1:9: tags (!) are not allowed");
    assert_refused("&k listen: 5\n", "x.yaml:1:1: anchors and aliases (& and *) are not allowed");
}

static void test_text_read_refuses_a_second_document(void **unused)
{
    assert_refused("listen: a\n---\nlisten: b\n", "x.yaml:2:1: a second document is not allowed");
}

static void test_text_read_refuses_broken_text(void **unused)
{
    struct config config;
    struct error err;
    static const char *const texts[] = {"listen: [a\n",  "a: b: c\n",      "\tx: y\n",
                                        "listen: \"a\n", "listen: \xff\n", "? [a]\n: b\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read_text(texts[i], &config, &err), -EINVAL);
        assert_int_equal(strncmp(err.text, "x.yaml:", 7), 0);
        config_done(&config);
    }
    assert_refused("listen: \"a\\0b\"\n", "x.yaml:1:9: the text holds a NUL");
}

static void test_text_read_bounds_depth_number_and_size(void **unused)
{
    struct config config = {0};
    struct error err = {0};
    struct buffer text = {0};

    for (int i = 0; i < 5000; i++)
        assert_int_equal(buffer_append(&text, "[", 1), 0);
    assert_int_equal(text_read("x", (const char *)buffer_bytes(&text), buffer_size(&text), keys,
                               &config, NULL, &err),
                     -EINVAL);
    assert_string_equal(err.text, "x:1:17: nested too deeply");
    buffer_clear(&text);
    assert_int_equal(buffer_append_text(&text, "hosts: ["), 0);
    for (int i = 0; i < TEXT_NODES_MAX; i++)
        assert_int_equal(buffer_append_text(&text, "a,"), 0);
    assert_int_equal(text_read("x", (const char *)buffer_bytes(&text), buffer_size(&text), keys,
                               &config, NULL, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "too many values"));
    while (buffer_size(&text) <= TEXT_SIZE_MAX)
        assert_int_equal(buffer_append(&text, "################", 16), 0);
    assert_int_equal(text_read("x", (const char *)buffer_bytes(&text), buffer_size(&text), keys,
                               &config, NULL, &err),
                     -EFBIG);
    buffer_done(&text);
}

static void remember_cert(void *owner, const char *path, unsigned line)
{
    struct buffer *seen = owner;

    assert_int_equal(buffer_append_format(seen, "%s@%u ", path, line), 0);
}

static void test_text_read_tells_the_witness(void **unused)
{
    static const char text[] = "listen: a\ntls:\n  cert: /c\nclasses:\n  x: {memory: 1}\n";
    struct buffer seen = {0};
    struct text_witness witness = {remember_cert, &seen};
    struct config config = {0};
    struct error err;
    char *told;

    assert_int_equal(text_read("x", text, strlen(text), keys, &config, &witness, &err), 0);
    told = buffer_take_text(&seen);
    assert_string_equal(told,
                        "listen@1 tls.cert@3 tls@2 classes.x.memory@5 classes.x@5 classes@4 ");
    free(told);
    config_done(&config);
}

static void test_text_read_file_names_the_file(void **unused)
{
    struct config config = {0};
    struct error err;
    char path[] = "/tmp/hoist-test-schema-XXXXXX";
    int fd = mkstemp(path);

    assert_int_equal(text_read_file("/nonexistent/x", keys, &config, NULL, &err), -ENOENT);
    assert_string_equal(err.text, "/nonexistent/x: can't be read: No such file or directory");
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "listen: me\n", 11), 11);
    close(fd);
    assert_int_equal(text_read_file(path, keys, &config, NULL, &err), 0);
    assert_string_equal(config.listen, "me");
    unlink(path);
    config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_read_fills_the_destination),
        cmocka_unit_test(test_text_read_takes_json),
        cmocka_unit_test(test_text_read_takes_an_empty_file),
        cmocka_unit_test(test_text_read_refuses_an_unknown_key),
        cmocka_unit_test(test_text_read_refuses_the_wrong_kind),
        cmocka_unit_test(test_text_read_refuses_a_duplicate),
        cmocka_unit_test(test_text_read_says_where_a_value_is_wrong),
        cmocka_unit_test(test_text_read_forwards_what_a_member_says),
        cmocka_unit_test(test_text_read_refuses_anchors_and_tags),
        cmocka_unit_test(test_text_read_refuses_a_second_document),
        cmocka_unit_test(test_text_read_refuses_broken_text),
        cmocka_unit_test(test_text_read_bounds_depth_number_and_size),
        cmocka_unit_test(test_text_read_tells_the_witness),
        cmocka_unit_test(test_text_read_file_names_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
