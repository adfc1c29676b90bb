/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the programs of bench/ have in common: clocks, arguments, dying. They measure on a machine
 * that is theirs and trust what they are given: whatever goes wrong ends them with a sentence.
 */

/* CLOCK_MONOTONIC, in seconds and in nanoseconds. */
double measure_seconds(void);
uint64_t measure_nanoseconds(void);

/* User and system time of this process so far, all threads, in seconds. */
double measure_cpu(void);

/* A child in a session of its own, as jobs have: the scheduler treats the processes of one session
 * as one (sched(7), autogroup). 0 in the child. */
pid_t measure_fork(void);

/* The pid of a `command` (ended by NULL) whose output goes to `output`. */
pid_t measure_start(char **command, int output);

/* `what: <text of errno>`, exit code 1. */
void measure_die(const char *what) __attribute__((noreturn));

/* `sentence`, exit code 2. */
void measure_usage(const char *sentence) __attribute__((noreturn));

/* An argument as a whole number of at least `least`. */
unsigned long measure_number(const char *text, unsigned long least);

/* Sorts `samples` in place and prints `"name": {"p50": …, "p99": …}` of them to stdout. */
void measure_print_percentiles(const char *name, double *samples, size_t count);
