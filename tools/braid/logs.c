/* SPDX-License-Identifier: BSD-2-Clause */

/* `braid logs` and `braid events`: they read the files that the background process writes. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "commands.h"
#include "connection.h"
#include "names.h"
#include "state_directory.h"

#define LOGS_MAX  256u
#define FOLLOW_NS 200000000

/* One log: what is old (NAME.1) first, then what is new. */
struct source {
    char label[80];
    char file[96];
    FILE *stream;
    char *line; /* the next one, or NULL */
    size_t size;
    bool old; /* the stream is that of NAME.1 */
};

struct reader {
    int directory;
    struct source sources[LOGS_MAX];
    size_t count;
    bool labelled, json, events;
    char **last; /* a ring of the last lines, if only these are wanted */
    size_t last_max, last_count;
};

static FILE *open_stream(int directory, const char *file)
{
    int fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? NULL : fdopen(fd, "r");
}

/* Read the next line. One that has not ended yet is left where it is. */
static bool next_line(struct source *source)
{
    long at = ftell(source->stream);
    ssize_t length = getline(&source->line, &source->size, source->stream);

    if (length > 0 && source->line[length - 1] == '\n') {
        source->line[length - 1] = '\0';
        return true;
    }
    clearerr(source->stream);
    fseek(source->stream, at, SEEK_SET);
    if (source->line != NULL) {
        source->line[0] = '\0';
    }
    return false;
}

/* Whether the log was moved aside since it was opened. */
static bool is_rotated(int directory, const struct source *source)
{
    struct stat ours, theirs;

    return fstat(fileno(source->stream), &ours) == 0 &&
           fstatat(directory, source->file, &theirs, 0) == 0 && ours.st_ino != theirs.st_ino;
}

/* Make source->line the next line. False: there is none now. */
static bool advance(struct reader *reader, struct source *source)
{
    while (source->stream != NULL) {
        if (next_line(source)) {
            return true;
        }
        if (!source->old && !is_rotated(reader->directory, source)) {
            return false;
        }
        fclose(source->stream);
        source->stream = open_stream(reader->directory, source->file);
        source->old = false;
    }
    return false;
}

static void add_source(struct reader *reader, const char *file)
{
    struct source *source = &reader->sources[reader->count];
    char old[sizeof(source->file) + 2];

    if (reader->count == LOGS_MAX || strlen(file) >= sizeof(source->label)) {
        return;
    }
    memset(source, 0, sizeof(*source));
    snprintf(source->file, sizeof(source->file), "%s", file);
    snprintf(source->label, sizeof(source->label), "%s", file);
    char *dot = strrchr(source->label, '.');
    if (dot != NULL) {
        *dot = '\0';
    }
    snprintf(old, sizeof(old), "%s.1", file);
    source->stream = open_stream(reader->directory, old);
    source->old = source->stream != NULL;
    if (!source->old) {
        source->stream = open_stream(reader->directory, file);
    }
    reader->count++;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct source *)a)->file, ((const struct source *)b)->file);
}

/* All logs, or the one of a name. */
static void find_logs(struct reader *reader, const char *name)
{
    int copy = openat(reader->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);

    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        size_t length = strlen(entry->d_name);

        if (length > 4 && strcmp(entry->d_name + length - 4, ".log") == 0 &&
            (name == NULL ||
             (strlen(name) == length - 4 && strncmp(entry->d_name, name, length - 4) == 0))) {
            add_source(reader, entry->d_name);
        }
    }
    if (stream != NULL) {
        closedir(stream);
    }
    qsort(reader->sources, reader->count, sizeof(reader->sources[0]), compare);
}

/* ---- Printing ---- */

static void format_event(const char *line, struct bytes *text)
{
    char time[40], name[300], state[40], board[40];

    if (sscanf(line, "%39s %299s %39s %39s", time, name, state, board) != 4) {
        return;
    }
    bytes_print(text, "{\"time\": ");
    bytes_add_json(text, time, strlen(time));
    bytes_print(text, ", \"name\": ");
    bytes_add_json(text, name, strlen(name));
    bytes_print(text, ", \"state\": ");
    bytes_add_json(text, state, strlen(state));
    bytes_print(text, ", \"board_ns\": %llu}\n", strtoull(board, NULL, 10));
}

static void format_line(const struct reader *reader, const struct source *source,
                        struct bytes *text)
{
    const char *line = source->line;
    const char *blank = strchr(line, ' ');
    size_t time = blank == NULL ? 0 : (size_t)(blank - line);

