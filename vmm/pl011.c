/* SPDX-License-Identifier: BSD-2-Clause */

#include "pl011.h"

#include <string.h>
#include "console_port.h"
#include "drivers/uart/pl011.h"
#include "panic.h"
#include "primecell.h"
#include "vgic.h"
#include "vmm/virtio/virtio.h"

/* Registers that our driver of a real PL011 does not use. */
#define UARTILPR  0x020u
#define UARTIBRD  0x024u
#define UARTFBRD  0x028u
#define UARTRIS   0x03cu
#define UARTMIS   0x040u
#define UARTDMACR 0x048u

#define UARTFR_CTS  (1u << 0)
#define UARTFR_DSR  (1u << 1)
#define UARTFR_DCD  (1u << 2)
#define UARTFR_RXFF (1u << 6)
#define UARTFR_TXFE (1u << 7)

#define FIFO_DEPTH  16u /* of the revision that the ID registers name */
#define LINE_LENGTH 128u
/* What a driver may send after the transmit interrupt without looking whether there is room: that
 * of a real device comes when half of the FIFO is free. */
#define LINE_SLACK FIFO_DEPTH

static struct {
    uint32_t intid;

    uint8_t line[LINE_LENGTH + LINE_SLACK]; /* sent, and not yet taken by the console */
    uint32_t line_length;

    uint8_t fifo[FIFO_DEPTH]; /* received, and not yet read by the guest */
    uint32_t fifo_first;
    uint32_t fifo_count;

    uint32_t line_control;
    uint32_t control;
    uint32_t baud_integer;
    uint32_t baud_fraction;
    uint32_t low_power;
    uint32_t dma;
    uint32_t level_select;
    uint32_t mask;
    bool sent;        /* something, since UARTICR cleared the transmit interrupt last */
    bool transmitted; /* the transmit interrupt is raised */
} uart;

static bool has_fifos(void)
{
    return (uart.line_control & UARTLCR_H_FEN) != 0;
}

/* How many received bytes raise the receive interrupt (3.3.10, UARTIFLS). */
static uint32_t receive_level(void)
{
    static const uint8_t levels[] = {2, 4, 8, 12, 14, 14, 14, 14};

    return has_fifos() ? levels[(uart.level_select >> 3) & 7] : 1;
}

/*
 * UARTRIS. For the real device a byte takes time, and a driver that clears an interrupt does so
 * before the next byte comes, or 32 bits' time before the receive timeout. Here input comes in no
 * time, and may be there before the driver clears the interrupt by which it heard of the byte
 * before. So what is received counts as received after all that the driver has cleared: both
 * receive interrupts are raised while their cause lasts. A driver that reads what there is, in
 * whatever order, loses nothing.
 */
static uint32_t raised(void)
{
    uint32_t interrupts = uart.transmitted ? UART_INT_TX : 0;

    if (uart.fifo_count > 0) {
        interrupts |= UART_INT_RT;
    }
    if (uart.fifo_count >= receive_level()) {
        interrupts |= UART_INT_RX;
    }
    return interrupts;
}

static void update_interrupt(void)
{
    vgic_set_level(uart.intid, (raised() & uart.mask) != 0);
}

/* Hand over as much of the line as the console takes; returns true if all of it. */
static bool drain(void)
{
    do {
        uint32_t taken = console_port_write(uart.line, uart.line_length);

        panic_printed(PANIC_PL011, uart.line, taken);
        uart.line_length -= taken;
        memmove(uart.line, uart.line + taken, uart.line_length);
    } while (uart.line_length > 0 && console_port_await_space());
    return uart.line_length == 0;
}

/* Make room for a byte if there is none, which raises the transmit interrupt. False: in vain. */
static bool make_room(void)
{
    if (uart.line_length < LINE_LENGTH) {
        return true;
    }
    drain();
    uart.transmitted = uart.line_length < LINE_LENGTH;
    update_interrupt();
    return uart.transmitted;
}

void pl011_flush(void)
{
    if (uart.line_length > 0 && make_room()) {
        drain();
    }
}

static void send(uint8_t byte)
{
    /* A guest that never looks for room loses bytes, as it would with a real one. */
    if (!make_room() && uart.line_length == sizeof(uart.line)) {
        return;
    }
    uart.line[uart.line_length++] = byte;
    if (byte == '\n' || uart.line_length >= LINE_LENGTH) {
        drain();
    }
    uart.sent = true;
    uart.transmitted = uart.line_length < LINE_LENGTH;
    update_interrupt();
}

