/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * Structured log lines on stderr, one for each event; only programs call this, libraries return
 * errors.
 *
 * error: someone must act. warning: degraded. info: life cycle. debug: for developers.
 * As text: `2026-11-21T22:27:43.123456Z info hoistd: job started job=… principal=alice`; values
 * with blanks or quotes are quoted and escaped. As JSON: one object a line with the keys time,
 * level, program, message and the fields. Whatever came from elsewhere is made harmless. A line is
 * written by one write(2), so that lines of several threads don't mix.
 */

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
    _LOG_LEVEL_MAX,
};

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
    _LOG_FORMAT_MAX,
};

enum log_field_type {
    LOG_FIELD_TEXT,
    LOG_FIELD_NUMBER,
    LOG_FIELD_USEC, /* written in seconds with six decimals */
};

struct log_field {
    const char *key;
    enum log_field_type type;
    const char *text; /* NULL: the field is left out */
    int64_t number;
};

#define LOG_TEXT(name, value) ((struct log_field){.key = (name), .text = (value)})
#define LOG_NUMBER(name, value)                                                                    \
    ((struct log_field){.key = (name), .type = LOG_FIELD_NUMBER, .number = (int64_t)(value)})
#define LOG_USEC(name, value)                                                                      \
    ((struct log_field){.key = (name), .type = LOG_FIELD_USEC, .number = (int64_t)(value)})

/* Once, before any thread starts. `program` must stay valid. */
void log_init(const char *program, enum log_format format, enum log_level level);

/* The same later on, from any thread. */
void log_set(enum log_format format, enum log_level level);

int log_level_from_name(const char *name);
int log_format_from_name(const char *name);

void log_write(enum log_level level, const struct log_field *fields, size_t count,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

#define log_event(level, message, ...)                                                             \
    log_write((level), (const struct log_field[]){__VA_ARGS__},                                    \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field), "%s",    \
              (message))
#define log_error(...)   log_write(LOG_LEVEL_ERROR, NULL, 0, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, NULL, 0, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, NULL, 0, __VA_ARGS__)
