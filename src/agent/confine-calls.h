/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "linux/syscall-filter.h"

/* A sanitizer's runtime works in this process, too. clang 14 and gcc 12 tell in different ways. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define CONFINE_SANITIZED 1
#    endif
#endif
#ifndef CONFINE_SANITIZED
#    define CONFINE_SANITIZED 0
#endif

/* The system calls that serving needs: of our own code, glibc, OpenSSL, nghttp2, SQLite, sd-event.
 */
extern const struct syscall_filter_profile confine_calls;
