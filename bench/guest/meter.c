/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no program of the guests' packages measures: requests per second over one TCP connection, a
 * disk's throughput past the page cache, and a stream to or from a server that only swallows or
 * pours.
 *
 * - meter serve PORT: answer each byte with a byte, for one client after another
 * - meter request ADDRESS PORT SECONDS: "N per second"
 * - meter disk DEVICE read|write BLOCK COUNT sequential|random DEPTH: "N bytes/s, N per second",
 *   with so many requests in flight, 1 to 64
 * - meter send|receive ADDRESS PORT MIB: "N bytes/s"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)
#define DEPTH_MAX    64u

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int open_socket(void)
{
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0) {
        err(1, "socket");
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int connect_to(const char *address, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = open_socket();

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
        errx(1, "%s is no address", address);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        err(1, "%s", address);
    }
    return fd;
}

static void serve(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int listener = open_socket();

    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1)) {
        err(1, "port %s", port);
    }
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char byte;

        while (fd >= 0 && read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1) {
        }
        close(fd);
    }
}

static void request(const char *address, const char *port, double seconds)
{
    int fd = connect_to(address, port);
    double begin = now(), used;
    unsigned long done = 0;
    char byte = 0;

    do {
        if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) {
            err(1, "request");
        }
        done++;
        used = now() - begin;
    } while (used < seconds);
    printf("%.0f per second\n", (double)done / used);
}

/* What is asked of a disk. */
struct load {
    const char *device;
    int fd;
    int writing;
    int random;
    size_t block; /* bytes */
    off_t blocks; /* of the disk */
    uint64_t state;
    void *buffers[DEPTH_MAX];
};

/* Where the next request goes, in bytes; `i` counts them. The same sequence every time. */
static off_t next_place(struct load *load, unsigned long i)
{
    load->state = load->state * 6364136223846793005u + 1442695040888963407u;
    return (off_t)(load->random ? load->state >> 33 : i) % load->blocks * (off_t)load->block;
}

static void *disk_buffer(const struct load *load)
{
    void *buffer;

    if (posix_memalign(&buffer, 4096, load->block)) {
        errx(1, "memory");
    }
    memset(buffer, 0x5a, load->block);
    return buffer;
}

/* One request after the other. */
static void disk_in_turn(struct load *load, unsigned long count)
{
    void *buffer = load->buffers[0];

    for (unsigned long i = 0; i < count; i++) {
        off_t at = next_place(load, i);

        if ((load->writing ? pwrite(load->fd, buffer, load->block, at)
                           : pread(load->fd, buffer, load->block, at)) != (ssize_t)load->block) {
            err(1, "%s at %lld", load->device, (long long)at);
        }
    }
}

/* `depth` requests in flight, each with a buffer of its own. Those that end make room for as many.
 */
static void disk_at_once(struct load *load, unsigned long count, unsigned depth)
{
    static struct iocb requests[DEPTH_MAX];
    static struct io_event events[DEPTH_MAX];
    struct iocb *free[DEPTH_MAX];
    unsigned long sent = 0, done = 0;
    unsigned free_count = 0;
    aio_context_t context = 0;

    if (syscall(SYS_io_setup, depth, &context)) {
        err(1, "io_setup");
    }
    for (unsigned i = 0; i < depth; i++) {
        requests[i] =
            (struct iocb){.aio_fildes = (uint32_t)load->fd,
                          .aio_lio_opcode = load->writing ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                          .aio_buf = (uintptr_t)load->buffers[i],
                          .aio_nbytes = load->block,
                          .aio_data = i};
        free[free_count++] = &requests[i];
    }
    while (done < count) {
        unsigned now_sent = 0;
        long ended;

        while (now_sent < free_count && sent + now_sent < count) {
            free[now_sent]->aio_offset = next_place(load, sent + now_sent);
            now_sent++;
        }
        if (now_sent && syscall(SYS_io_submit, context, now_sent, free) != (long)now_sent) {
            err(1, "io_submit");
        }
        sent += now_sent;
        free_count = 0;
        ended = syscall(SYS_io_getevents, context, 1L, (long)depth, events, NULL);
        if (ended < 1) {
            err(1, "io_getevents");
        }
        for (long i = 0; i < ended; i++) {
            if (events[i].res != (int64_t)load->block) {
                errx(1, "%s: %lld", load->device, (long long)events[i].res);
            }
            free[free_count++] = &requests[events[i].data];
        }
        done += (unsigned long)ended;
    }
}

static void disk(const char *device, int writing, size_t block, unsigned long count, int random,
                 unsigned long depth)
{
    struct load load = {.device = device,
                        .fd = open(device, (writing ? O_WRONLY : O_RDONLY) | O_DIRECT),
                        .writing = writing,
                        .random = random,
                        .block = block,
                        .state = 1};
    double begin, used;

    load.blocks = load.fd < 0 || !block ? 0 : lseek(load.fd, 0, SEEK_END) / (off_t)block;
    if (load.blocks <= 0) {
        err(1, "%s", device);
    }
    if (depth < 1 || depth > DEPTH_MAX) {
        errx(2, "%lu requests in flight: 1 to %u", depth, DEPTH_MAX);
    }
    for (unsigned long i = 0; i < depth; i++) {
        load.buffers[i] = disk_buffer(&load);
    }
    begin = now();
    if (depth == 1) {
        disk_in_turn(&load, count);
    } else {
        disk_at_once(&load, count, (unsigned)depth);
    }
    if (writing && fsync(load.fd)) {
        err(1, "%s", device);
    }
    used = now() - begin;
    printf("%.0f bytes/s, %.0f per second\n", (double)block * (double)count / used,
           (double)count / used);
}

static void stream(const char *address, const char *port, int sending, size_t size)
{
    int fd = connect_to(address, port);
    char *buffer = calloc(1, BUFFER_BYTES);
    double begin = now();
    size_t done = 0;
    ssize_t got = 1;

    if (!buffer) {
        err(1, "memory");
    }
    while (done < size && got > 0) {
        got = sending ? write(fd, buffer, BUFFER_BYTES) : read(fd, buffer, BUFFER_BYTES);
        done += got > 0 ? (size_t)got : 0;
    }
    /* What was sent has arrived when the server, seeing its end, closes too. */
    if (got < 0 || (sending && (shutdown(fd, SHUT_WR) || read(fd, buffer, 1) < 0))) {
        err(1, "stream");
    }
    printf("%.0f bytes/s\n", (double)done / (now() - begin));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (!strcmp(what, "serve") && argc == 3) {
        serve(argv[2]);
    } else if (!strcmp(what, "request") && argc == 5) {
        request(argv[2], argv[3], atof(argv[4]));
    } else if (!strcmp(what, "disk") && argc == 8) {
        disk(argv[2], !strcmp(argv[3], "write"), strtoul(argv[4], NULL, 0),
             strtoul(argv[5], NULL, 0), !strcmp(argv[6], "random"), strtoul(argv[7], NULL, 0));
    } else if ((!strcmp(what, "send") || !strcmp(what, "receive")) && argc == 5) {
        stream(argv[2], argv[3], !strcmp(what, "send"), strtoul(argv[4], NULL, 0) << 20);
    } else {
        errx(2, "meter serve|request|disk|send|receive ...");
    }
    return 0;
}
