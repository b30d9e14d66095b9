/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Registers and descriptors of the Cadence GEM in Zynq UltraScale+ (AMD UG1087, module GEM; UG1085,
 * chapter 34), and those of a PHY's registers that all PHYs have (IEEE 802.3, clause 22).
 */

#include <stdint.h>

#define GEM_NCR    0x000u /* network control */
#define GEM_NCFGR  0x004u /* network configuration */
#define GEM_NSR    0x008u /* network status */
#define GEM_DMACFG 0x010u
#define GEM_TSR    0x014u /* transmit status; write 1 to clear */
#define GEM_RBQP   0x018u /* the receive queue's descriptors, */
#define GEM_TBQP   0x01cu /* and the transmit queue's: bits 31..0 of the address */
#define GEM_RSR    0x020u /* receive status; write 1 to clear */
#define GEM_ISR    0x024u /* cleared by the read, or by writing 1: GEM_DCFG1_IRQCOR says which */
#define GEM_IER    0x028u /* write 1 to enable, */
#define GEM_IDR    0x02cu /* or to disable */
#define GEM_MAN    0x034u /* PHY management */
#define GEM_SA1B   0x088u /* the card's address: bytes 0 .. 3, */
#define GEM_SA1T   0x08cu /* and 4, 5 */
#define GEM_MID    0x0fcu /* module id */
#define GEM_TI     0x1dcu /* the timer's step, in nanoseconds for each tick of its clock */
#define GEM_DCFG1  0x280u /* how the chip was built */
#define GEM_DCFG6  0x294u
#define GEM_TBQPH  0x4c8u /* bits 63..32 of all transmit queues' addresses, */
#define GEM_RBQPH  0x4d4u /* and of all receive queues' */

/* The further queues, from 1. */
#define GEM_QUEUES_MAX 8u
#define GEM_TBQP_Q(q)  (0x440u + 4 * ((q)-1))
#define GEM_RBQP_Q(q)  (0x480u + 4 * ((q)-1))
#define GEM_IDR_Q(q)   (0x620u + 4 * ((q)-1))

#define GEM_NCR_RE      (1u << 2) /* receive */
#define GEM_NCR_TE      (1u << 3) /* transmit */
#define GEM_NCR_MPE     (1u << 4) /* management port */
#define GEM_NCR_CLRSTAT (1u << 5)
#define GEM_NCR_TSTART  (1u << 9)

#define GEM_NCFGR_SPD    (1u << 0) /* 100 Mbit/s */
#define GEM_NCFGR_FD     (1u << 1) /* full duplex */
#define GEM_NCFGR_CAF    (1u << 4) /* receive all addresses */
#define GEM_NCFGR_BIG    (1u << 8) /* receive frames of up to 1536 bytes */
#define GEM_NCFGR_GBE    (1u << 10)
#define GEM_NCFGR_DRFCS  (1u << 17) /* leave the FCS away */
#define GEM_NCFGR_CLK    (7u << 18) /* MDC is the bus clock / 224: right for the fastest */
#define GEM_NCFGR_DBW(w) ((w) << 21)
#define GEM_NCFGR_DNCPC  (1u << 23) /* receive no pause frames */
#define GEM_NCFGR_RXCOEN (1u << 24) /* check checksums, drop what is wrong */

#define GEM_NSR_IDLE (1u << 2) /* the management port is */

#define GEM_DMACFG_FBLDO   (16u << 0) /* bursts of 16 */
#define GEM_DMACFG_RXBMS   (3u << 8)  /* all of the chip's memory for received frames, */
#define GEM_DMACFG_TXPBMS  (1u << 10) /* and for those to be sent */
#define GEM_DMACFG_TXCOEN  (1u << 11) /* compute checksums */
#define GEM_DMACFG_RXBS(b) ((b) / 64 << 16)
#define GEM_DMACFG_DDRP    (1u << 24) /* drop what is received while memory does not answer */
#define GEM_DMACFG_ADDR64  (1u << 30) /* descriptors have four words */

