# SPDX-License-Identifier: Apache-2.0
"""What `probe bytes SIZE` writes: a function of the offset alone, which holds every byte value."""

import functools


@functools.lru_cache(maxsize=None)
def period():
    return bytes(at * 2654435761 >> 13 & 0xFF for at in range(1 << 21))


def pattern(end, start=0):
    """Bytes [start, end) of it."""
    first = start % len(period())
    return (period() * ((first + end - start) // len(period()) + 1))[first:first + end - start]
