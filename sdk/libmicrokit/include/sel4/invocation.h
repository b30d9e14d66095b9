/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The label with which an interrupt handler's capability is sent to, to acknowledge the interrupt;
 * its number is seL4's. No other invocation goes by a label here.
 */
enum invocation_label {
    InvalidInvocation = 0,
    IRQAckIRQ = 26,
};
