/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Is a sanitizer's runtime linked into this program? It makes system calls of its own, also after
 * those of the program were restricted. clang 14 and gcc 12 tell in different ways.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define IS_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define IS_SANITIZED 1
#    endif
#endif
#ifndef IS_SANITIZED
#    define IS_SANITIZED 0
#endif