/*
 * The transmit interrupt is raised when a byte has left the FIFO, and not while the FIFO is empty:
 * a driver that has nothing to send may leave it enabled. What the driver has sent since it cleared
 * the interrupt last leaves the FIFO after it clears it now (see raised()). So it may fill the FIFO
 * first and clear the interrupt then.
 */
static void clear_transmitted(void)
{
    uart.transmitted = uart.sent && uart.line_length < LINE_LENGTH;
    uart.sent = false;
}

/* How many received bytes the device holds. Further ones wait for room in the console's ring. */
static uint32_t receive_depth(void)
{
    return has_fifos() ? FIFO_DEPTH : 1;
}

/* Take input into the FIFO, unless the virtio-console takes it. */
static void receive(void)
{
    uint8_t byte;

    while (!virtio_console_ready() && uart.fifo_count < receive_depth()) {
        if (console_port_read(&byte, 1) == 1) {
            uart.fifo[(uart.fifo_first + uart.fifo_count++) % FIFO_DEPTH] = byte;
        } else if (!console_port_await_data()) {
            break;
        }
    }
    update_interrupt();
}

static uint8_t take_received(void)
{
    uint8_t byte = 0;

    if (uart.fifo_count > 0) {
        byte = uart.fifo[uart.fifo_first];
        uart.fifo_first = (uart.fifo_first + 1) % FIFO_DEPTH;
        uart.fifo_count--;
    }
    receive();
    return byte;
}

void pl011_init(uint32_t intid)
{
    uart.intid = intid;
    pl011_reset();
}

void pl011_reset(void)
{
    uint32_t intid = uart.intid;

    pl011_flush();
    memset(&uart, 0, sizeof(uart));
    uart.intid = intid;
    uart.control = UARTCR_TXE | UARTCR_RXE;
    uart.level_select = 0x12; /* half full, both */
    update_interrupt();
}

void pl011_notified(void)
{
    pl011_flush();
    receive();
}

static uint32_t flags(void)
{
    uint32_t value = UARTFR_CTS | UARTFR_DSR | UARTFR_DCD;

    if (uart.fifo_count == 0) {
        value |= UARTFR_RXFE;
    }
    if (uart.fifo_count >= receive_depth()) {
        value |= UARTFR_RXFF;
    }
    return value | (make_room() ? UARTFR_TXFE : UARTFR_TXFF | UARTFR_BUSY);
}

static uint32_t read_register(uint32_t offset)
{
    switch (offset) {
    case UARTDR:
        return take_received();
    case UARTFR:
        return flags();
    case UARTILPR:
        return uart.low_power;
    case UARTIBRD:
        return uart.baud_integer;
    case UARTFBRD:
        return uart.baud_fraction;
    case UARTLCR_H:
        return uart.line_control;
    case UARTCR:
        return uart.control;
    case UARTIFLS:
        return uart.level_select;
    case UARTIMSC:
        return uart.mask;
    case UARTRIS:
        return raised();
    case UARTMIS:
        return raised() & uart.mask;
    case UARTDMACR:
        return uart.dma;
    default:
        return 0;
    }
}

static void write_register(uint32_t offset, uint32_t value)
{
    switch (offset) {
    case UARTDR:
        send((uint8_t)value);
        break;
    case UARTILPR:
        uart.low_power = value & 0xff;
        break;
    case UARTIBRD:
        uart.baud_integer = value & 0xffff;
        break;
    case UARTFBRD:
        uart.baud_fraction = value & 0x3f;
        break;
    case UARTLCR_H:
        uart.line_control = value & 0xff;
        receive(); /* the FIFO may hold more now, or interrupt sooner */
        break;
    case UARTCR:
        uart.control = value & 0xff87;
        receive(); /* what came before the driver */
        break;
    case UARTIFLS:
        uart.level_select = value & 0x3f;
        update_interrupt();
        break;
    case UARTIMSC:
        uart.mask = value & UART_INT_ALL;
        update_interrupt();
        break;
    case UARTICR:
        if (value & UART_INT_TX) {
            clear_transmitted();
        }
        update_interrupt();
        break;
    case UARTDMACR:
        uart.dma = value & 7;
        break;
    default:
        break; /* a write of UARTECR clears errors, and there are none; the rest is reserved */
    }
}

bool pl011_access(void *unused, struct mmio_access *access)
{
    static const struct primecell cell = {0x11, read_register, write_register};

    (void)unused;
    return primecell_access(&cell, access);
}
