/* SPDX-License-Identifier: BSD-2-Clause */
#include "sdk.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "array.h"
#include "diag.h"
#include "file.h"
#include "tools/memory.h"

static bool is_directory(const char *path)
{
    struct stat status;

    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

/* The grandparent of the running program, or NULL. */
static const char *program_sdk(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length < 0) {
        return NULL;
    }
    path[length] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (!slash) {
            return NULL;
        }
        *slash = '\0';
    }
    return memory_format("%s", path);
}

const char *sdk_directory(void)
{
    const char *sdk = getenv("MICROKIT_SDK");

    if (sdk && !*sdk) {
        sdk = NULL; /* a caller's way to unset it */
    }
    if (sdk && !is_directory(sdk)) {
        diag_fatal("MICROKIT_SDK='%s' is no directory: name an SDK, or unset it", sdk);
    }
    if (!sdk) {
        sdk = program_sdk();
    }
    if (!sdk || !is_directory(memory_format("%s/board", sdk))) {
        diag_fatal("'%s' is no SDK, it has no directory 'board': run the tool from its SDK, or set "
                   "MICROKIT_SDK",
                   sdk ? sdk : "");
    }
    return sdk;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The subdirectories of `path`. */
static const char *list(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    const char **names = NULL;
    size_t count = 0;
    const char *text = "";

    while (directory && (entry = readdir(directory))) {
        if (entry->d_name[0] != '.' && is_directory(memory_format("%s/%s", path, entry->d_name))) {
            *ARRAY_ADD(names, count) = memory_format("%s", entry->d_name);
        }
    }
    if (directory) {
        closedir(directory);
    }
    if (count) {
        qsort(names, count, sizeof(*names), compare_strings);
    }
    for (size_t i = 0; i < count; i++) {
        text = memory_format("%s%s%s", text, i ? ", " : "", names[i]);
    }
    return text;
}

const char *sdk_boards(const char *sdk)
{
    return list(memory_format("%s/board", sdk));
}

const char *sdk_configs(const char *sdk, const char *board)
{
    return list(memory_format("%s/board/%s", sdk, board));
}

/* A name that is one directory, and not a way out of the SDK. */
static bool is_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

bool sdk_has_board(const char *sdk, const char *board)
{
    return is_name(board) && is_directory(memory_format("%s/board/%s", sdk, board));
}

bool sdk_has_config(const char *sdk, const char *board, const char *config)
{
    return is_name(config) && is_directory(memory_format("%s/board/%s/%s", sdk, board, config));
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* What stands behind a word and blanks, or NULL. */
static const char *behind(const char *text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(text, word, length) != 0 || skip_blanks(text + length) == text + length) {
        return NULL;
    }
    return skip_blanks(text + length);
}

/* The number in a line "#define CONFIG_MAX_NUM_NODES  NUMBER"; 0 if the line is another, or has no
 * number of cores. */
static unsigned core_line(const char *line)
{
    char *end;

    line = behind(line, "#define");
    line = line ? behind(line, "CONFIG_MAX_NUM_NODES") : NULL;
    if (!line || *line < '0' || *line > '9') {
        return 0;
    }
    unsigned long cores = strtoul(line, &end, 10);
    return cores <= SDK_CORES_MAX && strchr(" \t\r\n", *end) ? (unsigned)cores : 0;
}

unsigned sdk_cores(const char *sdk, const char *board, const char *config)
{
    const char *path =
        memory_format("%s/board/%s/%s/include/kernel/gen_config.h", sdk, board, config);
    const char *reason = "";
    const struct file *file = file_read(path, &reason);

    if (!file) {
        diag_fatal("'%s' cannot be read: %s: '%s' is no SDK of this tool, or not complete", path,
                   reason, sdk);
    }
    for (const char *line = (const char *)file->bytes; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        unsigned cores = core_line(line);
        if (cores) {
            return cores;
        }
    }
    diag_fatal(
        "'%s' has no CONFIG_MAX_NUM_NODES of 1 to %u, the number of cores: '%s' is no SDK of "
        "this tool, or not complete",
        path, SDK_CORES_MAX, sdk);
}
