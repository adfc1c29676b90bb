/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/session.h"

int cmd_help(struct session *session)
{
    const struct command *command;

    if (session->arguments.word_count == 0) {
        command_print_all();
        return EXIT_OK;
    }
    command = command_find(session->arguments.words[0]);
    if (!command) {
        tell("there is no command \"%s\"; hoist help lists them", session->arguments.words[0]);
        return EXIT_USAGE;
    }
    command_print_help(command);
    return EXIT_OK;
}
