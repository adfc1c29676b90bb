/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/utf8.h"

static const char *const level_names[_LOG_LEVEL_MAX] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static const char *const format_names[_LOG_FORMAT_MAX] = {
    [LOG_FORMAT_TEXT] = "text",
    [LOG_FORMAT_JSON] = "json",
};

static const char *log_program = "hoist"; /* written once, before there are threads */
static _Atomic enum log_format log_lines = LOG_FORMAT_TEXT;
static _Atomic enum log_level log_most = LOG_LEVEL_INFO;

void log_init(const char *program, enum log_format format, enum log_level level)
{
    log_program = program;
    log_set(format, level);
}

void log_set(enum log_format format, enum log_level level)
{
    log_lines = format;
    log_most = level;
}

static int index_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -EINVAL;
}

int log_level_from_name(const char *name)
{
    return index_of(level_names, ARRAY_SIZE(level_names), name);
}

int log_format_from_name(const char *name)
{
    return index_of(format_names, ARRAY_SIZE(format_names), name);
}

static int append_json_escape(struct buffer *line, uint32_t character)
{
    if (character < 0x10000)
        return buffer_append_format(line, "\\u%04x", character);
    /* A surrogate pair (RFC 8259 section 7). */
    character -= 0x10000;
    return buffer_append_format(line, "\\u%04x\\u%04x", 0xd800 + (character >> 10),
                                0xdc00 + (character & 0x3ff));
}

/* Inside double quotes of JSON: RFC 8259, and everything harmful as \uXXXX; bad bytes become
 * U+FFFD. */
static int append_json_text(struct buffer *line, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t size = strlen(text);
    int r = buffer_append_text(line, "\"");

    while (r == 0 && size > 0) {
        uint32_t character;
        int length = utf8_decode(at, size, &character);

        if (length <= 0) {
            length = 1;
            r = buffer_append_text(line, "\\ufffd");
        } else if (character == '"' || character == '\\') {
            r = buffer_append_format(line, "\\%c", (int)character);
        } else if (utf8_is_harmful(character)) {
            r = append_json_escape(line, character);
        } else {
            r = buffer_append(line, at, (size_t)length);
        }
        at += length;
        size -= (size_t)length;
    }
    return r < 0 ? r : buffer_append_text(line, "\"");
}

static bool needs_quotes(const char *text)
{
    return text[0] == 0 || strpbrk(text, " \"=\t\n\r\\") != NULL;
}

static int append_text_value(struct buffer *line, const char *text)
{
    bool quoted = needs_quotes(text);
    int r = quoted ? buffer_append_text(line, "\"") : 0;

    for (; r == 0 && *text;) {
        size_t plain = strcspn(text, "\"");

        r = utf8_append_escaped(line, text, plain);
        text += plain;
        if (r == 0 && *text) {
            r = buffer_append_text(line, "\\\"");
            text++;
        }
    }
    return r < 0 || !quoted ? r : buffer_append_text(line, "\"");
}

static int append_number(struct buffer *line, const struct log_field *field)
{
    if (field->type == LOG_FIELD_USEC)
        return buffer_append_format(line, "%lld.%06lld",
                                    (long long)(field->number / (int64_t)USEC_PER_SEC),
                                    (long long)(field->number % (int64_t)USEC_PER_SEC));
    return buffer_append_format(line, "%lld", (long long)field->number);
}

static int append_field_text(struct buffer *line, const struct log_field *field)
{
    int r = buffer_append_format(line, " %s=", field->key);

    if (r < 0)
        return r;
    return field->type == LOG_FIELD_TEXT ? append_text_value(line, field->text)
                                         : append_number(line, field);
}

static int append_field_json(struct buffer *line, const struct log_field *field)
{
    int r = buffer_append_format(line, ",\"%s\":", field->key);

    if (r < 0)
        return r;
    return field->type == LOG_FIELD_TEXT ? append_json_text(line, field->text)
                                         : append_number(line, field);
}

static bool field_is_given(const struct log_field *field)
{
    return field->type != LOG_FIELD_TEXT || field->text;
}

static int line_as_text(struct buffer *line, enum log_level level, const struct log_field *fields,
                        size_t count, const char *message)
{
    char time[CLOCK_TEXT_MAX];
    int r = buffer_append_format(line, "%s %s %s: ", clock_format_utc(clock_wall(), time),
                                 level_names[level], log_program);

    if (r == 0)
        r = utf8_append_escaped(line, message, strlen(message));
    for (size_t i = 0; r == 0 && i < count; i++)
        if (field_is_given(&fields[i]))
            r = append_field_text(line, &fields[i]);
    return r < 0 ? r : buffer_append_text(line, "\n");
}

static int line_as_json(struct buffer *line, enum log_level level, const struct log_field *fields,
                        size_t count, const char *message)
{
    char time[CLOCK_TEXT_MAX];
    int r = buffer_append_format(
        line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"message\":",
        clock_format_utc(clock_wall(), time), level_names[level], log_program);

    if (r == 0)
        r = append_json_text(line, message);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (field_is_given(&fields[i]))
            r = append_field_json(line, &fields[i]);
    return r < 0 ? r : buffer_append_text(line, "}\n");
}

void log_write(enum log_level level, const struct log_field *fields, size_t count,
               const char *format, ...)
{
    _cleanup_buffer_ struct buffer line = {0};
    _cleanup_free_ char *message = NULL;
    int saved = errno, length;
    va_list args;

    if (level > log_most)
        return;
    va_start(args, format);
    length = vasprintf(&message, format, args);
    va_end(args);
    if (length < 0)
        message = NULL;
    if (message &&
        (log_lines == LOG_FORMAT_JSON ? line_as_json(&line, level, fields, count, message)
                                      : line_as_text(&line, level, fields, count, message)) == 0) {
        /* Nobody can be told that the log is gone. */
        if (write(STDERR_FILENO, buffer_bytes(&line), buffer_size(&line)) < 0)
            errno = 0;
    }
    errno = saved;
}
