/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The limit for capturing a job's output: a pipe of 1 MiB, and 256 KiB at a time from it to a file.
 *
 *   limit-pipe FILE COMMAND [ARGUMENT]…
 *
 * Prints one JSON object: bytes, seconds from the command's start to its last byte in the file, and
 * the CPU seconds of the one that copies.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define PIPE_SIZE (1024 * 1024)
#define COPY_SIZE ((size_t)256 * 1024)

static uint64_t copy(int from, int to)
{
    static char data[COPY_SIZE];
    uint64_t bytes = 0;
    ssize_t n;

    while ((n = read(from, data, sizeof(data))) > 0) {
        if (write(to, data, (size_t)n) != n)
            measure_die("write");
        bytes += (uint64_t)n;
    }
    return bytes;
}

int main(int argc, char **argv)
{
    int fds[2], file, status;
    double begin, cpu;
    uint64_t bytes;
    pid_t pid;

    if (argc < 3)
        measure_usage("limit-pipe FILE COMMAND [ARGUMENT]…");
    file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        measure_die(argv[1]);
    if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
        measure_die("pipe");
    begin = measure_seconds();
    cpu = measure_cpu();
    pid = measure_start(argv + 2, fds[1]);
    (void)close(fds[1]);
    bytes = copy(fds[0], file);
    if (waitpid(pid, &status, 0) != pid)
        measure_die("waitpid");
    (void)printf("{\"bytes\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
                 (unsigned long long)bytes, measure_seconds() - begin, measure_cpu() - cpu);
    return 0;
}
