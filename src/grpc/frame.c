/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/frame.h"

#include <errno.h>

void frame_head_write(uint8_t head[static FRAME_HEAD_SIZE], size_t size)
{
    head[0] = 0;
    head[1] = (uint8_t)(size >> 24);
    head[2] = (uint8_t)(size >> 16);
    head[3] = (uint8_t)(size >> 8);
    head[4] = (uint8_t)size;
}

int frame_parse(const uint8_t *data, size_t size, size_t limit, const uint8_t **ret_message,
                size_t *ret_size)
{
    size_t length;

    if (size > 0 && data[0] != 0)
        return data[0] == 1 ? -EOPNOTSUPP : -EBADMSG;
    if (size < FRAME_HEAD_SIZE)
        return 0;
    length = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
    if (length > limit)
        return -EMSGSIZE;
    if (size - FRAME_HEAD_SIZE < length)
        return 0;
    *ret_message = data + FRAME_HEAD_SIZE;
    *ret_size = length;
    return 1;
}
