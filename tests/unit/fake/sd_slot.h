/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * An SD host controller with a card in its slot (SD Host Controller Simplified Specification 3.00,
 * SD Physical Layer Simplified Specification 6.00), as lib/device_registers.h reaches it. It is
 * strict: a register that it does not have, a command with a response of another kind than the
 * card's, or one that the card does not know in its state, fails the test. Its DMA sees what
 * fake_dma.h says that is in memory. Each access to a register takes a microsecond of
 * fake.counter's time.
 */

#include <stdbool.h>
#include <stdint.h>

#define FAKE_SD_REGISTERS 0xff170000u
#define FAKE_SD_SECTORS   4096u

enum fake_sd_kind { FAKE_SD_HIGH, FAKE_SD_VERSION_2, FAKE_SD_VERSION_1 };

struct fake_sd {
    /* What a test sets after fake_sd_reset. */
    enum fake_sd_kind
        kind;         /* with block addresses; with byte addresses; and without SD_SEND_IF_COND */
    uint64_t sectors; /* what its CSD says; at most FAKE_SD_SECTORS are there */
    uint32_t capabilities;
    uint32_t version;
    uint8_t scr[8];
    bool high_speed_offered;
    bool inserted;
    bool write_protected;   /* by the slot's switch, */
    bool csd_protected;     /* by the card */
    uint32_t csd_structure; /* 0 or 1 of a card, or nonsense */
    unsigned not_ready;     /* so many times the card says that it is not ready */
    bool held;              /* requests wait for fake_sd_finish */
    bool stuck_reset;       /* no reset ends */
    bool stuck_busy;        /* the data lines are never free while requests are served */
    bool stuck_clock;       /* the clock never gets stable */
    bool mute;              /* the card answers no command, */
    bool silent;            /* or the controller says nothing of it */
    bool ones;              /* all reads are */
    uint32_t errors;      /* the next data transfer ends with these bits of the interrupt status */
    uint32_t card_status; /* the next answer of the card to a request has these bits, */
    uint32_t stop_status; /* and the one to the stop command at its end */

    /* What a test looks at. */
    uint32_t clock_khz; /* of the card, as it is now */
    uint32_t host;
    unsigned transfers; /* requests */
    unsigned stops;     /* commands to stop that were not automatic */
    unsigned accesses;
    bool waits; /* a request waits for fake_sd_finish */
    uint8_t medium[FAKE_SD_SECTORS * 512];
};

extern struct fake_sd fake_sd;

/* A fast card of FAKE_SD_SECTORS in a controller like that of Zynq UltraScale+. */
void fake_sd_reset(void);

/* The level of the interrupt's line. */
bool fake_sd_interrupts(void);

/* A request that waits is done. */
void fake_sd_finish(void);
