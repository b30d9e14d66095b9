/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * An SD memory card behind an SD host controller, as Arasan's in Zynq UltraScale+ (AMD UG1085,
 * chapter 26). Data goes by ADMA2 with addresses of 32 bits. The board's firmware has set clocks,
 * pins and delays, and the card runs with 3.3 V, at high speed (50 MHz) if it can.
 *
 * The controller has one command at a time. Requests wait here, in the order in which they came:
 *
 *   IDLE       nothing is with the controller
 *   TRANSFER   the first request is; an interrupt ends it
 *   STOP       the last request has failed; the card is told to stop, and an interrupt ends that
 *
 * A request ends when the card is ready again, so that all that has been answered is on the medium.
 * The controller reads the tables of descriptors past the caches (lib/dma.h).
 */

#include "sdhci.h"

#include <stddef.h>
#include <string.h>
#include "chip.h"
#include "lib/cpu.h"
#include "lib/device_registers.h"
#include "lib/dma.h"
#include "sd_card.h"

#define SLOTS        32u  /* a power of two */
#define SEGMENTS_MAX 128u /* of a request, each of which is one descriptor */
#define BUFFER_SIZE  64u  /* bytes of what the card says of itself; a cache line */

/* What lies in the memory that is shared with the controller: a table for each slot, the buffer. */
#define TABLE_SIZE    (SEGMENTS_MAX * sizeof(struct sdhci_adma2))
#define BUFFER_OFFSET (SLOTS * TABLE_SIZE)
#define DMA_SIZE      (BUFFER_OFFSET + BUFFER_SIZE)

#define KHZ_IDENTIFY 400u
#define KHZ_DEFAULT  19000u /* some of Arasan's controllers miss their timing at 25 MHz */
#define KHZ_HIGH     50000u

/* The longest waits, in microseconds. */
#define RESET_US   100000u
#define CARD_US    1000000u /* until the slot's switch does not bounce; until the card has started */
#define CLOCK_US   150000u
#define POWER_US   2000u /* for the supply to rise, and 74 clocks of the card */
#define COMMAND_US 100000u
#define DATA_US    500000u
#define LINES_US   10000u /* while requests are served */

/* A request that takes so many seconds will never end. The controller's own limit is lower. */
#define PATIENCE_S 30u

/* So many commands in a row that the card has not answered. */
#define UNANSWERED_MAX 8u

#define R1  (SDHCI_COMMAND_RESPONSE_48 | SDHCI_COMMAND_CHECK_CRC | SDHCI_COMMAND_CHECK_INDEX)
#define R1B (SDHCI_COMMAND_RESPONSE_BUSY | SDHCI_COMMAND_CHECK_CRC | SDHCI_COMMAND_CHECK_INDEX)
#define R2  (SDHCI_COMMAND_RESPONSE_136 | SDHCI_COMMAND_CHECK_CRC)
#define R3  SDHCI_COMMAND_RESPONSE_48

#define STOP_COMMAND (SDHCI_COMMAND_INDEX(SD_STOP_TRANSMISSION) | SDHCI_COMMAND_ABORT | R1B)
#define DONE_INTS    (SDHCI_INT_TRANSFER | SDHCI_INT_ERROR | SDHCI_INT_ERRORS)

enum state { IDLE, TRANSFER, STOP };

struct slot {
    uint32_t id;
    bool write;
    uint64_t sector;
    uint32_t sector_count;
    uint32_t status; /* when it has ended */
};

static struct {
    uintptr_t registers;
    struct sdhci_adma2 *tables;
    uint8_t *buffer;
    uint32_t dma_paddr;
    uint32_t version;
    uint32_t capabilities;
    uint32_t host; /* as written */
    uint32_t response[4];
    uint32_t card; /* its relative address, from bit 16 on */
    bool high;     /* it has block addresses */
    uint64_t sectors;
    const char *error;
    bool stopped; /* for good: what is in flight has failed */
    enum state state;
    uint64_t started; /* what is with the controller, by the counter */
    uint32_t unanswered;
    struct slot slots[SLOTS]; /* from `taken` on, by numbers that count on and wrap */
    uint32_t taken;
    uint32_t ended;
    uint32_t submitted;
} disk;

static uint32_t read_register(uint32_t offset)
{
    return device_read32(disk.registers, offset);
}

