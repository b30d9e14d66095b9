/* SPDX-License-Identifier: BSD-2-Clause */

/* A PD's main loop: run the constructors and init(), then handle one event after another. */

#include <microkit.h>
#include <stdbool.h>
#include <stdint.h>

#define INPUT_CAP 1
#define REPLY_CAP 4

/* The badge of what arrives: a protected call, a fault, or a set of channels. */
#define BADGE_CALL    (1ull << 63)
#define BADGE_FAULT   (1ull << 62)
#define BADGE_CHANNEL 0x3full
#define BADGE_CHILD   0xffull

bool microkit_passive;
char microkit_name[MICROKIT_PD_NAME_LENGTH];
seL4_Bool microkit_have_signal;
seL4_CPtr microkit_signal_cap;
seL4_MessageInfo_t microkit_signal_msg;
seL4_Word microkit_irqs;
seL4_Word microkit_notifications;
seL4_Word microkit_pps;
seL4_Word microkit_ioports;

/* In the last page of the address space. */
seL4_IPCBuffer *__sel4_ipc_buffer =
    (seL4_IPCBuffer *)(seL4_UserVSpaceTop & ~(LIBSEL4_BIT(seL4_PageBits) - 1));

extern void (*const __init_array_start[])(void);
extern void (*const __init_array_end[])(void);

static void missing(const char *entry_point)
{
    microkit_dbg_puts(microkit_name);
    microkit_dbg_puts(" is missing the '");
    microkit_dbg_puts(entry_point);
    microkit_dbg_puts("' entry point\n");
    microkit_internal_crash(seL4_NoError);
}

__attribute__((weak)) microkit_msginfo protected(microkit_channel ch, microkit_msginfo msginfo)
{
    (void)ch;
    (void)msginfo;
    missing("protected");
    return microkit_msginfo_new(0, 0);
}

__attribute__((weak)) seL4_Bool fault(microkit_child child, microkit_msginfo msginfo,
                                      microkit_msginfo *reply_msginfo)
{
    (void)child;
    (void)msginfo;
    (void)reply_msginfo;
    missing("fault");
    return seL4_False;
}

/* Sends what is still to be sent, a reply or a signal, and receives the next event. */
static seL4_MessageInfo_t next_event(bool have_reply, seL4_MessageInfo_t reply, seL4_Word *badge)
{
    bool have_signal = microkit_have_signal;

    microkit_have_signal = seL4_False;
    if (have_reply) {
        if (have_signal) {
            seL4_Send(microkit_signal_cap, microkit_signal_msg);
        }
        return seL4_ReplyRecv(INPUT_CAP, reply, badge, REPLY_CAP);
    }
    if (have_signal) {
        return seL4_NBSendRecv(microkit_signal_cap, microkit_signal_msg, INPUT_CAP, badge,
                               REPLY_CAP);
    }
    return seL4_Recv(INPUT_CAP, badge, REPLY_CAP);
}

static void handle_events(void)
{
    bool have_reply = false;
    seL4_MessageInfo_t reply = seL4_MessageInfo_new(0, 0, 0, 0);

    for (;;) {
        seL4_Word badge;
        seL4_MessageInfo_t message = next_event(have_reply, reply, &badge);

        have_reply = false;
        if (badge & BADGE_FAULT) {
            have_reply = fault(badge & BADGE_CHILD, message, &reply);
        } else if (badge & BADGE_CALL) {
            reply = protected(badge & BADGE_CHANNEL, message);
            have_reply = true;
        } else {
            while (badge != 0) {
                microkit_channel channel = __builtin_ctzl(badge);

                badge &= badge - 1;
                notified(channel);
            }
        }
    }
}

void main(void);
void main(void)
{
    for (void (*const *constructor)(void) = __init_array_start; constructor != __init_array_end;
         constructor++) {
        (*constructor)();
    }
    init();

    /* Sent with the first receive, so that the PD is waiting when it gives its time up. */
    if (microkit_passive) {
        microkit_have_signal = seL4_True;
        microkit_signal_msg = seL4_MessageInfo_new(0, 0, 0, 0);
        microkit_signal_cap = MONITOR_EP;
    }
    handle_events();
}
