/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOURCES: lib/control_link.c lib/control_hello.c
 *
 * An end of the control channel's link, and a hostile line: the first bit of the input says whether
 * that brings bytes as they are, or also frames with right checksums. The owner sends, takes what
 * comes, or does not, in between. Whatever comes: nothing is acknowledged that was not sent, what
 * arrives has a length that a message may have, and no frame that goes out is too long.
 */

#include <stdlib.h>
#include <string.h>
#include "input.h"
#include "lib/control_hello.h"
#include "lib/control_link.h"
#include "lib/crc32.h"

static const uint8_t token[LINK_TOKEN_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};

static struct link link_under_test;
static uint32_t committed, taken; /* messages */
static uint32_t without_zero;     /* bytes that the line was given since the last zero */
static uint64_t now;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check(void)
{
    const struct link *link = &link_under_test;
    uint32_t window = (uint8_t)(link->out_end - link->out_first);
    uint32_t sent = (uint8_t)(link->out_new - link->out_first);
    uint32_t length;

    require(window <= LINK_WINDOW && sent <= window);
    require((uint8_t)committed == link->out_end && (uint8_t)taken == link->in_first);
    require(link_idle(link) == (window == 0));
    require(link_size_wanted(link) >= LINK_MESSAGE_MIN &&
            link_size_wanted(link) <= LINK_MESSAGE_MAX);
    require(link_deadline(link) <= now + LINK_KEEPALIVE_US);
    require((link_peek(link, &length) == NULL) == (length == 0) && length <= LINK_MESSAGE_MAX);
}

static void send_message(struct input *input)
{
    uint32_t length = 1 + (uint32_t)take(input, 1) % LINK_MESSAGE_MAX;
    uint8_t *bytes = link_reserve(&link_under_test);

    if (bytes != NULL) {
        memset(bytes, (int)take(input, 1), length);
        link_commit(&link_under_test, length);
        committed++;
    }
}

static void take_message(void)
{
    uint32_t length;

    if (link_peek(&link_under_test, &length) != NULL) {
        taken++;
    }
    link_release(&link_under_test);
}

static void transmit(struct input *input)
{
    uint8_t bytes[256];
    uint32_t room = (uint32_t)take(input, 1);
    uint32_t count = link_transmit(&link_under_test, bytes, room, now);

    require(count <= room);
    for (uint32_t i = 0; i < count; i++) {
        without_zero = bytes[i] == 0 ? 0 : without_zero + 1;
        require(without_zero < LINK_FRAME_MAX);
    }
}

/* Bytes as they are. */
static void receive_raw(struct input *input)
{
    uint32_t count = (uint32_t)take(input, 1);

    count = count < input->left ? count : (uint32_t)input->left;
    link_receive(&link_under_test, input->bytes, count, now);
    input->bytes += count;
    input->left -= count;
}

/* A frame with a right checksum. Its numbers are near those that would be right, or any. */
static void receive_frame(struct input *input)
{
    uint8_t content[LINK_HEADER + 256 + LINK_CHECKSUM + 1] = {0};
    uint8_t frame[sizeof(content) + 2];
    uint32_t length = (uint32_t)take(input, 1);
    uint32_t count = 0, from = 0;

    content[0] = (uint8_t)(link_under_test.in_first + take(input, 1));
    content[1] = (uint8_t)(link_under_test.out_first + take(input, 1));
    content[2] = (uint8_t)take(input, 1);
    content[3] = (uint8_t)take(input, 1);
    scribble(input, content + LINK_HEADER, length + 1);
    length += LINK_HEADER;
    uint32_t crc = ~crc32_add(link_under_test.seed_in, content, length);
    memcpy(content + length, &crc, sizeof(crc));
    length += LINK_CHECKSUM;
    content[length] = 0;
    for (uint32_t i = 0; i <= length; i++) {
        if (content[i] == 0) {
            frame[count++] = (uint8_t)(i - from + 1); /* too long for this if there are few zeros */
            memcpy(frame + count, content + from, i - from);
            count += i - from;
            from = i + 1;
        }
    }
    frame[count++] = 0;
    link_receive(&link_under_test, frame, count, now);
}

/* The hello, too, is fed what the line brings. It never believes in another one than can be
 * written. */
static void take_hello(const uint8_t *bytes, size_t count)
{
    struct control_hello hello = {0};

    for (size_t i = 0; i < count; i++) {
        if (control_hello_take(&hello, bytes[i]) == CONTROL_HELLO_WHOLE) {
            uint8_t written[CONTROL_HELLO_SIZE];

            control_hello_write(written, hello.token);
            require(i + 1 == sizeof(written) && memcmp(bytes, written, sizeof(written)) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    uint32_t mode = (uint32_t)take(&input, 1);
    bool knows_token = (mode & 1) != 0;

    take_hello(input.bytes, input.left);
    now = 0;
    committed = taken = without_zero = 0;
    link_start(&link_under_test, (mode & 2) != 0 ? LINK_HOST : LINK_BOARD, token, now);
    while (input.left > 0) {
        switch (take(&input, 1) % 6) {
        case 0:
            send_message(&input);
            break;
        case 1:
            take_message();
            break;
        case 2:
            transmit(&input);
            break;
        case 3:
            now += take(&input, 3);
            break;
        case 4:
            receive_raw(&input);
            break;
        default:
            if (knows_token) {
                receive_frame(&input);
            } else {
                receive_raw(&input);
            }
        }
        check();
    }
    return 0;
}