static void write_register(uint32_t offset, uint32_t value)
{
    device_write32(disk.registers, offset, value);
}

static uint64_t ticks_of(uint32_t microseconds)
{
    return cpu_counter_frequency() * microseconds / 1000000 + 1;
}

/*
 * Wait until one of the bits is set. Returns the register's value, the last one if none ever is.
 * That was read when the time was over: an emulator may have stood still meanwhile.
 */
static uint32_t await_any(uint32_t offset, uint32_t bits, uint32_t microseconds)
{
    uint64_t start = cpu_counter();
    uint64_t patience = ticks_of(microseconds);
    uint32_t value;
    bool over;

    do {
        over = cpu_counter() - start >= patience;
        value = read_register(offset);
    } while ((value & bits) == 0 && !over);
    return value;
}

/* Wait until all of the bits are clear. False if they never are. */
static bool await_clear(uint32_t offset, uint32_t bits, uint32_t microseconds)
{
    uint64_t start = cpu_counter();
    uint64_t patience = ticks_of(microseconds);
    uint32_t value;
    bool over;

    do {
        over = cpu_counter() - start >= patience;
        value = read_register(offset);
    } while ((value & bits) != 0 && !over);
    return (value & bits) == 0;
}

/* Reset the lines that a failed command has left in disorder. */
static bool reset_lines(uint32_t microseconds)
{
    uint32_t bits = SDHCI_CLOCK_RESET_CMD | SDHCI_CLOCK_RESET_DAT;

    write_register(SDHCI_CLOCK, (read_register(SDHCI_CLOCK) & 0x00ffffffu) | bits);
    return await_clear(SDHCI_CLOCK, bits, microseconds);
}

/* ---- Commands, one after the other, at start ---- */

/* Returns false if the card has not answered as it should. */
static bool run(uint32_t command, uint32_t mode, uint32_t argument, uint32_t wanted)
{
    uint32_t inhibit = SDHCI_PRESENT_CMD_INHIBIT;
    uint32_t status;

    if (wanted != SDHCI_INT_COMMAND) {
        inhibit |= SDHCI_PRESENT_DAT_INHIBIT;
    }
    if (!await_clear(SDHCI_PRESENT, inhibit, COMMAND_US)) {
        return false;
    }
    write_register(SDHCI_INT_STATUS, UINT32_MAX);
    write_register(SDHCI_ARGUMENT, argument);
    write_register(SDHCI_COMMAND, mode | command);
    status = await_any(SDHCI_INT_STATUS, SDHCI_INT_COMMAND | SDHCI_INT_ERROR, COMMAND_US);
    for (uint32_t i = 0; i < 4; i++) {
        disk.response[i] = read_register(SDHCI_RESPONSE(i));
    }
    if (wanted != SDHCI_INT_COMMAND && (status & SDHCI_INT_ERROR) == 0) {
        status |= await_any(SDHCI_INT_STATUS, wanted | SDHCI_INT_ERROR, DATA_US);
    }
    if ((status & (SDHCI_INT_COMMAND | SDHCI_INT_ERROR)) == SDHCI_INT_COMMAND &&
        (status & wanted) != 0) {
        return true;
    }
    reset_lines(RESET_US);
    return false;
}

static bool run_command(uint32_t index, uint32_t argument, uint32_t response)
{
    return run(SDHCI_COMMAND_INDEX(index) | response, 0, argument,
               response == R1B ? SDHCI_INT_TRANSFER : SDHCI_INT_COMMAND);
}

static bool run_app_command(uint32_t index, uint32_t argument, uint32_t response)
{
    return run_command(SD_APP_CMD, disk.card, R1) && run_command(index, argument, response);
}

static void set_descriptor(struct sdhci_adma2 *descriptor, uint32_t address, uint32_t length,
                           bool last)
{
    descriptor->attributes =
        SDHCI_ADMA2_VALID | SDHCI_ADMA2_TRANSFER | (last ? SDHCI_ADMA2_END : 0);
    descriptor->length = (uint16_t)length;
    descriptor->address = address;
}

