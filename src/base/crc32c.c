/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

/*
 * Two ways to the same number: the processor's instruction on x86-64 with SSE 4.2, else tables that
 * take eight bytes a step ("slicing by 8"). Combining uses the fact that appending n zero bytes
 * multiplies the register, as a polynomial, by x^(8n): one multiplication for each bit of n.
 */

#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)
#define CRC32C_SLICES     8

static uint32_t crc32c_table[CRC32C_SLICES][256];

static void crc32c_prepare_table(void)
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

/* The product of two polynomials over GF(2), modulo CRC-32C's; bit 31 is the coefficient of x^0. */
static uint32_t polynomial_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    /* Without a branch: the bits of a checksum are a coin's, and so would be the predictions. */
    for (; a; a <<= 1) {
        product ^= b & -(a >> 31);
        b = (b >> 1) ^ (CRC32C_POLYNOMIAL & -(b & 1));
    }
    return product;
}

/* x^(8 · 2^n): what appending 2^n zero bytes multiplies a register by. */
static uint32_t crc32c_power[64];

static void crc32c_prepare_powers(void)
{
    crc32c_power[0] = UINT32_C(0x80000000) >> 8;
    for (unsigned n = 1; n < 64; n++)
        crc32c_power[n] = polynomial_multiply(crc32c_power[n - 1], crc32c_power[n - 1]);
}

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
{
    for (unsigned n = 0; size_b; n++, size_b >>= 1)
        if (size_b & 1)
            crc_a = polynomial_multiply(crc32c_power[n], crc_a);
    return crc_a ^ crc_b;
}

#ifdef __x86_64__
/*
 * The instruction has a latency of three cycles and a throughput of one: three lanes at once keep
 * it busy, and are put together by the factor for the length of a lane.
 */
#    define CRC32C_LANE_LOG2 12
#    define CRC32C_LANE      (1 << CRC32C_LANE_LOG2)

static uint32_t crc32c_lane_table[4][256];

/* The product is linear: that of a byte is the sum of those of its bits. */
static void crc32c_prepare_lanes(void)
{
    for (unsigned place = 0; place < 4; place++)
        for (uint32_t byte = 1; byte < 256; byte++) {
            uint32_t rest = byte & (byte - 1);
            uint32_t bit = byte ^ rest;

            crc32c_lane_table[place][byte] =
                rest ? crc32c_lane_table[place][rest] ^ crc32c_lane_table[place][bit]
                     : polynomial_multiply(crc32c_power[CRC32C_LANE_LOG2], bit << (8 * place));
        }
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

#ifdef __x86_64__
static bool crc32c_has_instruction;

static bool crc32c_prepare_instruction(void)
{
    __builtin_cpu_init();
    crc32c_has_instruction = __builtin_cpu_supports("sse4.2");
    if (crc32c_has_instruction)
        crc32c_prepare_lanes();
    return crc32c_has_instruction;
}
#else
static bool crc32c_prepare_instruction(void)
{
    return false;
}
#endif

/* Before main(), so that no thread ever sees half a table. */
__attribute__((constructor)) static void crc32c_prepare(void)
{
    crc32c_prepare_powers();
    if (!crc32c_prepare_instruction())
        crc32c_prepare_table();
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
#ifdef __x86_64__
    if (crc32c_has_instruction)
        return ~crc32c_by_instruction(~crc, data, size);
#endif
    return ~crc32c_by_table(~crc, data, size);
}
