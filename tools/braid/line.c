/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE

#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define QUEUED_MAX 100 /* bytes that the kernel has not sent: 9 ms at 115,200 baud */

/* QEMU's multiplexer of monitor and serial line takes what follows this key; twice, it is the key.
 */
#define QEMU_ESCAPE 0x01u

#define QEMU_PATIENCE_MS 5000 /* then it is killed */

static bool set_raw(int fd)
{
    struct termios settings;

    if (tcgetattr(fd, &settings) != 0) {
        return errno == ENOTTY;
    }
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    settings.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | HUPCL);
    cfsetispeed(&settings, B115200);
    cfsetospeed(&settings, B115200);
    return tcsetattr(fd, TCSANOW, &settings) == 0;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static const char *cure(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return "; you may have to join the group that owns it (dialout)";
    case ENOENT:
        return "; is the adapter plugged in?";
    case EBUSY:
        return "; another program holds it";
    case ECONNREFUSED:
        return "; nobody listens there";
    default:
        return "";
    }
}

bool line_open(struct line *line, const char *port, struct bytes *why)
{
    bool socket = strncmp(port, "unix:", 5) == 0;

    memset(line, 0, sizeof(*line));
    line->errors = -1;
    line->fd =
        socket ? connect_unix(port + 5) : open(port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (line->fd < 0 || fcntl(line->fd, F_SETFL, O_NONBLOCK) != 0 ||
        (!socket && (ioctl(line->fd, TIOCEXCL) != 0 || !set_raw(line->fd)))) {
        bytes_print(why, "%s cannot be opened: %s%s\n", port, strerror(errno), cure(errno));
        return false;
    }
    return true;
}

/* In the child. Its descriptors but these three close on exec. */
static void become_qemu(const char *run, int line, int errors, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && dup2(line, 0) == 0 && dup2(line, 1) == 1 && dup2(errors, 2) == 2) {
        execl(run, run, (char *)NULL);
        static const char text[] = "the system's command `run` cannot be executed\n";
        (void)!write(2, text, sizeof(text) - 1);
    }
    _exit(127);
}

bool line_start(struct line *line, const char *run, struct bytes *why)
{
    int ends[2];
    int errors[2];
    pid_t parent = getpid();

    memset(line, 0, sizeof(*line));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
        pipe2(errors, O_CLOEXEC) != 0 || (line->qemu = fork()) < 0) {
        bytes_print(why, "QEMU cannot be started: %s\n", strerror(errno));
        return false;
    }
    if (line->qemu == 0) {
        become_qemu(run, ends[1], errors[1], parent);
    }
    close(ends[1]);
    close(errors[1]);
    line->fd = ends[0];
    line->errors = errors[0];
    fcntl(line->fd, F_SETFL, O_NONBLOCK);
    fcntl(line->errors, F_SETFL, O_NONBLOCK);
    return true;
}

ssize_t line_read(struct line *line, uint8_t *bytes, size_t size)
{
    ssize_t count = read(line->fd, bytes, size);

    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    return count > 0 ? count : -1;
}

size_t line_room(const struct line *line)
{
    int queued = 0;

    if (line->waiting.count > 0) {
        return 0;
    }
    if (ioctl(line->fd, TIOCOUTQ, &queued) != 0) {
        queued = 0;
    }
    return queued < QUEUED_MAX ? QUEUED_MAX : 0;
}

void line_write(struct line *line, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bytes_add(&line->waiting, bytes + i, 1);
        if (line->qemu != 0 && bytes[i] == QEMU_ESCAPE) {
            bytes_add(&line->waiting, bytes + i, 1);
        }
    }
    if (line->waiting.count > 0) {
        ssize_t written = write(line->fd, line->waiting.data, line->waiting.count);

        bytes_take(&line->waiting, written > 0 ? (size_t)written : 0);
    }
}

void line_close(struct line *line)
{
    if (line->fd >= 0) {
        close(line->fd);
    }
    if (line->errors >= 0) {
        close(line->errors);
    }
    line->fd = line->errors = -1;
    bytes_free(&line->waiting);
    if (line->qemu == 0) {
        return;
    }
    kill(line->qemu, SIGTERM);
    for (int i = 0; i < QEMU_PATIENCE_MS / 10; i++) {
        if (waitpid(line->qemu, NULL, WNOHANG) != 0) {
            line->qemu = 0;
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(line->qemu, SIGKILL);
    waitpid(line->qemu, NULL, 0);
    line->qemu = 0;
}

void line_describe_end(int status, struct bytes *text)
{
    if (WIFSIGNALED(status)) {
        bytes_print(text, "QEMU was ended by signal %d (%s)", WTERMSIG(status),
                    strsignal(WTERMSIG(status)));
    } else {
        bytes_print(text, "QEMU has ended with status %d", WEXITSTATUS(status));
    }
}
