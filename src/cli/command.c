/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FLAGS_ALWAYS FLAGS_CONNECTION

const struct command commands[] = {
    {
        .name = "doctor",
        .words = "[-- HOISTD-FLAG …]",
        .words_max = SIZE_MAX,
        .words_are_a_command = true,
        .flags = FLAGS_FORMAT,
        .failure = EXIT_FAILED,
        .run = cmd_doctor,
        .summary = "check the host that hoist runs on, as its agent would",
        .help = "Runs hoistd --doctor on this host: kernel, cgroups, namespaces, seccomp, disk,\n"
                "sockets that jobs could use, certificates. Each check that fails tells the one\n"
                "command that mends it. Needs no running agent; run it as root.",
        .example = "hoist doctor -o json",
    },
    {
        .name = "help",
        .words = "[COMMAND]",
        .words_max = 1,
        .failure = EXIT_FAILED,
        .run = cmd_help,
        .summary = "tell what there is, or about one command",
        .help = "Without a command: the list of commands.",
        .example = "hoist help run",
    },
    {
        .name = "info",
        .words = "",
        .flags = FLAGS_ALWAYS | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_info,
        .summary = "what the agent is and can do: version, classes, limits",
        .help = "Shows the agent's version and host, its classes of limits, which limits it can\n"
                "put into force, and what the host lacks.",
        .example = "hoist info -o json",
    },
    {
        .name = "kill",
        .aliases = {"signal"},
        .words = "JOB",
        .words_min = 1,
        .words_max = 1,
        .flags = FLAGS_ALWAYS | FLAGS_SIGNAL | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_kill,
        .summary = "send one signal to a job's command",
        .help = "Sends the signal (TERM unless told otherwise) to the process group of the\n"
                "command. To end the whole tree use hoist stop.",
        .example = "hoist kill --signal HUP nightly",
    },
    {
        .name = "list",
        .aliases = {"ls", "ps"},
        .words = "",
        .flags = FLAGS_ALWAYS | FLAGS_LIST | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_list,
        .summary = "list the jobs that you may see, newest first",
        .help = "Running jobs and those that have ended and are still kept.",
        .example = "hoist list --state RUNNING --label project=web",
    },
    {
        .name = "logs",
        .aliases = {"output", "watch", "stream"},
        .words = "JOB …",
        .words_min = 1,
        .words_max = SIZE_MAX,
        .flags = FLAGS_ALWAYS | FLAGS_LOGS | FLAGS_STREAM,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_logs,
        .summary = "show jobs' output, from the first byte",
        .help = "The job's stdout goes to stdout, its stderr to stderr, byte for byte. What was\n"
                "received is checked against the agent's checksum. On a terminal control\n"
                "sequences are made visible. When the connection is lost or the agent restarted,\n"
                "it goes on at the next byte; when that takes longer than --reconnect says, it\n"
                "ends with 125 and tells the offset to go on from. Several jobs are shown line by\n"
                "line, each with its name in front. With --follow a terminal is told on stderr\n"
                "when a job started, its command, and how it ended.",
        .example = "hoist logs -f --tail 20 3f2a",
    },
    {
        .name = "ping",
        .words = "",
        .flags = FLAGS_ALWAYS | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_ping,
        .summary = "is the agent there, and who am I to it?",
        .help = "Shows round trip, the agent's version and time, and your principal and role.",
        .example = "hoist ping --host build7",
    },
    {
        .name = "rm",
        .aliases = {"delete"},
        .words = "JOB …",
        .words_min = 1,
        .words_max = SIZE_MAX,
        .flags = FLAGS_ALWAYS | FLAGS_REMOVE,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_rm,
        .summary = "remove jobs that have ended: records and output",
        .help = "With --force a job that runs is stopped first.",
        .example = "hoist rm nightly 3f2a",
    },
    {
        .name = "run",
        .words = "-- COMMAND [ARG …]",
        .words_max = SIZE_MAX,
        .words_are_a_command = true,
        .flags = FLAGS_ALWAYS | FLAGS_JOB | FLAGS_RUN | FLAGS_STREAM,
        .connects = true,
        .failure = EXIT_HOIST,
        .run = cmd_run,
        .summary = "run a command there, show its output, return its exit code",
        .help = "Standard input is not read. The first ^C stops the job with its grace, the\n"
                "second at once, the third leaves it. Exit code: the command's own; 128+n for\n"
                "signal n; 124 when the timeout passed; 126 and 127 when it can't be executed or\n"
                "isn't found; 125 when hoist itself failed or the job was lost. A lost connection\n"
                "or a restarted agent doesn't matter for as long as --reconnect says.",
        .example = "hoist run --timeout 10m -- make -C /srv/app test",
    },
    {
        .name = "start",
        .words = "-- COMMAND [ARG …]",
        .words_max = SIZE_MAX,
        .words_are_a_command = true,
        .flags = FLAGS_ALWAYS | FLAGS_JOB | FLAGS_START | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_start,
        .summary = "start a command and print its job id",
        .help = "Returns when the command has been executed; the job goes on by itself.",
        .example = "hoist start --name nightly -c 'make clean && make'",
    },
    {
        .name = "status",
        .aliases = {"get", "show"},
        .words = "JOB",
        .words_min = 1,
        .words_max = 1,
        .flags = FLAGS_ALWAYS | FLAGS_STATUS | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_status,
        .summary = "what is known of a job, and what it uses",
        .help = "CPU and disk of a running job are measured over one second. It tells what the\n"
                "kernel slows the job down for (throttled: its CPU quota, its soft memory\n"
                "limit), and what it waits for. --stats prints all that the kernel counts.",
        .example = "hoist status nightly",
    },
    {
        .name = "stop",
        .words = "JOB …",
        .words_min = 1,
        .words_max = SIZE_MAX,
        .flags = FLAGS_ALWAYS | FLAGS_STOP | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_stop,
        .summary = "end jobs with all their processes",
        .help = "Sends the signal (the job's stop signal unless told otherwise), and after the\n"
                "grace period SIGKILL to everything. Stopping a job that has ended shows how it\n"
                "ended.",
        .example = "hoist stop --grace 30s nightly",
    },
    {
        .name = "top",
        .words = "",
        .flags = FLAGS_ALWAYS | FLAGS_TOP,
        .connects = true,
        .failure = EXIT_FAILED,
        .run = cmd_top,
        .summary = "what the running jobs use, again and again",
        .help = "CPU, memory, disk and processes of each job that you may see and that has not\n"
                "ended. On a terminal the table is renewed until ^C; elsewhere it is printed\n"
                "once, or as often as --count says.",
        .example = "hoist top --sort memory",
    },
    {
        .name = "version",
        .words = "",
        .failure = EXIT_FAILED,
        .run = cmd_version,
        .summary = "print the version of this program",
        .help = "The agent's version is in hoist ping.",
        .example = "hoist version",
    },
    {
        .name = "wait",
        .words = "JOB",
        .words_min = 1,
        .words_max = 1,
        .flags = FLAGS_ALWAYS | FLAGS_WAIT | FLAGS_FORMAT,
        .connects = true,
        .failure = EXIT_HOIST,
        .run = cmd_wait,
        .summary = "wait for a job's end and return its exit code",
        .help = "Exit codes as for hoist run. With --timeout it gives up after so long with 125;\n"
                "the job goes on. A lost connection or a restarted agent doesn't matter for as\n"
                "long as --reconnect says.",
        .example = "hoist wait --timeout 1h nightly",
    },
};

