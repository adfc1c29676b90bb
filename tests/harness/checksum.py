# SPDX-License-Identifier: Apache-2.0
"""CRC-32C, by which output is checked."""

import functools


@functools.lru_cache(maxsize=None)
def crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


def crc32c(data):
    """CRC-32C (Castagnoli) as RFC 3720 has it; not our code."""
    table, crc = crc32c_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
