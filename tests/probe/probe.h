/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Prints "probe: WHAT: <text of errno>" to stderr and exits with 99, which no test asks for. */
void fail(const char *what) __attribute__((noreturn));
