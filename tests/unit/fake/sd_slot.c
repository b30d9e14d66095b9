/* SPDX-License-Identifier: BSD-2-Clause */

#include "sd_slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "fake_dma.h"
#include "lib/device_registers.h"
#include "microkit.h"

/* Offsets of words of registers, as in 2.1.1. */
#define BLOCK         0x04u
#define ARGUMENT      0x08u
#define COMMAND       0x0cu
#define RESPONSE      0x10u
#define PRESENT       0x24u
#define HOST          0x28u
#define CLOCK         0x2cu
#define STATUS        0x30u
#define STATUS_ENABLE 0x34u
#define SIGNAL_ENABLE 0x38u
#define CAPABILITIES  0x40u
#define ADMA          0x58u
#define ADMA_HIGH     0x5cu
#define VERSION       0xfcu

#define COMMAND_DONE    (1u << 0)
#define TRANSFER_DONE   (1u << 1)
#define ERROR           (1u << 15)
#define COMMAND_TIMEOUT (1u << 16)
#define ADMA_ERROR      (1u << 25)

enum card_state { IDLE, READY, IDENT, STANDBY, TRAN, DATA };

#define RCA      0x4567u
#define CSD_SIZE 16u

enum response { NONE, R136, R48, R48_BUSY };

struct fake_sd fake_sd;

static struct {
    uint32_t block, argument, mode, command, response[4], clock, status, enable, signal, adma;
    enum card_state state;
    bool app; /* the next command is an application's */
    bool four_bits;
    bool high_speed;
    uint8_t answer[64]; /* SCR, or the status of a switch */
    uint32_t answer_size;
} slot;

void fake_sd_reset(void)
{
    memset(&fake_sd, 0, sizeof(fake_sd));
    memset(&slot, 0, sizeof(slot));
    fake_sd.kind = FAKE_SD_HIGH;
    fake_sd.csd_structure = 1;
    fake_sd.sectors = FAKE_SD_SECTORS;
    fake_sd.capabilities = 0x37ecc881; /* 200 MHz; 3.3 and 3.0 V; high speed; ADMA2 */
    fake_sd.version = 2;
    fake_sd.scr[0] = 2;
    fake_sd.scr[1] = 5;
    fake_sd.high_speed_offered = true;
    fake_sd.inserted = true;
}

bool fake_sd_interrupts(void)
{
    return (slot.status & slot.signal) != 0;
}

static void raise(uint32_t bits)
{
    if (bits >> 16 != 0) {
        bits |= ERROR;
    }
    if (!fake_sd.silent) {
        slot.status |= bits & (slot.enable | ERROR);
    }
}

static uint8_t *reach(uint32_t paddr, uint32_t size)
{
    return fake_dma_at(paddr, size);
}

/* ---- The card ---- */