const size_t commands_count = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        for (size_t alias = 0; alias < ARRAY_SIZE(commands[i].aliases); alias++)
            if (commands[i].aliases[alias] && strcmp(commands[i].aliases[alias], name) == 0)
                return &commands[i];
    }
    return NULL;
}

int command_usage_exit(const struct command *command)
{
    return command->failure == EXIT_HOIST ? EXIT_HOIST : EXIT_USAGE;
}

void command_print_help(const struct command *command)
{
    bool asks = command->summary[strlen(command->summary) - 1] == '?';

    printf("hoist %s [FLAGS]%s%s\n\n%s%s\n%s\n", command->name, command->words[0] ? " " : "",
           command->words, command->summary, asks ? "" : ".", command->help);
    if (command->aliases[0]) {
        printf("\nAlso called:");
        for (size_t i = 0; i < ARRAY_SIZE(command->aliases) && command->aliases[i]; i++)
            printf(" %s", command->aliases[i]);
        putchar('\n');
    }
    printf("\nFlags:\n");
    arguments_print_flags(command->flags | FLAGS_HELP);
    printf("\nExample:\n  %s\n", command->example);
}

void command_print_all(void)
{
    printf("hoist runs commands on remote hosts: isolated, limited, their output streamed.\n\n"
           "Usage: hoist COMMAND [FLAGS] …\n\nCommands:\n");
    for (size_t i = 0; i < commands_count; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    printf("\nhoist help COMMAND tells more. Where the agent is and who you are:\n"
           "HOIST_HOST, HOIST_PORT, HOIST_CA, HOIST_CERT, HOIST_KEY, or the flags --host, …\n");
}
