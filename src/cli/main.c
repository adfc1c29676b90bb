/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/print.h"
#include "cli/session.h"

/*
 * A standard descriptor that is closed would be taken by what is opened first, a socket or a pipe
 * of ours, and what is for stdout would go there. /dev/null for reading stands in for it: it has
 * nothing to read and refuses what is written.
 */
static int hold_descriptors(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            return -errno;
        if (fd > STDERR_FILENO) {
            fd_close(fd);
            return 0;
        }
        if (fcntl(fd, F_SETFD, 0) < 0) /* hoist doctor becomes another program */
            return -errno;
    }
}

/* What comes before the command: `hoist --help`, `hoist --version`, and nothing else. */
static const struct command *command_of(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return command_find("help");
    if (strcmp(argv[1], "--version") == 0)
        return command_find("version");
    return command_find(argv[1]);
}

static int check_words(const struct command *command, const struct arguments *arguments)
{
    if (arguments->word_count < command->words_min) {
        tell("hoist %s needs %s; see hoist help %s", command->name, command->words, command->name);
        return command_usage_exit(command);
    }
    if (arguments->word_count > command->words_max) {
        tell("hoist %s: \"%s\" is one word too many; see hoist help %s", command->name,
             arguments->words[command->words_max], command->name);
        return command_usage_exit(command);
    }
    return EXIT_OK;
}

static int session_run(struct session *session)
{
    struct error err;

    /* A reader that goes away is an error of writing, not a death with calls half made. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return session->command->failure;
    if (session->command->connects) {
        session->interrupt_fd = interrupt_catch(&err);
        if (session->interrupt_fd < 0) {
            tell("%s", err.text);
            return session->command->failure;
        }
        if (session_connect(session) < 0)
            return session->command->failure;
    }
    return session->command->run(session);
}

static int session_read(struct session *session, int argc, char **argv)
{
    const struct command *command = session->command;
    struct error err;

    if (arguments_read(&session->arguments, argc, argv, command->flags | FLAGS_HELP,
                       command->words_are_a_command, &err) < 0 ||
        arguments_format(&session->arguments, &session->format, &err) < 0) {
        tell("%s; see hoist help %s", err.text, command->name);
        return command_usage_exit(command);
    }
    return session->arguments.help ? EXIT_OK : check_words(command, &session->arguments);
}

static void refuse_command(const char *word)
{
    if (word[0] == '-')
        tell("flags stand behind a command, as in: hoist ping --host build7; hoist help lists all");
    else
        tell("there is no command \"%s\"; hoist help lists them", word);
}

int main(int argc, char **argv)
{
    struct session session = {.command = command_of(argc, argv), .interrupt_fd = FD_NONE};
    int code;

    if (hold_descriptors() < 0)
        return EXIT_HOIST;
    if (!session.command) {
        refuse_command(argv[1]);
        return EXIT_USAGE;
    }
    code = session_read(&session, argc > 2 ? argc - 2 : 0, argv + MIN(argc, 2));
    if (code == EXIT_OK && session.arguments.help)
        command_print_help(session.command);
    else if (code == EXIT_OK)
        code = session_run(&session);
    if (print_flush() < 0 && code == EXIT_OK)
        code = session.command->failure;
    session_done(&session);
    return code;
}
