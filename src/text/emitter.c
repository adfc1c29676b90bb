/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both formats are written from one jansson tree, so that they can't come to differ in what they
 * hold.
 */
#include "text/emitter.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/yaml-write.h"

#define DEPTH_MAX 32

struct emitter {
    json_t *root;            /* owned; NULL: nothing yet */
    json_t *open[DEPTH_MAX]; /* borrowed: the maps and lists that are not ended */
    unsigned depth;
    int failure; /* the first, negative errno; 0 */
};

struct emitter *emitter_new(void)
{
    return calloc(1, sizeof(struct emitter));
}

static void emitter_clear(struct emitter *emitter)
{
    json_decref(emitter->root);
    *emitter = (struct emitter){0};
}

struct emitter *emitter_free(struct emitter *emitter)
{
    if (emitter)
        emitter_clear(emitter);
    free(emitter);
    return NULL;
}

/* Is this the place for a value under `key`? A name given twice could replace a map that is open.
 */
static bool key_fits(const struct emitter *emitter, const json_t *in, const char *key)
{
    if (!in)
        return !key && !emitter->root;
    if (json_is_array(in))
        return !key;
    return key && !json_object_get(in, key);
}

/* Takes `value`, whatever happens; NULL: there was no memory for it. */
static void put_consume(struct emitter *emitter, const char *key, json_t *value)
{
    json_t *in = emitter->depth > 0 ? emitter->open[emitter->depth - 1] : NULL;

    if (emitter->failure == 0 && !value)
        emitter->failure = -ENOMEM;
    if (emitter->failure == 0 && !key_fits(emitter, in, key))
        emitter->failure = -EINVAL;
    if (emitter->failure < 0)
        json_decref(value);
    else if (!in)
        emitter->root = value;
    else if (key ? json_object_set_new(in, key, value) : json_array_append_new(in, value))
        emitter->failure = -ENOMEM;
}

static void begin(struct emitter *emitter, const char *key, json_t *container)
{
    put_consume(emitter, key, container);
    if (emitter->failure < 0)
        return;
    if (emitter->depth == DEPTH_MAX)
        emitter->failure = -EINVAL;
    else
        emitter->open[emitter->depth++] = container;
}

void emitter_begin_map(struct emitter *emitter, const char *key)
{
    begin(emitter, key, json_object());
}

void emitter_begin_list(struct emitter *emitter, const char *key)
{
    begin(emitter, key, json_array());
}

void emitter_end(struct emitter *emitter)
{
    if (emitter->depth == 0 && emitter->failure == 0)
        emitter->failure = -EINVAL;
    if (emitter->failure == 0)
        emitter->depth--;
}

/* What is UTF-8 stays, other bytes become \xNN. */
static int append_utf8(struct buffer *out, const uint8_t *data, size_t size)
{
    int r = 0;

    while (size > 0 && r >= 0) {
        uint32_t character;
        int length = utf8_decode(data, size, &character);
        size_t step = length > 0 ? (size_t)length : 1;

        r = length > 0 ? buffer_append(out, data, step)
                       : buffer_append_format(out, "\\x%02x", data[0]);
        data += step;
        size -= step;
    }
    return r;
}

void emitter_bytes(struct emitter *emitter, const char *key, const void *data, size_t size)
{
    _cleanup_buffer_ struct buffer out = {0};

    if (utf8_is_valid(data, size))
        put_consume(emitter, key, json_stringn(size > 0 ? data : "", size));
    else if (append_utf8(&out, data, size) < 0)
        put_consume(emitter, key, NULL);
    else
        put_consume(emitter, key,
                    json_stringn((const char *)buffer_bytes(&out), buffer_size(&out)));
}

void emitter_text(struct emitter *emitter, const char *key, const char *text)
{
    if (text)
        emitter_bytes(emitter, key, text, strlen(text));
    else
        emitter_null(emitter, key);
}

void emitter_bool(struct emitter *emitter, const char *key, bool value)
{
    put_consume(emitter, key, json_boolean(value));
}

void emitter_integer(struct emitter *emitter, const char *key, int64_t value)
{
    put_consume(emitter, key, json_integer(value));
}

void emitter_unsigned(struct emitter *emitter, const char *key, uint64_t value)
{
    char digits[24];

    if (value <= INT64_MAX) {
        emitter_integer(emitter, key, (int64_t)value);
        return;
    }
    (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    emitter_text(emitter, key, digits);
}

void emitter_real(struct emitter *emitter, const char *key, double value)
{
    if (isfinite(value))
        put_consume(emitter, key, json_real(value));
    else
        emitter_null(emitter, key);
}

void emitter_null(struct emitter *emitter, const char *key)
{
    put_consume(emitter, key, json_null());
}

static int append_chunk(const char *data, size_t size, void *owner)
{
    return buffer_append(owner, data, size) < 0 ? -1 : 0;
}

static int json_write(const json_t *root, struct buffer *out)
{
    /* 6 digits: what a percentage or a rate deserves, instead of 0.10000000000000001. */
    if (json_dump_callback(root, append_chunk, out,
                           JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6)) < 0)
        return -ENOMEM;
    return buffer_append(out, "\n", 1);
}

int emitter_finish(struct emitter *emitter, enum emitter_format format, struct buffer *out,
                   struct error *err)
{
    int r = emitter->failure;

    if (r == 0 && (emitter->depth > 0 || !emitter->root))
        r = -EINVAL;
    if (r == 0)
        r = format == EMITTER_YAML ? yaml_write(emitter->root, out)
                                   : json_write(emitter->root, out);
    emitter_clear(emitter);
    if (r < 0)
        return error_set(err, r, "the document can't be written: %s", strerror(-r));
    return 0;
}