static void set_bits(uint8_t csd[CSD_SIZE], unsigned low, unsigned count, uint32_t value)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned bit = low + i;

        if ((value >> i & 1u) != 0) {
            csd[15 - bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
}

/* 5.3; a card of version 1 has blocks of 1024 bytes, as some of 2 GB do. */
static void answer_csd(void)
{
    uint8_t csd[CSD_SIZE] = {0};

    set_bits(csd, 126, 2, fake_sd.csd_structure);
    if (fake_sd.csd_structure == 0) {
        set_bits(csd, 80, 4, 10);
        set_bits(csd, 47, 3, 1); /* units of 2^(1 + 2) blocks of two sectors each */
        set_bits(csd, 62, 12, (uint32_t)(fake_sd.sectors / 16 - 1));
    } else {
        set_bits(csd, 80, 4, 9);
        set_bits(csd, 48, 22, (uint32_t)(fake_sd.sectors / 1024 - 1));
    }
    set_bits(csd, 13, 1, fake_sd.csd_protected);
    set_bits(csd, 0, 1, 1);
    /* The controller leaves the last byte out, which is the checksum (2.2.7). */
    for (unsigned i = 0; i < 15; i++) {
        slot.response[i / 4] |= (uint32_t)csd[14 - i] << (8 * (i % 4));
    }
}

static uint32_t card_status(void)
{
    return (uint32_t)slot.state << 9 | (slot.app ? 1u << 5 : 0) | 1u << 8;
}

/* What the card answers, by its state (4.7.4, table 4-30). NONE for a command that it refuses. */
static enum response application_command(unsigned index)
{
    slot.app = false;
    switch (index) {
    case 41:
        assert_int_equal(slot.state, IDLE);
        assert_int_not_equal(slot.argument & 0x00ff8000, 0);
        slot.response[0] = 0x00ff8000;
        if (fake_sd.not_ready > 0) {
            fake_sd.not_ready--;
        } else {
            bool high = fake_sd.kind == FAKE_SD_HIGH;

            assert_true(!high || (slot.argument & 1u << 30) != 0);
            slot.response[0] |= 1u << 31 | (high ? 1u << 30 : 0);
            slot.state = READY;
        }
        return R48;
    case 6:
        assert_int_equal(slot.state, TRAN);
        assert_int_equal(slot.argument, 2);
        slot.four_bits = true;
        return R48;
    case 51:
        assert_int_equal(slot.state, TRAN);
        memcpy(slot.answer, fake_sd.scr, 8);
        slot.answer_size = 8;
        return R48;
    default:
        fail_msg("ACMD%u", index);
    }
    return NONE;
}

static void switch_function(void)
{
    bool set = slot.argument >> 31 != 0;

    assert_int_equal(slot.argument & 0x7fffffff, 0x00fffff1);
    memset(slot.answer, 0, sizeof(slot.answer));
    slot.answer_size = 64;
    slot.answer[13] = fake_sd.high_speed_offered ? 3 : 1;
    slot.answer[16] = fake_sd.high_speed_offered ? 1 : 0xf;
    slot.high_speed = set && fake_sd.high_speed_offered;
}

static enum response card_command(unsigned index)
{
    slot.response[0] = card_status();
    switch (index) {
    case 0:
        slot.state = IDLE;
        slot.app = slot.four_bits = slot.high_speed = false;
        return NONE;
    case 2:
        assert_int_equal(slot.state, READY);
        slot.state = IDENT;
        return R136;
    case 3:
        assert_int_equal(slot.state, IDENT);
        slot.state = STANDBY;
        slot.response[0] = RCA << 16 | 0x500;
        return R48;
    case 6:
        assert_int_equal(slot.state, TRAN);
        switch_function();
        return R48;
    case 7:
        assert_int_equal(slot.state, STANDBY);
        assert_int_equal(slot.argument >> 16, RCA);
        slot.state = TRAN;
        return R48_BUSY;
    case 8:
        assert_int_equal(slot.state, IDLE);
        slot.response[0] = slot.argument & 0xfff;
        return R48;
    case 9:
        assert_int_equal(slot.state, STANDBY);
        assert_int_equal(slot.argument >> 16, RCA);
        slot.response[0] = 0;
        answer_csd();
        return R136;
    case 12:
        slot.state = TRAN;
        return R48_BUSY;
    case 16:
        assert_int_equal(slot.state, TRAN);
        assert_int_equal(slot.argument, 512);
        return R48;
    case 18:
    case 25:
        assert_int_equal(slot.state, TRAN);
        slot.state = DATA;
        slot.response[0] |= fake_sd.card_status;
        fake_sd.card_status = 0;
        return R48;
    case 55:
        assert_int_equal(slot.argument >> 16, slot.state >= STANDBY ? RCA : 0);
        slot.app = true;
        slot.response[0] = card_status();
        return R48;
    default:
        fail_msg("CMD%u", index);
    }
    return NONE;
}

/* Whether the card knows the command in its state at all. */
static bool is_answered(unsigned index)
{
    return !fake_sd.mute && !(index == 8 && fake_sd.kind == FAKE_SD_VERSION_1) &&
           !(index == 12 && slot.state != DATA);
}

/* ---- The controller ---- */

/* The next piece of memory of an ADMA2 table (1.13.4), or NULL; true if it is the last one. */
static uint8_t *next_piece(uint32_t *length, bool *last)
{
    const uint8_t *descriptor = reach(slot.adma, 8);
    uint32_t words[2];

    if (descriptor == NULL) {
        return NULL;
    }
    memcpy(words, descriptor, sizeof(words));
    slot.adma += 8;
    if ((words[0] & 0x31u) != 0x21u || words[1] % 4 != 0) {
        return NULL;
    }
    *last = (words[0] & 2u) != 0;
    *length = words[0] >> 16 != 0 ? words[0] >> 16 : 65536;
    return reach(words[1], *length);
}

/* Move `size` bytes; `card` is where they are in the card. False: the table does not have them. */
static bool move(uint8_t *card, uint32_t size, bool read)
{
    bool last = false;

    while (size > 0) {
        uint32_t length = 0;
        uint8_t *memory = last ? NULL : next_piece(&length, &last);

        if (memory == NULL || length > size) {
            return false;
        }
        if (read) {
            memcpy(memory, card, length);
        } else {
            memcpy(card, memory, length);
        }
        card += length;
        size -= length;
    }
    return last;
}

static void move_answer(void)
{
    assert_int_equal(slot.block, slot.answer_size | 1u << 16);
    assert_int_equal(slot.mode, 1u << 0 | 1u << 4); /* DMA, to the host, one block */
    raise(move(slot.answer, slot.answer_size, true) ? TRANSFER_DONE : ADMA_ERROR);
}

void fake_sd_finish(void)
{
    bool read = slot.command >> 8 == 18;
    uint64_t at = slot.argument * (fake_sd.kind == FAKE_SD_HIGH ? 512ull : 1ull);
    uint32_t size = (slot.block >> 16) * 512;

    assert_true(fake_sd.waits);
    fake_sd.waits = false;
    fake_sd.transfers++;
    assert_int_equal(slot.block & 0xffff, 512);
    assert_int_equal(slot.mode, 0x27u | (read ? 1u << 4 : 0)); /* DMA, count, auto CMD12, many */
    assert_true(at % 512 == 0 && size > 0 && at + size <= sizeof(fake_sd.medium));
    if (fake_sd.errors != 0) {
        raise(fake_sd.errors);
        fake_sd.errors = 0;
        return;
    }
    if (!move(fake_sd.medium + at, size, read)) {
        raise(ADMA_ERROR);
        return;
    }
    slot.state = TRAN;
    slot.response[3] = card_status() | fake_sd.stop_status;
    fake_sd.stop_status = 0;
    raise(TRANSFER_DONE);
}

static void run_data(unsigned index)
{
    assert_int_equal(fake_sd.host >> 3 & 3u, 2); /* ADMA2, 32 bits */
    if (index != 18 && index != 25) {
        move_answer();
        return;
    }
    fake_sd.waits = true;
    if (!fake_sd.held) {
        fake_sd_finish();
    }
}

/* 3.7.1.1: checks of the checksum and of the index, by the kind of the response. */
static uint32_t flags_of(enum response response, unsigned index, bool app)
{
    if (app && index == 41) {
        return 2;
    }
    switch (response) {
    case NONE:
        return 0;
    case R136:
        return 1 | 1u << 3;
    case R48:
        return 2 | 3u << 3;
    default:
        return 3 | 3u << 3;
    }
}

static void run_command(void)
{
    unsigned index = slot.command >> 8;
    bool app = slot.app;
    bool data = (slot.command & 1u << 5) != 0;
    enum response response;

    assert_int_equal(slot.clock & 7u, 7); /* the clocks run */
    assert_int_equal(fake_sd.host >> 8 & 1u, 1);
    if (index == 12) {
        fake_sd.stops++;
        assert_int_equal(slot.command >> 6 & 3u, 3);
    }
    if (!is_answered(index)) {
        raise(COMMAND_TIMEOUT);
        return;
    }
    memset(slot.response, 0, 3 * sizeof(slot.response[0]));
    response = app ? application_command(index) : card_command(index);
    assert_int_equal(slot.command & 0x1fu, flags_of(response, index, app));
    assert_int_equal(data, index == 18 || index == 25 || (index == 6 && !app) || index == 51);
    if (slot.four_bits && data) {
        assert_int_equal(fake_sd.host >> 1 & 1u, 1); /* the controller has followed */
    }
    raise(COMMAND_DONE);
    if (response == R48_BUSY) {
        raise(TRANSFER_DONE);
    }
    if (data) {
        run_data(index);
    }
}

static void reset(uint32_t bits)
{
    if ((bits & 1u << 24) != 0) {
        slot.block = slot.mode = slot.command = slot.clock = slot.status = 0;
        slot.enable = slot.signal = slot.adma = fake_sd.host = 0;
    }
    if ((bits & 1u << 26) != 0) {
        slot.status &= ~TRANSFER_DONE;
    }
    if ((bits & 1u << 25) != 0) {
        slot.status &= ~COMMAND_DONE;
    }
    fake_sd.waits = false;
}

static void set_clock(uint32_t value)
{
    uint32_t bits = value & 7u << 24;
    uint32_t half = (value >> 8 & 0xffu) | (value >> 6 & 3u) << 8;
    uint32_t base = fake_sd.capabilities >> 8 & (fake_sd.version >= 2 ? 0xffu : 0x3fu);

    slot.clock = value & 0x00ffffc5u;
    if (bits != 0) {
        reset(bits);
        slot.clock |= fake_sd.stuck_reset ? bits : 0;
    }
    if ((slot.clock & 1u) != 0 && !fake_sd.stuck_clock) {
        slot.clock |= 2u;
    }
    fake_sd.clock_khz = (slot.clock & 4u) == 0 || half == 0 ? 0 : base * 1000 / (2 * half);
    assert_true(fake_sd.version >= 2 || (half & (half - 1)) == 0);
    if (fake_sd.clock_khz != 0) {
        uint32_t khz_max = slot.state < STANDBY ? 400 : slot.high_speed ? 50000 : 25000;

        assert_true(fake_sd.clock_khz <= khz_max);
    }
}

static uint32_t present(void)
{
    uint32_t value = 0x01f00000u & ~(1u << 19);

    value |= fake_sd.write_protected ? 0 : 1u << 19;
    value |= fake_sd.inserted ? 7u << 16 : 1u << 17;
    value |= fake_sd.waits ? 6u : 0;
    value |= fake_sd.stuck_busy && slot.signal != 0 ? 2u : 0;
    return value;
}

static void take_time(uintptr_t registers)
{
    assert_int_equal(registers, FAKE_SD_REGISTERS);
    fake_sd.accesses++;
    fake.counter += fake.frequency / 1000000 + 1;
}

uint32_t device_read32(uintptr_t registers, uint32_t offset)
{
    take_time(registers);
    if (fake_sd.ones) {
        return UINT32_MAX;
    }
    switch (offset) {
    case BLOCK:
        return slot.block;
    case ARGUMENT:
        return slot.argument;
    case RESPONSE:
    case RESPONSE + 4:
    case RESPONSE + 8:
    case RESPONSE + 12:
        return slot.response[(offset - RESPONSE) / 4];
    case PRESENT:
        return present();
    case HOST:
        return fake_sd.host;
    case CLOCK:
        return slot.clock;
    case STATUS:
        return slot.status;
    case STATUS_ENABLE:
        return slot.enable;
    case SIGNAL_ENABLE:
        return slot.signal;
    case CAPABILITIES:
        return fake_sd.capabilities;
    case VERSION:
        return fake_sd.version << 16;
    default:
        fail_msg("a read at 0x%x", offset);
    }
    return 0;
}

void device_write32(uintptr_t registers, uint32_t offset, uint32_t value)
{
    take_time(registers);
    switch (offset) {
    case BLOCK:
        slot.block = value;
        break;
    case ARGUMENT:
        slot.argument = value;
        break;
    case COMMAND:
        slot.mode = value & 0xffffu;
        slot.command = value >> 16;
        run_command();
        break;
    case HOST:
        assert_true((value & 1u << 2) == 0 || slot.high_speed);
        fake_sd.host = value;
        break;
    case CLOCK:
        set_clock(value);
        break;
    case STATUS:
        slot.status &= ~value;
        if ((slot.status & 0xffff0000u) == 0) {
            slot.status &= ~ERROR;
        }
        break;
    case STATUS_ENABLE:
        slot.enable = value;
        break;
    case SIGNAL_ENABLE:
        slot.signal = value;
        break;
    case ADMA:
        slot.adma = value;
        break;
    case ADMA_HIGH:
        assert_int_equal(value, 0);
        break;
    default:
        fail_msg("a write at 0x%x", offset);
    }
}