#define GEM_TSR_TGO (1u << 3) /* it transmits */
#define GEM_TSR_ALL 0x1ffu
#define GEM_RSR_ALL 0xfu

#define GEM_INT_RCOMP (1u << 1)  /* a frame has been received */
#define GEM_INT_RXUBR (1u << 2)  /* there was no buffer for one */
#define GEM_INT_TXUBR (1u << 3)  /* there was nothing more to send */
#define GEM_INT_TUND  (1u << 4)  /* memory was too slow */
#define GEM_INT_RLE   (1u << 5)  /* too many collisions */
#define GEM_INT_TXERR (1u << 6)  /* memory did not answer */
#define GEM_INT_TCOMP (1u << 7)  /* a frame has been sent */
#define GEM_INT_HRESP (1u << 11) /* the bus has refused an access */
#define GEM_INT_SRI   (1u << 26) /* the timer's seconds have changed */
#define GEM_INT_ALL   0xffffffffu

#define GEM_MAN_READ                 (1u << 30 | 2u << 28 | 2u << 16)
#define GEM_MAN_PHY(address, number) ((uint32_t)(address) << 23 | (uint32_t)(number) << 18)
#define GEM_MAN_DATA                 0xffffu

#define GEM_MID_MODULE(mid)    ((mid) >> 16 & 0xfffu)
#define GEM_DCFG1_IRQCOR       (1u << 23)
#define GEM_DCFG1_DBW(dcfg)    ((dcfg) >> 25 & 7u) /* words of the bus: 1, 2 or 4 */
#define GEM_DCFG6_QUEUES(dcfg) ((dcfg)&0xfeu)      /* a bit for each further one there is */
#define GEM_DCFG6_DAW64        (1u << 23)

/* With GEM_DMACFG_ADDR64. The chip sets `used` when it has finished with a descriptor. */
struct gem_descriptor {
    uint32_t address; /* bits 31..0 of the buffer's */
    uint32_t control;
    uint32_t address_high;
    uint32_t unused;
};

#define GEM_RX_USED    (1u << 0) /* in `address` */
#define GEM_RX_WRAP    (1u << 1)
#define GEM_RX_LENGTH  0x1fffu /* in `control` */
#define GEM_RX_SOF     (1u << 14)
#define GEM_RX_EOF     (1u << 15)
#define GEM_RX_SUMS    (3u << 22) /* which checksums are right: */
#define GEM_RX_SUMS_IP (1u << 22) /* IPv4's header alone; TCP's or UDP's too, if it is more */
#define GEM_TX_LENGTH  0x3fffu    /* in `control` */
#define GEM_TX_LAST    (1u << 15)
#define GEM_TX_NOCRC   (1u << 16) /* it has its FCS: the chip changes nothing */
#define GEM_TX_FAILED  (1u << 29 | 1u << 27 | 1u << 26) /* collisions; the bus; a late collision */
#define GEM_TX_WRAP    (1u << 30)
#define GEM_TX_USED    (1u << 31)

#define PHY_BMCR   0u /* control */
#define PHY_BMSR   1u /* status; the link's bit stays 0 until it is read, if it ever was 0 */
#define PHY_ANAR   4u /* what it offers, */
#define PHY_ANLPAR 5u /* and what the other end does */
#define PHY_GBCR   9u /* the same at 1 Gbit/s */
#define PHY_GBSR   10u

#define PHY_BMCR_1000 (1u << 6)
#define PHY_BMCR_FD   (1u << 8)
#define PHY_BMCR_ANEG (1u << 12)
#define PHY_BMCR_100  (1u << 13)
#define PHY_BMSR_LINK (1u << 2)
#define PHY_BMSR_ANEG (1u << 5) /* done */
#define PHY_10_FD     (1u << 6) /* ANAR, ANLPAR */
#define PHY_100_HD    (1u << 7)
#define PHY_100_FD    (1u << 8)
#define PHY_GBCR_FD   (1u << 9)
#define PHY_GBSR_FD   (1u << 11)
