/* SPDX-License-Identifier: BSD-2-Clause */

#include "control_hello.h"

#include <stdbool.h>
#include <string.h>
#include "crc32.h"

#define PREFIX_SIZE ((uint32_t)sizeof(CONTROL_HELLO_PREFIX) - 1)
#define TOKEN_END   (PREFIX_SIZE + 2 * LINK_TOKEN_SIZE)

_Static_assert(TOKEN_END + 8 == CONTROL_HELLO_SIZE, "8 digits are left for the check");

static const uint8_t digits[] = "0123456789abcdef";

/* A hexadecimal digit's value, or 16 for all that is none. Capitals are none: a hello has one form.
 */
static uint32_t value_of(uint8_t digit)
{
    uint32_t value = 0;

    while (value < 16 && digits[value] != digit) {
        value++;
    }
    return value;
}

/* The check's digit number `index`, the most significant one first. */
static uint8_t check_digit(uint32_t check, uint32_t index)
{
    return digits[~check >> (28 - 4 * index) & 15];
}

void control_hello_write(uint8_t hello[CONTROL_HELLO_SIZE], const uint8_t token[LINK_TOKEN_SIZE])
{
    memcpy(hello, CONTROL_HELLO_PREFIX, PREFIX_SIZE);
    for (uint32_t i = 0; i < LINK_TOKEN_SIZE; i++) {
        hello[PREFIX_SIZE + 2 * i] = digits[token[i] >> 4];
        hello[PREFIX_SIZE + 2 * i + 1] = digits[token[i] & 15];
    }
    uint32_t check = crc32_add(UINT32_MAX, hello + PREFIX_SIZE, 2 * LINK_TOKEN_SIZE);
    for (uint32_t i = 0; i < 8; i++) {
        hello[TOKEN_END + i] = check_digit(check, i);
    }
}

void control_hello_start(struct control_hello *hello)
{
    memset(hello, 0, sizeof(*hello));
}

static bool take_digit(struct control_hello *hello, uint8_t byte)
{
    uint8_t *into = &hello->token[(hello->taken - PREFIX_SIZE) / 2];
    uint32_t value = value_of(byte);

    if (hello->taken == PREFIX_SIZE) {
        hello->check = UINT32_MAX;
    }
    hello->check = crc32_add(hello->check, &byte, 1);
    *into = (uint8_t)(*into << 4 | value);
    return value < 16;
}

/* Whether `byte` may stand at its place. */
static bool fits(struct control_hello *hello, uint8_t byte)
{
    if (hello->taken < PREFIX_SIZE) {
        return byte == (uint8_t)CONTROL_HELLO_PREFIX[hello->taken];
    }
    if (hello->taken < TOKEN_END) {
        return take_digit(hello, byte);
    }
    return byte == check_digit(hello->check, hello->taken - TOKEN_END);
}

enum control_hello_state control_hello_take(struct control_hello *hello, uint8_t byte)
{
    if (hello->state > CONTROL_HELLO_PART || !fits(hello, byte)) {
        hello->state = CONTROL_HELLO_FAILED;
        return CONTROL_HELLO_FAILED;
    }
    hello->taken++;
    hello->state = hello->taken < CONTROL_HELLO_SIZE ? CONTROL_HELLO_PART : CONTROL_HELLO_WHOLE;
    return hello->state;
}
