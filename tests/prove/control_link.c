/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PROVES: lib/control_link.c
 * EVA:
 *
 * A link in any state, any bytes from the line, and any call of its owner, which leaves a state of
 * the same kind. control_link_transmit.c has link_transmit().
 */

#include "prelude.h"

#include "lib/control_link.h"

#include "control_link_frame.h"

/* To Eva memcpy() is fine anywhere in `link`. This keeps it to one message. */
/*@ requires 1 <= length <= LINK_MESSAGE_MAX; */
static void take_message(struct link *link, uint8_t seq, const uint8_t *bytes, uint32_t length);

#include "lib/control_link.c"

#define LINE 300u /* longer than any frame */

/*
 * What has been given of which frame. Nothing here reads either, but whether there was a frame at
 * all, which decides like `spoken_at`. That a call leaves them alone shows in a value that no call
 * writes.
 */
#define UNCHANGED 1000u

static struct link state;
static uint8_t line[LINE];

static void make_any_state(void)
{
    make_any(&state, sizeof(state));
    state.answer = any() == 0;
    state.frame_is_message = any() == 0;
    state.frame_length = state.frame_given = UNCHANGED;
    state.partial_length = (uint32_t)any() % (LINK_FRAME_MAX + 1);
    for (uint32_t i = 0; i < LINK_WINDOW; i++) {
        state.out[i].message.length = (uint8_t)(any() % (LINK_MESSAGE_MAX + 1));
        state.out[i].repeated = any() == 0;
    }
    make_any(line, sizeof(line));
}

/* What make_any_state() takes for granted. */
static void check_state(void)
{
    /*@ assert state.partial_length <= LINK_FRAME_MAX; */
    for (uint32_t i = 0; i < LINK_WINDOW; i++) {
        /*@ assert state.out[i].message.length <= LINK_MESSAGE_MAX; */
    }
}

enum call { RECEIVE, NEXT_FRAME, END_FRAME, COMMIT, RELEASE, ASK, FIRST_FRAME, START };

static void prove(unsigned call)
{
    uint32_t length;

    make_any_state();
    switch (call) {
    case RECEIVE:
        link_receive(&state, line, (uint32_t)any() % (LINE + 1), any());
        break;
    case FIRST_FRAME:
        state.frame_length = 0;
        next_frame(&state, any());
        break;
    case NEXT_FRAME:
        next_frame(&state, any()); /* control_link_frame.h says what of the frame */
        break;
    case END_FRAME:
        end_frame(&state, any());
        break;
    case COMMIT:
        link_commit(&state, (uint32_t)any());
        break;
    case RELEASE:
        link_peek(&state, &length);
        link_release(&state);
        break;
    case ASK:
        link_size_wanted(&state);
        link_deadline(&state);
        link_alive(&state, any());
        link_idle(&state);
        break;
    default: /* START */
        link_start(&state, any() ? LINK_HOST : LINK_BOARD, line, any());
    }
    check_state();
    if (call != NEXT_FRAME && call < FIRST_FRAME) {
        /*@ assert state.frame_given == UNCHANGED && state.frame_length == UNCHANGED; */
    }
}

int main(void)
{
    /*@ loop unroll START + 1; */
    for (unsigned call = 0; call <= START; call++) {
        prove(call);
    }
    return 0;
}
