/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

struct error;

/*
 * Until when are the contents of a PEM file good? Of several certificates or lists the first that
 * ends counts. Nothing else about them is checked.
 */

enum tls_dated {
    TLS_DATED_CERTIFICATES,
    TLS_DATED_REVOCATIONS,
};

/* Wall time; 0 or a negative errno with a sentence that names the file. */
int tls_dates_read(enum tls_dated kind, const char *path, usec_t *ret, struct error *err);
