/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "diag.h"
#include "tools/memory.h"

#define OUTPUTS_MAX   2
#define FILE_SIZE_MAX (INT64_C(2) << 30)

struct output {
    const char *what;
    const char *shown;     /* the path as the user wrote it */
    const char *path;      /* the path with symbolic links followed */
    const char *temporary; /* NULL if the path is no regular file and is written directly */
    bool exists;
    dev_t device;
    ino_t inode;
    FILE *stream;
};

static struct output outputs[OUTPUTS_MAX];
static unsigned output_count;

bool file_exists(const char *path)
{
    struct stat status;

    return !stat(path, &status) && S_ISREG(status.st_mode);
}

const char *file_find(const char *const *search, const char *name)
{
    if (name[0] == '/') {
        return file_exists(name) ? name : NULL;
    }
    for (; *search; search++) {
        const char *path = memory_format("%s/%s", *search, name);
        if (file_exists(path)) {
            return path;
        }
    }
    return NULL;
}

static bool is_output(const struct stat *status)
{
    for (unsigned i = 0; i < output_count; i++) {
        if (outputs[i].exists && outputs[i].device == status->st_dev &&
            outputs[i].inode == status->st_ino) {
            return true;
        }
    }
    return false;
}

static const char *read_all(int descriptor, struct file *file)
{
    size_t done = 0;

    while (done < file->size) {
        ssize_t got = read(descriptor, file->bytes + done, file->size - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return strerror(errno);
        }
        if (got == 0) {
            return "the file became shorter while it was read";
        }
        done += (size_t)got;
    }
    return NULL;
}

const struct file *file_read(const char *path, const char **reason)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (descriptor < 0) {
        *reason = strerror(errno);
        return NULL;
    }
    if (fstat(descriptor, &status)) {
        *reason = strerror(errno);
    } else if (!S_ISREG(status.st_mode)) {
        *reason = "it is no regular file";
    } else if (status.st_size > FILE_SIZE_MAX) {
        *reason = "it is larger than 2 GiB";
    } else if (is_output(&status)) {
        /* The output is an input, too: the error that follows must not remove it. */
        diag_keep_files();
        *reason = "it is also the image or report to be written: give the output another name";
    } else {
        struct file *file = memory_new(sizeof(*file));
        file->path = path;
        file->size = (size_t)status.st_size;
        file->bytes = memory_new(file->size + 1);
        *reason = read_all(descriptor, file);
        close(descriptor);
        return *reason ? NULL : file;
    }
    close(descriptor);
    return NULL;
}

/* The path without links and detours; the file itself need not exist. */
static const char *canonical(const char *path)
{
    char real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *directory = slash ? memory_copy(path, (size_t)(name - path)) : ".";

    if (realpath(path, real)) {
        return memory_format("%s", real);
    }
    if (realpath(directory, real)) {
        return memory_format("%s/%s", real, name);
    }
    return path;
}

static void check_distinct(const struct output *output)
{
    for (unsigned i = 0; i < output_count; i++) {
        if (!outputs[i].temporary || strcmp(outputs[i].path, output->path) != 0) {
            continue;
        }
        diag_keep_files();
        diag_fatal("%s '%s': image and report are the same file: give them two names", output->what,
                   output->shown);
    }
}

static __attribute__((noreturn)) void failed(const struct output *output)
{
    diag_fatal("%s '%s': cannot be written: %s", output->what, output->shown, strerror(errno));
}

/* A name beside the path that nobody can guess: anybody may be able to write the directory. */
static const char *temporary_name(const struct output *output)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
        failed(output);
    }
    return memory_format("%s.%016" PRIx64 ".tmp", output->path, random);
}

struct output *file_output(const char *path, const char *what)
{
    struct output *output = &outputs[output_count];
    struct stat status;

    *output = (struct output){.what = what, .shown = path, .path = canonical(path)};
    output->exists = !stat(path, &status);
    /* In a directory that anybody can write, a link that Linux would not follow is not followed. */
    if (!output->exists && errno != ENOENT) {
        failed(output);
    }
    if (output->exists && S_ISDIR(status.st_mode)) {
        diag_fatal("%s '%s': it is a directory: name a file", what, path);
    }
    if (!output->exists || S_ISREG(status.st_mode)) {
        check_distinct(output);
        output->temporary = temporary_name(output);
        diag_remove_on_error(output->path);
    }
    if (output->exists) {
        output->device = status.st_dev;
        output->inode = status.st_ino;
    }
    output_count++;
    return output;
}

FILE *file_open(struct output *output)
{
    int descriptor = output->temporary
                         ? open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)
                         : open(output->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (descriptor < 0) {
        failed(output);
    }
    if (output->temporary) {
        diag_remove_on_error(output->temporary);
    }
    output->stream = fdopen(descriptor, "wb");
    if (!output->stream) {
        failed(output);
    }
    return output->stream;
}

void file_commit(struct output *output)
{
    bool bad = ferror(output->stream);

    if (fclose(output->stream) || bad) {
        failed(output);
    }
    if (output->temporary && rename(output->temporary, output->path)) {
        failed(output);
    }
}
