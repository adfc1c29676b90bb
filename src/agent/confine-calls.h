/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "linux/syscall-filter.h"

/* The system calls that serving needs: of our own code, glibc, OpenSSL, nghttp2, SQLite, sd-event.
 */
extern const struct syscall_filter_profile confine_calls;
