/* SPDX-License-Identifier: BSD-2-Clause */

/* `braid up`: build, and start the background process. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "commands.h"
#include "connection.h"
#include "daemon.h"
#include "state_directory.h"

/* Where the project is: the Makefile says so. */
#ifndef BRAID_ROOT
#define BRAID_ROOT "."
#endif

#define PATIENCE 60u /* seconds */

static volatile sig_atomic_t interrupted_fd = -1;

/* ---- Building ---- */

/* Run make in the project's directory. Its standard output goes to `out` if that is not negative.
 */
static bool make(const char *goal, const char *system, int out)
{
    char setting[PATH_MAX + 8];
    int status = 1;

    snprintf(setting, sizeof(setting), "SYSTEM=%s", system);
    pid_t child = fork();
    if (child == 0) {
        if (out >= 0) {
            dup2(out, STDOUT_FILENO);
        }
        unsetenv("MAKEFLAGS");
        unsetenv("MAKELEVEL");
        execlp("make", "make", "-s", "-C", BRAID_ROOT, "--no-print-directory", goal, setting,
               (char *)NULL);
        fprintf(stderr, "braid: make cannot be executed: %s\n", strerror(errno));
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Build, and find the command that starts QEMU. Returns false after a message. */
static bool build(const char *system, char run[PATH_MAX])
{
    int ends[2];

    if (!make("image", system, -1) || pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    bool made = make("directory", system, ends[1]);
    close(ends[1]);
    ssize_t count = read(ends[0], run, PATH_MAX - 8);
    close(ends[0]);
    if (!made || count < 2 || run[count - 1] != '\n') {
        fprintf(stderr, "braid: make does not say where the system is\n");
        return false;
    }
    strcpy(run + count - 1, "/run");
    if (access(run, X_OK) != 0) {
        fprintf(stderr, "braid: QEMU does not have this system's board: start it there, and name "
                        "its port with --port\n");
        return false;
    }
    return true;
}

/* ---- The background process ---- */

static void close_terminals(const struct daemon *daemon)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    close(null);
    (void)!fchdir(daemon->directory);
}

/* Files of whoever has started this: a pipe that is kept open would never end. */
static void close_others(const int *kept, size_t count)
{
    for (int fd = 3; fd < 1024; fd++) {
        bool keep = false;

        for (size_t i = 0; i < count; i++) {
            keep |= fd == kept[i];
        }
        if (!keep) {
            close(fd);
        }
    }
}

static void interrupt(int number)
{
    (void)number;
    shutdown(interrupted_fd, SHUT_WR);
}

/* Ctrl-C is `down`, and this waits until all has ended. */
static int stay(int fd, pid_t child)
{
    int status = 0;

    interrupted_fd = dup(fd);
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    status = connection_copy(fd);
    waitpid(child, NULL, 0);
    return status;
}

static int start(struct daemon *daemon)
{
    int ends[2];
    int lock = state_lock(daemon->directory);

    if (lock < 0) {
        fprintf(stderr, "braid: the system %s runs already; `braid -s %s down` ends it\n",
                daemon->system, daemon->system);
        return EXIT_FAILED;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        perror("braid: socketpair");
        return EXIT_FAILED;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        close(ends[0]);
        close_terminals(daemon);
        close_others((int[]){daemon->directory, lock, ends[1]}, 3);
        daemon->starter = ends[1];
        _exit(daemon_run(daemon));
    }
    close(lock);
    close(ends[1]);
    if (child < 0) {
        perror("braid: fork");
        return EXIT_FAILED;
    }
    return daemon->foreground ? stay(ends[0], child) : connection_copy(ends[0]);
}

/* Remove what is left of one that has ended without `down`. */
static void clean(const char *name)
{
    int directory = state_open(name);

    if (directory >= 0) {
        int lock = state_lock(directory);

        if (lock >= 0) {
            state_remove(directory, name);
            close(lock);
        }
        close(directory);
    }
}

/* The system's name from its file's: without directories and ending. False: it is none. */
static bool name_of(const char *file, char name[STATE_NAME_MAX + 1])
{
    const char *slash = strrchr(file, '/');
    const char *base = slash == NULL ? file : slash + 1;
    size_t length = strlen(base);

    if (length > 5 && strcmp(base + length - 5, ".yaml") == 0) {
        length -= 5;
    }
    if (length > STATE_NAME_MAX) {
        return false;
    }
    memcpy(name, base, length);
    name[length] = '\0';
    return state_name_valid(name);
}

static bool take_options(int count, char **words, struct daemon *daemon)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"foreground", no_argument, NULL, 'f'},
                                            {"wait", required_argument, NULL, 'w'},
                                            {NULL, 0, NULL, 0}};
    int option;
    char *end;

    while ((option = getopt_long(count, words, "", options, NULL)) >= 0) {
        switch (option) {
        case 'p':
            daemon->port = optarg;
            break;
        case 'f':
            daemon->foreground = true;
            break;
        case 'w':
            daemon->patience = (unsigned)strtoul(optarg, &end, 10);
            if (*end != '\0' || end == optarg) {
                return false;
            }
            break;
        default:
            return false;
        }
    }
    return optind == count - 1;
}

/* A relative path is the user's; make and the background process are elsewhere. */
static const char *absolute(const char *path, const char *prefix, char out[PATH_MAX + 8])
{
    char real[PATH_MAX];

    if (realpath(path, real) == NULL) {
        return NULL;
    }
    snprintf(out, PATH_MAX + 8, "%s%s", prefix, real);
    return out;
}

int command_up(int count, char **words)
{
    char name[STATE_NAME_MAX + 1];
    char run[PATH_MAX];
    char file[PATH_MAX + 8];
    char port[PATH_MAX + 8];
    struct daemon daemon = {.patience = PATIENCE, .system = name};

    if (!take_options(count, words, &daemon)) {
        return command_usage(words[0]);
    }
    const char *system = words[optind];
    if (!name_of(system, name)) {
        fprintf(stderr,
                "braid: a system's name has letters, digits, '-', '_' and '.', and at "
                "most %u of them\n",
                STATE_NAME_MAX);
        return EXIT_USAGE;
    }
    if (strchr(system, '/') != NULL || strstr(system, ".yaml") != NULL) {
        if (absolute(system, "", file) == NULL) {
            fprintf(stderr, "braid: %s: %s\n", system, strerror(errno));
            return EXIT_FAILED;
        }
        system = file;
    }
    if (daemon.port == NULL) {
        if (!build(system, run)) {
            return EXIT_FAILED;
        }
        daemon.run = run;
    } else if (strncmp(daemon.port, "unix:", 5) == 0) {
        const char *found = absolute(daemon.port + 5, "unix:", port);

        daemon.port = found != NULL ? found : daemon.port;
    }
    clean(name);
    daemon.directory = state_make(name);
    return daemon.directory < 0 ? EXIT_FAILED : start(&daemon);
}
