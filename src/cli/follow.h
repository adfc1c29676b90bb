/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "cli/output-stream.h"
#include "cli/reconnect.h"

/*
 * Shows the output of one or several jobs over one connection, over as many connections as it
 * takes.
 */

struct follow {
    struct reconnect reconnect;
    struct output_stream *streams; /* borrowed */
    size_t count;

    /* The connection is gone for now: free the calls on it. It is there again. NULL: nobody asks.
     */
    void (*lost)(void *userdata);
    void (*found)(void *userdata);
    /* All of this stream was shown. NULL: nobody asks. */
    void (*shown)(const struct output_stream *stream, void *userdata);
    void *userdata;
};

/*
 * Asks for the streams and shows what comes until all are over. Returns 0; -EINTR when it was left;
 * -EPIPE when nobody reads our output any more; -ENOTCONN when the agent went away and didn't come
 * back in time, told with the offsets to go on from; for another failure the first of them, told:
 * the other streams are shown all the same.
 */
int follow_outputs(struct follow *follow);
