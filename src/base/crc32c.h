/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): reflected polynomial 0x82F63B78, initial value and
 * final xor all ones. crc32c(0, "123456789", 9) is 0xE3069283. A running value is passed on as it
 * is returned: crc32c(crc32c(0, a, n), b, m) is the checksum of a followed by b. Uses the
 * processor's instruction where there is one.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* The checksum of a ++ b from crc(a), crc(b) and the length of b. */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b);