    if (reader->json) {
        format_event(line, text);
    } else if (reader->events) {
        const char *board = strrchr(line, ' ');

        bytes_print(text, "%.*s\n", (int)(board == NULL ? 0 : board - line), line);
    } else if (reader->labelled) {
        bytes_print(text, "%.*s %-12s |%s\n", (int)time, line, source->label, line + time);
    } else {
        bytes_print(text, "%s\n", line);
    }
}

static void show(struct reader *reader, const struct source *source)
{
    struct bytes text = {0};

    format_line(reader, source, &text);
    if (reader->last == NULL) {
        fwrite(text.data, 1, text.count, stdout);
    } else if (reader->last_max > 0) {
        char **slot = &reader->last[reader->last_count++ % reader->last_max];

        free(*slot);
        bytes_add(&text, "", 1);
        *slot = strdup((char *)text.data);
    }
    bytes_free(&text);
}

static void show_last(struct reader *reader)
{
    size_t max = reader->last_max;
    size_t first = reader->last_count > max ? reader->last_count - max : 0;

    for (size_t i = first; i < reader->last_count; i++) {
        fputs(reader->last[i % max], stdout);
    }
    free(reader->last);
    reader->last = NULL;
}

/* Show all lines that there are, in the order of their times. */
static void show_all(struct reader *reader)
{
    bool there[LOGS_MAX];

    for (size_t i = 0; i < reader->count; i++) {
        there[i] = advance(reader, &reader->sources[i]);
    }
    for (;;) {
        size_t first = LOGS_MAX;

        for (size_t i = 0; i < reader->count; i++) {
            if (there[i] && (first == LOGS_MAX || strncmp(reader->sources[i].line,
                                                          reader->sources[first].line, 24) < 0)) {
                first = i;
            }
        }
        if (first == LOGS_MAX) {
            return;
        }
        show(reader, &reader->sources[first]);
        there[first] = advance(reader, &reader->sources[first]);
    }
}

/* Show what there is, and go on with what comes as long as the system runs. */
static int read_all(struct reader *reader, bool follow)
{
    show_all(reader);
    if (reader->last != NULL) {
        show_last(reader);
    }
    while (follow) {
        bool running = state_running(reader->directory);

        if (fflush(stdout) != 0) {
            return EXIT_FAILED;
        }
        show_all(reader);
        if (!running) {
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, NULL);
    }
    return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

/* ---- The commands ---- */

static int no_log(const char *name)
{
    const char *names[LOGS_MAX];
    struct bytes text = {0};
    static struct reader all;
    int status;
    const char *system = connection_system(true, &status);

    all.directory = system == NULL ? -1 : state_open(system);
    if (all.directory >= 0) {
        find_logs(&all, NULL);
    }
    for (size_t i = 0; i < all.count; i++) {
        names[i] = all.sources[i].label;
    }
    names_explain(&text, "log", name, names, all.count);
    fprintf(stderr, "braid: ");
    fwrite(text.data, 1, text.count, stderr);
    return EXIT_FAILED;
}

static struct reader reader;

/* Returns false if the command is wrong. */
static bool take_options(int count, char **words, const char *letters, bool *follow)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"follow", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
    int option;
    char *end = "";

    while ((option = getopt_long(count, words, letters, options, NULL)) >= 0) {
        if (option == 'f') {
            *follow = true;
        } else if (option == 'j' && strchr(letters, 'j') != NULL) {
            reader.json = true;
        } else if (option == 'n') {
            reader.last_max = strtoul(optarg, &end, 10);
            if (*end != '\0' || end == optarg || optarg[0] == '-' || reader.last_max > 1000000) {
                return false;
            }
            free(reader.last);
            reader.last = calloc(reader.last_max + 1, sizeof(*reader.last));
        } else {
            return false;
        }
    }
    return true;
}

static bool open_system(int *status)
{
    const char *system = connection_system(true, status);

    reader.directory = system == NULL ? -1 : state_open(system);
    return reader.directory >= 0;
}

int command_logs(int count, char **words)
{
    bool follow = false;
    int status = EXIT_FAILED;

    if (!take_options(count, words, "fn:", &follow) || optind < count - 1) {
        return command_usage(words[0]);
    }
    const char *name = optind < count ? words[optind] : NULL;
    if (!open_system(&status)) {
        return status;
    }
    find_logs(&reader, name);
    if (name != NULL && reader.count == 0) {
        return no_log(name);
    }
    reader.labelled = name == NULL;
    return read_all(&reader, follow);
}

int command_events(int count, char **words)
{
    bool follow = false;
    int status = EXIT_FAILED;

    if (!take_options(count, words, "fj", &follow) || optind < count) {
        return command_usage(words[0]);
    }
    if (!open_system(&status)) {
        return status;
    }
    reader.events = true;
    add_source(&reader, "events");
    return read_all(&reader, follow);
}