/* Read `size` bytes of what the card says of itself to disk.buffer. */
static bool run_read(uint32_t index, uint32_t argument, uint32_t size)
{
    set_descriptor(disk.tables, disk.dma_paddr + BUFFER_OFFSET, size, true);
    dma_clean(disk.tables, sizeof(*disk.tables));
    memset(disk.buffer, 0, BUFFER_SIZE);
    dma_invalidate(disk.buffer, BUFFER_SIZE);
    write_register(SDHCI_BLOCK, SDHCI_BLOCK_OF(size, 1u));
    write_register(SDHCI_ADMA_ADDRESS, disk.dma_paddr);
    write_register(SDHCI_ADMA_ADDRESS_HIGH, 0);
    if (!run(SDHCI_COMMAND_INDEX(index) | R1 | SDHCI_COMMAND_DATA, SDHCI_MODE_DMA | SDHCI_MODE_READ,
             argument, SDHCI_INT_TRANSFER)) {
        return false;
    }
    dma_invalidate(disk.buffer, BUFFER_SIZE);
    return true;
}

/* ---- Start of the controller ---- */

static bool reset_all(void)
{
    write_register(SDHCI_CLOCK, SDHCI_CLOCK_RESET_ALL);
    return await_clear(SDHCI_CLOCK, SDHCI_CLOCK_RESET_ALL, RESET_US);
}

/* The card's clock is at most `khz`, and at most half of the controller's. */
static bool set_clock(uint32_t khz)
{
    uint32_t base_khz = SDHCI_CAPABILITIES_BASE_MHZ(disk.capabilities, disk.version) * 1000;
    uint32_t half = (base_khz + 2 * khz - 1) / (2 * khz);
    uint32_t power = 1;

    if (disk.version < SDHCI_VERSION_3) {
        while (power < half && power < SDHCI_HALF_DIVISOR_MAX_2) {
            power *= 2;
        }
        half = power;
    }
    if (half > SDHCI_HALF_DIVISOR_MAX) {
        half = SDHCI_HALF_DIVISOR_MAX;
    }
    uint32_t clock = SDHCI_CLOCK_TIMEOUT_MAX | SDHCI_CLOCK_DIVISOR(half) | SDHCI_CLOCK_INTERNAL;

    write_register(SDHCI_CLOCK, SDHCI_CLOCK_TIMEOUT_MAX);
    write_register(SDHCI_CLOCK, clock);
    if ((await_any(SDHCI_CLOCK, SDHCI_CLOCK_STABLE, CLOCK_US) & SDHCI_CLOCK_STABLE) == 0) {
        return false;
    }
    write_register(SDHCI_CLOCK, clock | SDHCI_CLOCK_CARD);
    return true;
}

static void set_host(uint32_t bits)
{
    disk.host |= bits;
    write_register(SDHCI_HOST, disk.host);
}

static const char *start_controller(void)
{
    if (!reset_all()) {
        return "there is no SD host controller that can be reset";
    }
    disk.version = SDHCI_VERSION_OF(read_register(SDHCI_VERSION));
    disk.capabilities = read_register(SDHCI_CAPABILITIES);
    if ((disk.capabilities & SDHCI_CAPABILITIES_ADMA2) == 0 ||
        SDHCI_CAPABILITIES_BASE_MHZ(disk.capabilities, disk.version) == 0) {
        return "the SD host controller has no ADMA2, or does not say how fast its clock is";
    }
    if ((disk.capabilities & (SDHCI_CAPABILITIES_3V3 | SDHCI_CAPABILITIES_3V0)) == 0) {
        return "the SD host controller has no supply of 3 V";
    }
    await_any(SDHCI_PRESENT, SDHCI_PRESENT_STABLE, CARD_US);
    if ((read_register(SDHCI_PRESENT) & SDHCI_PRESENT_INSERTED) == 0) {
        return "there is no card in the slot";
    }
    disk.host = SDHCI_HOST_ADMA2_32 |
                ((disk.capabilities & SDHCI_CAPABILITIES_3V3) != 0 ? SDHCI_HOST_POWER_3V3
                                                                   : SDHCI_HOST_POWER_3V0);
    set_host(0);
    set_host(SDHCI_HOST_POWER_ON);
    if (!set_clock(KHZ_IDENTIFY)) {
        return "the SD host controller's clock does not run";
    }
    await_any(SDHCI_PRESENT, 0, POWER_US);
    write_register(SDHCI_INT_STATUS_ENABLE,
                   SDHCI_INT_COMMAND | SDHCI_INT_TRANSFER | SDHCI_INT_ERRORS);
    write_register(SDHCI_INT_SIGNAL_ENABLE, 0);
    return NULL;
}

