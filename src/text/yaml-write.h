/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <jansson.h>

struct buffer;

/*
 * Appends a JSON tree as one YAML document, in block style. Texts that a YAML 1.1 or 1.2 reader
 * could take for something else (yes, null, 1e3, 2026-11-21) are quoted. Returns 0 or -ENOMEM.
 */
int yaml_write(const json_t *root, struct buffer *out);
