/* SPDX-License-Identifier: BSD-2-Clause */
#include "state_directory.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool state_name_valid(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > STATE_NAME_MAX || !isalnum((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("_-.", name[i]) == NULL) {
            return false;
        }
    }
    return true;
}

const char *state_base(void)
{
    static char base[PATH_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (runtime != NULL && runtime[0] == '/') {
        snprintf(base, sizeof(base), "%s/braid", runtime);
    } else {
        snprintf(base, sizeof(base), "/tmp/braid-%u", (unsigned)getuid());
    }
    return base;
}

/* Somebody else may have made it first, in /tmp. */
static int open_base(bool make)
{
    const char *base = state_base();
    struct stat status;

    if (make && mkdir(base, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "braid: %s cannot be made: %s\n", base, strerror(errno));
        return -1;
    }
    int fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (make || errno != ENOENT) {
            fprintf(stderr, "braid: %s cannot be opened: %s\n", base, strerror(errno));
        }
        return -1;
    }
    if (fstat(fd, &status) != 0 || status.st_uid != getuid() || (status.st_mode & 077) != 0) {
        fprintf(stderr,
                "braid: %s is another user's, or open to others: remove it, or set "
                "XDG_RUNTIME_DIR to a directory of yours\n",
                base);
        close(fd);
        return -1;
    }
    return fd;
}

static int open_in(int base, const char *name)
{
    return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int state_open(const char *name)
{
    int base = open_base(false);
    int directory = -1;

    if (base >= 0) {
        directory = open_in(base, name);
        close(base);
    }
    return directory;
}

int state_make(const char *name)
{
    int base = open_base(true);

    if (base < 0) {
        return -1;
    }
    int directory = -1;
    if (mkdirat(base, name, 0700) == 0 || errno == EEXIST) {
        directory = open_in(base, name);
    }
    if (directory < 0) {
        fprintf(stderr, "braid: %s/%s cannot be made: %s\n", state_base(), name, strerror(errno));
    }
    close(base);
    return directory;
}

int state_lock(int directory)
{
    int fd = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    struct stat status;

    /* One that has just been removed is nobody's lock any more. */
    if (fd >= 0 &&
        (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &status) != 0 || status.st_nlink == 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool state_running(int directory)
{
    int fd = openat(directory, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    bool running = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;

    if (fd >= 0) {
        close(fd);
    }
    return running;
}

void state_remove(int directory, const char *name)
{
    int base = open_base(false);
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    struct stat ours, there;

    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        unlinkat(directory, entry->d_name, 0);
    }
    if (stream != NULL) {
        closedir(stream);
    }
    /* Somebody may have removed it, and another one be there. */
    if (base >= 0 && fstat(directory, &ours) == 0 &&
        fstatat(base, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev) {
        unlinkat(base, name, AT_REMOVEDIR);
    }
    if (base >= 0) {
        close(base);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_wanted(int base, const char *name, bool running)
{
    int directory = state_name_valid(name) ? open_in(base, name) : -1;

    if (directory < 0) {
        return false;
    }
    bool wanted = !running || state_running(directory);
    close(directory);
    return wanted;
}

struct state_names state_list(bool running)
{
    struct state_names names = {0};
    int base = open_base(false);
    DIR *stream = base < 0 ? NULL : fdopendir(base);

    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (is_wanted(base, entry->d_name, running)) {
            char **items = realloc(names.items, (names.count + 1) * sizeof(*items));

            if (items == NULL) {
                break;
            }
            names.items = items;
            names.items[names.count++] = strdup(entry->d_name);
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
    if (names.count > 0) {
        qsort(names.items, names.count, sizeof(*names.items), compare);
    }
    return names;
}

/* A socket's path has at most 107 bytes, a directory's may have more. This one is short. */
static struct sockaddr_un address_in(int directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/socket", directory);
    return address;
}

int state_listen(int directory)
{
    struct sockaddr_un address = address_in(directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    unlinkat(directory, "socket", 0);
    if (fd >= 0 &&
        (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 16) != 0)) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int state_connect(int directory)
{
    struct sockaddr_un address = address_in(directory);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}
