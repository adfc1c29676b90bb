/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

/*
 * Two ways to the same number: the processor's instruction on x86-64 with SSE 4.2, else tables that
 * take eight bytes a step ("slicing by 8"). Combining uses the fact that appending n zero bytes is
 * a linear map of the register: its powers of two are squared as needed.
 */

#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)
#define CRC32C_SLICES     8

static uint32_t crc32c_table[CRC32C_SLICES][256];
static bool crc32c_has_instruction;

/* Before main(), so that no thread ever sees half a table. */
__attribute__((constructor)) static void crc32c_prepare(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
        crc32c_table[0][byte] = crc;
    }
    for (unsigned slice = 1; slice < CRC32C_SLICES; slice++)
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t crc = crc32c_table[slice - 1][byte];

            crc32c_table[slice][byte] = (crc >> 8) ^ crc32c_table[0][crc & 0xff];
        }
#ifdef __x86_64__
    __builtin_cpu_init();
    crc32c_has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

static uint32_t crc32c_by_table(uint32_t crc, const uint8_t *data, size_t size)
{
    for (; size >= 8; size -= 8, data += 8) {
        crc ^= (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 |
               (uint32_t)data[3] << 24;
        crc = crc32c_table[7][crc & 0xff] ^ crc32c_table[6][(crc >> 8) & 0xff] ^
              crc32c_table[5][(crc >> 16) & 0xff] ^ crc32c_table[4][crc >> 24] ^
              crc32c_table[3][data[4]] ^ crc32c_table[2][data[5]] ^ crc32c_table[1][data[6]] ^
              crc32c_table[0][data[7]];
    }
    for (; size > 0; size--, data++)
        crc = (crc >> 8) ^ crc32c_table[0][(crc ^ *data) & 0xff];
    return crc;
}

/* What appending 1, 2, 4, … zero bytes does to a register, as a 32 × 32 matrix over GF(2). */
struct crc32c_map {
    uint32_t column[32];
};

static uint32_t map_apply(const struct crc32c_map *map, uint32_t vector)
{
    uint32_t sum = 0;

    for (unsigned bit = 0; vector; bit++, vector >>= 1)
        if (vector & 1)
            sum ^= map->column[bit];
    return sum;
}

static struct crc32c_map map_square(const struct crc32c_map *map)
{
    struct crc32c_map square;

    for (unsigned bit = 0; bit < 32; bit++)
        square.column[bit] = map_apply(map, map->column[bit]);
    return square;
}

static struct crc32c_map map_one_zero_byte(void)
{
    struct crc32c_map map;

    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t crc = UINT32_C(1) << bit;

        map.column[bit] = (crc >> 8) ^ crc32c_table[0][crc & 0xff];
    }
    return map;
}

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
{
    struct crc32c_map map = map_one_zero_byte();

    for (; size_b; size_b >>= 1) {
        if (size_b & 1)
            crc_a = map_apply(&map, crc_a);
        map = map_square(&map);
    }
    return crc_a ^ crc_b;
}

#ifdef __x86_64__
/*
 * The instruction has a latency of three cycles and a throughput of one: three lanes at once keep
 * it busy, and are put together by the map for the length of a lane.
 */
#    define CRC32C_LANE 4096

static uint32_t crc32c_lane_table[4][256];

__attribute__((constructor)) static void crc32c_prepare_lanes(void)
{
    struct crc32c_map map;

    crc32c_prepare(); /* the order of constructors in one file is not promised */
    map = map_one_zero_byte();
    for (unsigned length = 1; length < CRC32C_LANE; length *= 2)
        map = map_square(&map);
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned place = 0; place < 4; place++)
            crc32c_lane_table[place][byte] = map_apply(&map, (uint32_t)byte << (8 * place));
}

static uint32_t crc32c_shift_lane(uint64_t crc)
{
    return crc32c_lane_table[0][crc & 0xff] ^ crc32c_lane_table[1][(crc >> 8) & 0xff] ^
           crc32c_lane_table[2][(crc >> 16) & 0xff] ^ crc32c_lane_table[3][(crc >> 24) & 0xff];
}

static uint64_t load64(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t
crc32c_by_instruction(uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t a = crc;

    for (; size >= (size_t)3 * CRC32C_LANE; size -= 3 * CRC32C_LANE, data += 3 * CRC32C_LANE) {
        uint64_t b = 0, c = 0;

        for (size_t at = 0; at < CRC32C_LANE; at += 8) {
            a = __builtin_ia32_crc32di(a, load64(data + at));
            b = __builtin_ia32_crc32di(b, load64(data + CRC32C_LANE + at));
            c = __builtin_ia32_crc32di(c, load64(data + (size_t)2 * CRC32C_LANE + at));
        }
        a = crc32c_shift_lane(a) ^ b;
        a = crc32c_shift_lane(a) ^ c;
    }
    for (; size >= 8; size -= 8, data += 8)
        a = __builtin_ia32_crc32di(a, load64(data));
    crc = (uint32_t)a;
    for (; size > 0; size--, data++)
        crc = __builtin_ia32_crc32qi(crc, *data);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
#ifdef __x86_64__
    if (crc32c_has_instruction)
        return ~crc32c_by_instruction(~crc, data, size);
#endif
    return ~crc32c_by_table(~crc, data, size);
}