/* ---- Start of the card (4.2, 4.3) ---- */

/* Until the card's supply is as it wants it. A card without SD_SEND_IF_COND is one of version 1. */
static const char *power_up(void)
{
    uint64_t start = cpu_counter();
    uint64_t patience = ticks_of(CARD_US);
    uint32_t argument = SD_OCR_VOLTAGES;

    run_command(SD_GO_IDLE_STATE, 0, 0);
    if (run_command(SD_SEND_IF_COND, SD_IF_COND, R1)) {
        if ((disk.response[0] & SD_IF_COND_MASK) != SD_IF_COND) {
            return "the card does not take 3 V";
        }
        argument |= SD_OCR_HIGH;
    }
    do {
        if (!run_app_command(SD_APP_SEND_OP_COND, argument, R3)) {
            return "what is in the slot does not answer as an SD memory card";
        }
        disk.high = (disk.response[0] & SD_OCR_HIGH) != 0 && (argument & SD_OCR_HIGH) != 0;
    } while ((disk.response[0] & SD_OCR_READY) == 0 && cpu_counter() - start < patience);
    return (disk.response[0] & SD_OCR_READY) != 0 ? NULL : "the card does not get ready";
}

/* The card gets its address, says how large it is, and is selected. */
static const char *identify(struct block_info *info)
{
    const char *silent = "the card does not identify itself";

    if (!run_command(SD_ALL_SEND_CID, 0, R2) || !run_command(SD_SEND_RELATIVE_ADDR, 0, R1)) {
        return silent;
    }
    disk.card = disk.response[0] & SD_RELATIVE_ADDR;
    if (!run_command(SD_SEND_CSD, disk.card, R2)) {
        return silent;
    }
    disk.sectors = sd_csd_sectors(disk.response);
    if (disk.sectors == 0) {
        return "the card's size makes no sense";
    }
    if (!disk.high && disk.sectors > UINT32_MAX / BLOCK_SECTOR) {
        disk.sectors = UINT32_MAX / BLOCK_SECTOR; /* which is all that byte addresses reach */
    }
    if (sd_csd_is_protected(disk.response)) {
        info->features |= BLOCK_INFO_READ_ONLY;
    }
    if (!set_clock(KHZ_DEFAULT) || !run_command(SD_SELECT_CARD, disk.card, R1B) ||
        (!disk.high && !run_command(SD_SET_BLOCKLEN, BLOCK_SECTOR, R1))) {
        return "the card cannot be selected";
    }
    return NULL;
}

static bool switch_function(uint32_t argument)
{
    return run_read(SD_SWITCH_FUNC, argument, SD_SWITCH_BYTES);
}

/* Use as many lines and as fast a clock as card and controller have. */
static const char *speed_up(void)
{
    bool has_switch;

    if (!run_command(SD_APP_CMD, disk.card, R1) || !run_read(SD_APP_SEND_SCR, 0, SD_SCR_BYTES)) {
        return "the card does not say what it can do";
    }
    has_switch = sd_scr_has_switch(disk.buffer);
    if (sd_scr_has_4_bits(disk.buffer)) {
        if (!run_app_command(SD_APP_SET_BUS_WIDTH, SD_BUS_WIDTH_4, R1)) {
            return "the card does not take four data lines";
        }
        set_host(SDHCI_HOST_4_BITS);
    }
    if (!has_switch || (disk.capabilities & SDHCI_CAPABILITIES_HIGH_SPEED) == 0 ||
        !switch_function(SD_SWITCH_CHECK) || !sd_switch_offers_high_speed(disk.buffer)) {
        return NULL;
    }
    if (!switch_function(SD_SWITCH_SET)) {
        return "the card does not switch to high speed";
    }
    if (sd_switch_has_high_speed(disk.buffer)) {
        set_host(SDHCI_HOST_HIGH_SPEED);
        return set_clock(KHZ_HIGH) ? NULL : "the SD host controller's clock does not run";
    }
    return NULL;
}

static const char *start(struct block_info *info)
{
    const char *cause = start_controller();

    if (cause == NULL) {
        cause = power_up();
    }
    if (cause == NULL) {
        cause = identify(info);
    }
    return cause != NULL ? cause : speed_up();
}

