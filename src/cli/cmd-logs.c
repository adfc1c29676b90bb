/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/error.h"
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/output-stream.h"
#include "cli/session.h"

#define EXIT_INTERRUPTED 130 /* as a shell says of a program that ^C ended */

static int read_offset(const struct arguments *arguments, uint64_t *ret)
{
    struct error err;

    *ret = 0;
    if (arguments->offset &&
        quantity_parse_unsigned(arguments->offset, UINT64_MAX, ret, &err) < 0) {
        tell("--offset: %s", err.text);
        return -EINVAL;
    }
    return 0;
}

int cmd_logs(struct session *session)
{
    const struct arguments *arguments = &session->arguments;
    _cleanup_output_stream_ struct output_stream stream = {0};
    enum output_choice choice = arguments->stdout_only == arguments->stderr_only ? OUTPUT_BOTH
                                : arguments->stdout_only ? OUTPUT_STDOUT_ONLY
                                                         : OUTPUT_STDERR_ONLY;
    uint64_t offset;
    int r;

    if (read_offset(arguments, &offset) < 0)
        return EXIT_USAGE;
    if (output_stream_open(session, arguments->words[0], offset, arguments->follow, choice,
                           &stream) < 0)
        return EXIT_FAILED;
    r = output_stream_show(&stream);
    if (r == -EINTR)
        return EXIT_INTERRUPTED;
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}
