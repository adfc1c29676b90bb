/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/session.h"

/*
 * What is to be checked is known by the agent's own program, which takes our place. Installed it
 * has a place of its own, which an ordinary user's PATH may lack.
 */
int cmd_doctor(struct session *session)
{
    static const char *const flags[_OUTPUT_FORMAT_MAX] = {
        [OUTPUT_FORMAT_TABLE] = "--doctor",
        [OUTPUT_FORMAT_JSON] = "--doctor=json",
        [OUTPUT_FORMAT_YAML] = "--doctor=yaml",
    };
    const struct arguments *arguments = &session->arguments;
    char **argv = calloc(arguments->word_count + 3, sizeof(*argv));
    size_t count = 0;

    if (!argv) {
        tell("no memory");
        return EXIT_FAILED;
    }
    argv[count++] = (char[]){"hoistd"};
    argv[count++] = (char *)(uintptr_t)flags[session->format];
    for (size_t i = 0; i < arguments->word_count; i++)
        argv[count++] = arguments->words[i];
    execvp("hoistd", argv);
    if (errno == ENOENT)
        execv(HOIST_HOISTD_PATH, argv);
    tell("can't execute hoistd: %s; there is a doctor only on an agent's host", strerror(errno));
    free(argv);
    return EXIT_FAILED;
}
