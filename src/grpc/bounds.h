/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

/*
 * What a peer may make us hold, do and wait for. THREATS 2.1 (N1–N15) names the attacks; each limit
 * here says which ones it stops. They are not configurable, but for the counts of connections and
 * streams: nobody could say what another value would be good for.
 */

/* ---- one message, one header block ---- */

/* gRPC's customary 4 MiB; the length of a message is compared with it before memory is taken (N8).
 */
#define GRPC_MESSAGE_MAX (4U * 1024 * 1024)

/* Names + values + 32 for each field, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113, 6.5.2).
 * nghttp2 only advertises it: one 16 KiB frame of HPACK references became 65 MB of fields (N4). */
#define HTTP2_HEADER_BYTES_MAX  (16U * 1024)
#define HTTP2_HEADER_FIELDS_MAX 64

/* HPACK's dynamic table, of the peer's fields and of ours (SETTINGS_HEADER_TABLE_SIZE): the fields
 * of a gRPC call take some 700 bytes with their overhead. nghttp2's 4096 only make an idle
 * connection larger, and give one reference more to unpack (N4). */
#define HTTP2_HPACK_TABLE 1024U

/* A header block of 16 KiB needs no CONTINUATION at all with frames of 16 KiB (N3). */
#define HTTP2_CONTINUATIONS_MAX 4

/* Text and details of an error that we send: both must fit into a client's header list of 8 KiB,
 * the smallest that common clients allow; percent-encoding triples the worst text. */
#define GRPC_MESSAGE_TEXT_MAX 1024
#define GRPC_DETAILS_MAX      2048

/* ---- one connection ---- */

#define HTTP2_STREAMS_MAX 100 /* advertised as SETTINGS_MAX_CONCURRENT_STREAMS (N13) */

/* Requests that are not complete yet, all streams of a connection together: room for a few of the
 * largest, not for a hundred (N13). */
#define HTTP2_REQUEST_BYTES_MAX (16U * 1024 * 1024)

/* Answers that wait for the peer's window, all streams of a connection together (N6). */
#define HTTP2_ANSWER_BYTES_MAX (32U * 1024 * 1024)

/* A request is small; a server's window for one needn't be large. */
#define HTTP2_SERVER_STREAM_WINDOW     (256 * 1024)
#define HTTP2_SERVER_CONNECTION_WINDOW (1024 * 1024)

/* A client fetches output at several GB/s: windows of milliseconds, not microseconds, of that. The
 * connection's is larger, so that a stream that nobody reads doesn't stop the others. */
#define HTTP2_CLIENT_STREAM_WINDOW     (4 * 1024 * 1024)
#define HTTP2_CLIENT_CONNECTION_WINDOW (16 * 1024 * 1024)

/* Takes a whole message of GRPC_PULL_MAX in one DATA frame. */
#define HTTP2_CLIENT_FRAME_MAX (128 * 1024)

/* Output that the socket hasn't taken: beyond this nothing more is made and nothing more is read,
 * so that a peer that never reads costs this much and no more (N6). */
#define HTTP2_OUTPUT_MAX (256U * 1024)

/* Acknowledgements of PING and SETTINGS that wait to be sent (N5). */
#define HTTP2_ACKS_MAX 100

/*
 * Frames that carry no request and no data (PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA,
 * RST_STREAM, unknown ones): a bucket of tokens that fills with time, and with what an honest peer
 * answers by such frames: a WINDOW_UPDATE for stream and connection and a BDP ping for a DATA frame
 * of ours (N5).
 */
#define HTTP2_CONTROL_BURST      1000
#define HTTP2_CONTROL_PER_SECOND 100
#define HTTP2_CONTROL_EARNED_MAX 20000 /* a window of 4 MiB in frames of 1 KiB, four for each */
#define HTTP2_CONTROL_PER_DATA   4
#define HTTP2_CONTROL_PER_CALL   8

/* RST_STREAMs that the peer sends (rapid reset, N1) and that it makes us send (N2). */
#define HTTP2_RESET_BURST      200
#define HTTP2_RESET_PER_SECOND 20

/* Streams with too many headers before the connection is given up (N4). */
#define HTTP2_HEADER_BOMBS_MAX 8

/* ---- time (N7) ---- */

#define GRPC_HANDSHAKE_TIME                                                                        \
    (8 * USEC_PER_SEC) /* TLS, with two round trips to the far side of the earth */
#define GRPC_PREFACE_TIME   (10 * USEC_PER_SEC) /* from there to the first SETTINGS */
#define GRPC_REQUEST_TIME   (30 * USEC_PER_SEC) /* from HEADERS to the whole request message */
#define GRPC_STALL_TIME     (30 * USEC_PER_SEC) /* output waits and the socket takes none of it */
#define GRPC_IDLE_TIME      (15 * 60 * USEC_PER_SEC) /* no call under way */
#define GRPC_KEEPALIVE_TIME (30 * USEC_PER_SEC)      /* silence before we ask by PING */
#define GRPC_KEEPALIVE_WAIT (20 * USEC_PER_SEC)      /* and then wait */
#define GRPC_DRAIN_NOTICE   (1 * USEC_PER_SEC) /* between the two GOAWAYs of a graceful shutdown */
#define GRPC_DRAIN_CUT                                                                             \
    (1 * USEC_PER_SEC) /* from the end of a drain's calls to the connection's                      \
                        */
#define GRPC_LINGER_TIME  (1 * USEC_PER_SEC) /* read and drop after a fatal alert (T8) */
#define GRPC_LINGER_BYTES (64U * 1024)

/* ---- one server ---- */

#define GRPC_CONNECTIONS_MAX                 1024
#define GRPC_UNAUTHENTICATED_CONNECTIONS_MAX 256 /* half of them from one address */
#define GRPC_CONNECTIONS_PER_ADDRESS_MAX     256
#define GRPC_CONNECTIONS_PER_PRINCIPAL_MAX   256
#define GRPC_STREAMS_PER_PRINCIPAL_MAX       1024
#define GRPC_ACCEPT_PAUSE                    (100 * USEC_PER_MSEC) /* when descriptors ran out */

/* What one connection may read and write before the others of its thread have their turn. */
#define GRPC_TURN_READ_BYTES  (256U * 1024)
#define GRPC_TURN_WRITE_BYTES (512U * 1024)
