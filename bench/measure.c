/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_nanoseconds(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now); /* these clocks exist */
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t measure_nanoseconds(void)
{
    return clock_nanoseconds(CLOCK_MONOTONIC);
}

double measure_seconds(void)
{
    return (double)measure_nanoseconds() / 1e9;
}

double measure_cpu(void)
{
    return (double)clock_nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

pid_t measure_fork(void)
{
    pid_t pid = fork();

    if (pid < 0)
        measure_die("fork");
    if (pid == 0)
        (void)setsid();
    return pid;
}

pid_t measure_start(char **command, int output)
{
    pid_t pid = measure_fork();

    if (pid > 0)
        return pid;
    if (dup2(output, STDOUT_FILENO) < 0)
        measure_die("dup2");
    execvp(command[0], command);
    measure_die(command[0]);
}

void measure_die(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

void measure_usage(const char *sentence)
{
    (void)fprintf(stderr, "%s\n", sentence);
    exit(2);
}

unsigned long measure_number(const char *text, unsigned long least)
{
    char *end = NULL;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least)
        measure_usage("a number is wrong or too small");
    return number;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

void measure_print_percentiles(const char *name, double *samples, size_t count)
{
    qsort(samples, count, sizeof(*samples), compare);
    (void)printf("\"%s\": {\"p50\": %.2f, \"p99\": %.2f}", name, samples[count / 2],
                 samples[count * 99 / 100]);
}