const char *chip_start(uintptr_t registers, bool has_protect_switch, void *dma, uint64_t dma_paddr,
                       uint64_t dma_size, struct block_info *info)
{
    memset(&disk, 0, sizeof(disk));
    disk.registers = registers;
    disk.tables = dma;
    disk.buffer = (uint8_t *)dma + BUFFER_OFFSET;
    disk.dma_paddr = (uint32_t)dma_paddr;
    *info = (struct block_info){.kind = BLOCK_REPLY_INFO,
                                .block_size = BLOCK_SECTOR,
                                .segments_max = SEGMENTS_MAX,
                                .segment_bytes_max = SDHCI_ADMA2_LENGTH_MAX};
    if (dma_size < DMA_SIZE || dma_paddr > UINT32_MAX - DMA_SIZE) {
        disk.error = "the controller does not reach the driver's memory";
        return disk.error;
    }
    disk.error = start(info);
    if (disk.error != NULL) {
        reset_all();
        return disk.error;
    }
    if (has_protect_switch && (read_register(SDHCI_PRESENT) & SDHCI_PRESENT_WRITE_ENABLED) == 0) {
        info->features |= BLOCK_INFO_READ_ONLY;
    }
    info->sectors = disk.sectors;
    write_register(SDHCI_INT_STATUS, UINT32_MAX);
    write_register(SDHCI_INT_SIGNAL_ENABLE, SDHCI_INT_TRANSFER | SDHCI_INT_ERRORS);
    return NULL;
}

/* ---- Requests ---- */

bool chip_reaches(const struct chip_segment *segment)
{
    return (segment->paddr | segment->length) % SDHCI_ADMA2_ALIGNMENT == 0 &&
           segment->paddr <= UINT32_MAX && segment->length - 1 <= UINT32_MAX - segment->paddr;
}

static struct slot *slot_at(uint32_t number)
{
    return &disk.slots[number % SLOTS];
}

static struct sdhci_adma2 *table_at(uint32_t number)
{
    return disk.tables + (size_t)(number % SLOTS) * SEGMENTS_MAX;
}

bool chip_submit(const struct block_request *request, const struct chip_segment *data)
{
    struct slot *slot = slot_at(disk.submitted);
    struct sdhci_adma2 *table = table_at(disk.submitted);

    if (disk.submitted - disk.taken == SLOTS || disk.error != NULL) {
        return false;
    }
    *slot = (struct slot){.id = request->id,
                          .write = request->op == BLOCK_WRITE,
                          .sector = request->sector,
                          .sector_count = request->sector_count};
    for (uint32_t i = 0; i < request->segment_count; i++) {
        set_descriptor(&table[i], (uint32_t)data[i].paddr, data[i].length,
                       i + 1u == request->segment_count);
    }
    dma_clean(table, request->segment_count * sizeof(*table));
    disk.submitted++;
    return true;
}

static void end_request(uint32_t status)
{
    slot_at(disk.ended)->status = status;
    disk.ended++;
    disk.state = IDLE;
}

/* Begin a command whose end is an interrupt. */
static void begin(enum state state, uint32_t argument, uint32_t command)
{
    disk.state = state;
    disk.started = cpu_counter();
    write_register(SDHCI_ARGUMENT, argument);
    write_register(SDHCI_COMMAND, command);
}

static void begin_transfer(void)
{
    const struct slot *slot = slot_at(disk.ended);
    uint32_t table = (uint32_t)((uintptr_t)table_at(disk.ended) - (uintptr_t)disk.tables);
    uint32_t index = slot->write ? SD_WRITE_MULTIPLE_BLOCK : SD_READ_MULTIPLE_BLOCK;
    uint32_t mode = SDHCI_MODE_DMA | SDHCI_MODE_BLOCK_COUNT | SDHCI_MODE_AUTO_CMD12 |
                    SDHCI_MODE_MULTI | (slot->write ? 0 : SDHCI_MODE_READ);

    write_register(SDHCI_BLOCK, SDHCI_BLOCK_OF(BLOCK_SECTOR, slot->sector_count));
    write_register(SDHCI_ADMA_ADDRESS, disk.dma_paddr + table);
    begin(TRANSFER, (uint32_t)(disk.high ? slot->sector : slot->sector * BLOCK_SECTOR),
          mode | SDHCI_COMMAND_INDEX(index) | R1 | SDHCI_COMMAND_DATA);
}

