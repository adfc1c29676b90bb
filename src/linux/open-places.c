/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/open-places.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"

#define UNIX_SIZE_MAX (16u << 20) /* about 60 bytes for each socket of the network namespace */

/* May others walk through each directory above `path`? */
static bool is_reachable(const char *path)
{
    char above[PATH_MAX];
    struct stat status;

    if (strlen(path) >= sizeof(above))
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        memcpy(above, path, (size_t)(slash - path));
        above[slash - path] = '\0';
        if (stat(above, &status) < 0 || !(status.st_mode & S_IXOTH))
            return false;
    }
    return true;
}

static bool is_open_to_all(mode_t mode)
{
    return (S_ISSOCK(mode) || S_ISFIFO(mode)) && (mode & S_IWOTH);
}

static void examine(const struct open_places *places, const char *path)
{
    struct stat status;

    if (places->hidden(path, places->data) || lstat(path, &status) < 0)
        return;
    if (is_open_to_all(status.st_mode) && is_reachable(path))
        places->found(path, places->data);
}

/* "ffff…: 00000002 00000000 00010000 0001 01 20302 /run/x": the path is the eighth field. */
static const char *line_path(char *line)
{
    char *rest = line;

    for (int field = 0; field < 7; field++) {
        rest += strspn(rest, " ");
        rest += strcspn(rest, " ");
    }
    rest += strspn(rest, " ");
    return rest[0] == '/' ? rest : NULL;
}

int open_places_bound(const struct open_places *places)
{
    _cleanup_free_ char *text = NULL;
    char *rest, *line;
    int r = file_read(AT_FDCWD, "/proc/net/unix", UNIX_SIZE_MAX, &text, NULL);

    if (r < 0)
        return r;
    for (rest = text; (line = strsep(&rest, "\n"));) {
        const char *path = line_path(line);

        if (path)
            examine(places, path);
    }
    return 0;
}

static void fts_closep(FTS **fts)
{
    if (*fts)
        (void)fts_close(*fts);
}

/* What others can't enter, and what is hidden, isn't entered. */
static bool is_entered(const struct open_places *places, const FTSENT *entry)
{
    return (entry->fts_statp->st_mode & S_IXOTH) && !places->hidden(entry->fts_path, places->data);
}

int open_places_walk(const struct open_places *places, size_t most)
{
    char root[] = "/";
    char *const tops[] = {root, NULL};
    _cleanup_(fts_closep) FTS *fts = fts_open(tops, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    if (!fts)
        return -errno;
    for (size_t seen = 0; (entry = fts_read(fts)); seen++) {
        if (seen == most)
            return 1;
        if (entry->fts_info == FTS_D && entry->fts_level > 0 && !is_entered(places, entry))
            (void)fts_set(fts, entry, FTS_SKIP);
        else if (entry->fts_info == FTS_DEFAULT && is_open_to_all(entry->fts_statp->st_mode) &&
                 !places->hidden(entry->fts_path, places->data))
            places->found(entry->fts_path, places->data);
    }
    return 0;
}
