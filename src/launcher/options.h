/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "launcher/config.h"

struct error;

/*
 * The launcher's command line: flags that are keys of launcher.conf, a few of its own, and behind
 * "--" what hoistd is given.
 */

enum options_request {
    OPTIONS_RUN,
    OPTIONS_PARK,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_VERSION,
    OPTIONS_HELP,
};

/*
 * Reads the command line and the file that it names into `config` (config_init() was called). The
 * default file may be missing, one that was named may not. --help, --version and --park need
 * neither.
 *
 * `again` is the `file` of the configuration that this one is to replace; NULL: none. It has to be
 * there: a file that has gone doesn't mean that root allows everything now.
 */
int options_load(int argc, char **argv, const char *again, struct launcher_config *config,
                 enum options_request *ret_request, struct error *err);

/* Appends the text of --help. */
int options_help(struct buffer *out);
