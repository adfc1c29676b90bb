/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/*
 * Length-prefixed messages: one flag byte (compressed or not), four bytes of length in network
 * order, the message ("gRPC over HTTP/2", Length-Prefixed-Message).
 */

#define FRAME_HEAD_SIZE 5

void frame_head_write(uint8_t head[static FRAME_HEAD_SIZE], size_t size);

/*
 * Looks at the first message of `size` bytes at `data`. Returns 1 when it is there whole
 * (*ret_message, *ret_size, borrowed from `data`; FRAME_HEAD_SIZE + *ret_size bytes are done with);
 * 0 when more bytes are needed; -EMSGSIZE when it claims more than `limit`, known before it has
 * arrived; -EOPNOTSUPP when it is flagged as compressed; -EBADMSG for any other flag.
 */
int frame_parse(const uint8_t *data, size_t size, size_t limit, const uint8_t **ret_message,
                size_t *ret_size);
