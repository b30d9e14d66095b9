/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no program of the guests' packages measures: requests per second over one TCP connection, a
 * disk's throughput past the page cache, and a stream to or from a server that only swallows or
 * pours.
 *
 *     meter serve PORT                        answer each byte with a byte, for one client after
 * another meter request ADDRESS PORT SECONDS      "N per second" meter disk DEVICE read|write BLOCK
 * COUNT [random]      "N bytes/s, N per second" meter send|receive ADDRESS PORT MIB     "N bytes/s"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

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

static void disk(const char *device, int writing, size_t block, unsigned long count, int random)
{
    int fd = open(device, (writing ? O_WRONLY : O_RDONLY) | O_DIRECT);
    off_t blocks = fd < 0 ? 0 : lseek(fd, 0, SEEK_END) / (off_t)block;
    uint64_t state = 1; /* the same sequence every time */
    double begin, used;
    void *buffer;

    if (blocks <= 0 || posix_memalign(&buffer, 4096, block)) {
        err(1, "%s", device);
    }
    memset(buffer, 0x5a, block);
    begin = now();
    for (unsigned long i = 0; i < count; i++) {
        off_t at;

        state = state * 6364136223846793005u + 1442695040888963407u;
        at = (off_t)(random ? state >> 33 : i) % blocks * (off_t)block;
        if ((writing ? pwrite(fd, buffer, block, at) : pread(fd, buffer, block, at)) !=
            (ssize_t)block) {
            err(1, "%s at %lld", device, (long long)at);
        }
    }
    if (writing && fsync(fd)) {
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
    } else if (!strcmp(what, "disk") && (argc == 6 || argc == 7)) {
        disk(argv[2], !strcmp(argv[3], "write"), strtoul(argv[4], NULL, 0),
             strtoul(argv[5], NULL, 0), argc == 7);
    } else if ((!strcmp(what, "send") || !strcmp(what, "receive")) && argc == 5) {
        stream(argv[2], argv[3], !strcmp(what, "send"), strtoul(argv[4], NULL, 0) << 20);
    } else {
        errx(2, "meter serve|request|disk|send|receive ...");
    }
    return 0;
}
