/* SPDX-License-Identifier: BSD-2-Clause */

#include "pl011.h"

#include <string.h>
#include "console_port.h"
#include "drivers/uart/pl011.h"
#include "vgic.h"
#include "vmm/virtio/virtio.h"

/* Registers that our driver of a real PL011 does not use. */
#define UARTILPR      0x020u
#define UARTIBRD      0x024u
#define UARTFBRD      0x028u
#define UARTRIS       0x03cu
#define UARTMIS       0x040u
#define UARTDMACR     0x048u
#define UARTPERIPHID0 0xfe0u

#define UARTFR_CTS  (1u << 0)
#define UARTFR_DSR  (1u << 1)
#define UARTFR_DCD  (1u << 2)
#define UARTFR_TXFE (1u << 7)

#define FIFO_DEPTH  16u
#define LINE_LENGTH 128u

static const uint8_t id_registers[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static struct {
    uint32_t intid;

    uint8_t line[LINE_LENGTH]; /* sent, and not yet taken by the console */
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
    uint32_t raised; /* UARTRIS */
} uart;

static void update_interrupt(void)
{
    vgic_set_level(uart.intid, (uart.raised & uart.mask) != 0);
}

/* How many received bytes raise the receive interrupt (3.3.10, UARTIFLS). */
static uint32_t receive_level(void)
{
    static const uint8_t levels[] = {2, 4, 8, 12, 14, 14, 14, 14};

    return (uart.line_control & UARTLCR_H_FEN) ? levels[(uart.level_select >> 3) & 7] : 1;
}

/* Hand over as much of the line as the console takes; returns true if all of it. */
static bool drain(void)
{
    do {
        uint32_t taken = console_port_write(uart.line, uart.line_length);

        uart.line_length -= taken;
        memmove(uart.line, uart.line + taken, uart.line_length);
    } while (uart.line_length > 0 && console_port_await_space());
    return uart.line_length == 0;
}

void pl011_flush(void)
{
    if (uart.line_length > 0) {
        drain();
    }
}

static void send(uint8_t byte)
{
    /* A guest that does not read UARTFR.TXFF loses bytes, as it would with a real one. */
    if (uart.line_length == LINE_LENGTH && !drain()) {
        return;
    }
    uart.line[uart.line_length++] = byte;
    if (byte == '\n' || uart.line_length == LINE_LENGTH) {
        drain();
    }
    if (uart.line_length < LINE_LENGTH) {
        uart.raised |= UART_INT_TX;
    }
    update_interrupt();
}

/* Take input into the FIFO, unless the virtio-console takes it. */
static void receive(void)
{
    uint8_t byte;

    if (virtio_console_ready()) {
        return;
    }
    while (uart.fifo_count < FIFO_DEPTH) {
        if (console_port_read(&byte, 1) == 1) {
            uart.fifo[(uart.fifo_first + uart.fifo_count++) % FIFO_DEPTH] = byte;
            uart.raised |= UART_INT_RT;
        } else if (!console_port_await_data()) {
            break;
        }
    }
    if (uart.fifo_count >= receive_level()) {
        uart.raised |= UART_INT_RX;
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
    if (uart.fifo_count < receive_level()) {
        uart.raised &= ~UART_INT_RX;
    }
    if (uart.fifo_count == 0) {
        uart.raised &= ~UART_INT_RT;
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
    if (uart.line_length == LINE_LENGTH && drain()) {
        uart.raised |= UART_INT_TX;
        update_interrupt();
    } else {
        pl011_flush();
    }
    receive();
}

static uint32_t flags(void)
{
    uint32_t value = UARTFR_CTS | UARTFR_DSR | UARTFR_DCD;

    if (uart.fifo_count == 0) {
        value |= UARTFR_RXFE;
    }
    /* The line is full. The console may have made room meanwhile. */
    if (uart.line_length == LINE_LENGTH && !drain()) {
        return value | UARTFR_TXFF | UARTFR_BUSY;
    }
    return value | UARTFR_TXFE;
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
        return uart.raised;
    case UARTMIS:
        return uart.raised & uart.mask;
    case UARTDMACR:
        return uart.dma;
    default:
        return offset >= UARTPERIPHID0 ? id_registers[(offset - UARTPERIPHID0) / 4] : 0;
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
        break;
    case UARTCR:
        uart.control = value & 0xff87;
        receive(); /* what came before the driver */
        break;
    case UARTIFLS:
        uart.level_select = value & 0x3f;
        break;
    case UARTIMSC:
        uart.mask = value & UART_INT_ALL;
        update_interrupt();
        break;
    case UARTICR:
        uart.raised &= ~value;
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
    (void)unused;
    if (access->width > 4 || (access->offset & 3) != 0) {
        return false;
    }
    if (access->write) {
        write_register((uint32_t)access->offset, (uint32_t)access->value);
    } else {
        uint32_t value = read_register((uint32_t)access->offset);

        access->value = value & (uint32_t)((1ull << (8 * access->width)) - 1);
    }
    return true;
}
