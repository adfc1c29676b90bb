/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "output/reader.h"

/*
 * hoist.v1.StreamOutputResponse with a chunk, written around bytes that lie in the message's buffer
 * already, so that output is read from its file straight to where it is sent from.
 */

/* The data must lie at this offset of the buffer or behind it. */
#define OUTPUT_MESSAGE_HEAD_MAX 64

/*
 * The size of what comes before the data: read the data to buffer + that, and nothing has to move.
 * It depends on the size of the data, its offset and its time.
 */
size_t output_message_head_size(const struct output_chunk *chunk);

/*
 * Makes the message of `chunk`, whose data lies at buffer + data_at: moves it when the head is of
 * another size, and writes the head at the start. Returns the message's size.
 */
size_t output_message_write(const struct output_chunk *chunk, uint8_t *buffer, size_t data_at);