/* Give the controller the next request, if it has none. */
static void go_on(void)
{
    uint32_t inhibit = SDHCI_PRESENT_CMD_INHIBIT | SDHCI_PRESENT_DAT_INHIBIT;

    if (disk.error != NULL || disk.state != IDLE || disk.ended == disk.submitted) {
        return;
    }
    if (await_clear(SDHCI_PRESENT, inhibit, LINES_US)) {
        begin_transfer();
    } else {
        disk.error = "the card stays busy";
    }
}

void chip_kick(void)
{
    go_on();
}

/* What the card has said about the transfer; what ended it comes last in the responses. */
static uint32_t status_of_transfer(void)
{
    uint32_t errors = read_register(SDHCI_RESPONSE(0)) & SD_STATUS_ERRORS;

    /* A read that ends at the card's end may look beyond it. */
    errors |= read_register(SDHCI_RESPONSE(3)) & SD_STATUS_ERRORS & ~SD_STATUS_RANGE;
    return errors == 0 ? BLOCK_OK : BLOCK_IO_ERROR;
}

/* The request has failed. What the controller and the card still do for it has to end. */
static void recover(uint32_t status)
{
    disk.unanswered = (status & SDHCI_INT_COMMAND_TIMEOUT) != 0 ? disk.unanswered + 1 : 0;
    if ((read_register(SDHCI_PRESENT) & SDHCI_PRESENT_INSERTED) == 0) {
        disk.error = "the card has been taken out";
    } else if (disk.unanswered == UNANSWERED_MAX) {
        disk.error = "the card does not answer any more";
    } else if (!reset_lines(LINES_US)) {
        disk.error = "the controller's lines cannot be reset";
    } else {
        end_request(BLOCK_IO_ERROR);
        write_register(SDHCI_INT_STATUS, UINT32_MAX);
        begin(STOP, 0, STOP_COMMAND);
    }
}

/* A card that was not transferring does not know the command: that is no error. */
static void stopped(uint32_t status)
{
    if ((status & SDHCI_INT_ERRORS) != 0 && !reset_lines(LINES_US)) {
        disk.error = "the controller's lines cannot be reset";
        return;
    }
    disk.state = IDLE;
}

void chip_interrupted(void)
{
    uint32_t status;
    uint32_t errors;

    if (disk.error != NULL) {
        return;
    }
    status = read_register(SDHCI_INT_STATUS);
    write_register(SDHCI_INT_STATUS, status);
    if ((status & DONE_INTS) == 0 || disk.state == IDLE) {
        return;
    }
    errors = status & (SDHCI_INT_ERROR | SDHCI_INT_ERRORS);
    if ((status & SDHCI_INT_TRANSFER) != 0 &&
        errors == (SDHCI_INT_ERROR | SDHCI_INT_DATA_TIMEOUT)) {
        errors = 0; /* it came in time after all (2.2.18) */
    }
    if (disk.state == STOP) {
        stopped(errors);
    } else if (errors != 0) {
        recover(errors);
    } else {
        disk.unanswered = 0;
        end_request(status_of_transfer());
    }
    go_on();
}

bool chip_take(uint32_t *id, uint32_t *status)
{
    if (disk.stopped && disk.ended != disk.submitted) {
        end_request(BLOCK_IO_ERROR);
    }
    if (disk.taken == disk.ended) {
        return false;
    }
    *id = slot_at(disk.taken)->id;
    *status = slot_at(disk.taken)->status;
    disk.taken++;
    return true;
}

/* Nothing ends without an interrupt. The controller might never send one. */
bool chip_await(void)
{
    if (disk.error == NULL && disk.state != IDLE &&
        cpu_counter() - disk.started > PATIENCE_S * cpu_counter_frequency()) {
        disk.error = "it does not end what it has begun";
    }
    return false;
}

uint32_t chip_in_flight(void)
{
    return disk.submitted - disk.taken;
}

void chip_fail(const char *cause)
{
    disk.error = cause;
}

const char *chip_error(void)
{
    return disk.error;
}

bool chip_stop(void)
{
    disk.stopped = reset_all();
    return disk.stopped;
}
