/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/host-view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/mount-table.h"

#define ENTRIES_MAX 256 /* of "/": about 25 */

static void host_entry_done(struct host_entry *entry)
{
    free(entry->path);
    free(entry->source);
    free(entry->link);
    *entry = (struct host_entry){0};
}

void host_view_done(struct host_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        host_entry_done(&view->entries[i]);
    free(view->entries);
    strv_free(view->covered);
    *view = (struct host_view){0};
}

/* The entry `name` of the directory `dir_fd`. 0: nothing for jobs (a file, or gone meanwhile). */
static int entry_examine(const char *root, int dir_fd, const char *name, struct host_entry *ret)
{
    struct host_entry entry = {
        .path = text_format("/%s", name),
        .source = text_format("%s/%s", text_equal(root, "/") ? "" : root, name),
    };
    char link[PATH_MAX];
    struct stat stat;
    ssize_t size;

    if (!entry.path || !entry.source) {
        host_entry_done(&entry);
        return -ENOMEM;
    }
    if (fstatat(dir_fd, name, &stat, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
        stat.st_mode = 0;
    if (S_ISDIR(stat.st_mode)) {
        entry.kind = HOST_ENTRY_SHOWN;
        *ret = entry;
        return 1;
    }

    size = S_ISLNK(stat.st_mode) ? readlinkat(dir_fd, name, link, sizeof(link)) : -1;
    if (size > 0 && (size_t)size < sizeof(link)) {
        entry.kind = HOST_ENTRY_LINK;
        entry.link = strndup(link, (size_t)size);
        if (entry.link) {
            *ret = entry;
            return 1;
        }
    }
    host_entry_done(&entry);
    return size > 0 ? -ENOMEM : 0;
}

static int entries_read(const char *root, const char *const *own, struct host_view *view)
{
    _cleanup_closedir_ DIR *dir = opendir(root);
    const struct dirent *entry;

    view->entries = calloc(ENTRIES_MAX, sizeof(*view->entries));
    if (!dir || !view->entries)
        return dir ? -ENOMEM : -errno;

    while ((entry = readdir(dir)) && view->count < ENTRIES_MAX) {
        struct host_entry *next = &view->entries[view->count];
        int r;

        if (text_equal(entry->d_name, ".") || text_equal(entry->d_name, ".."))
            continue;
        r = entry_examine(root, dirfd(dir), entry->d_name, next);
        if (r < 0)
            return r;
        if (r > 0 && strv_has(own, next->path))
            host_entry_done(next);
        else
            view->count += (size_t)r;
    }
    return 0;
}

/* The shown entry that `path` is or lies below. */
static struct host_entry *entry_above(const struct host_view *view, const char *path)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->entries[i].kind == HOST_ENTRY_SHOWN && path_is_below(path, view->entries[i].path))
            return &view->entries[i];
    return NULL;
}

/* Where `path`, seen from `root`, really is; NULL when it isn't there. */
static char *path_resolve(const char *root, const char *path)
{
    _cleanup_free_ char *whole = text_format("%s/%s", text_equal(root, "/") ? "" : root, path + 1);
    _cleanup_free_ char *real = whole ? realpath(whole, NULL) : NULL;

    if (!real)
        return NULL;
    if (text_equal(root, "/"))
        return TAKE_PTR(real);
    return path_is_below(real, root) ? strdup(real + strlen(root)) : NULL;
}

static int view_hide(const char *root, const char *path, struct host_view *view)
{
    _cleanup_free_ char *real = path_resolve(root, path);
    const char *place = real ? real : path; /* it may come into being later */
    struct host_entry *above = entry_above(view, place);

    if (!above)
        return 0; /* below what is hidden already */
    if (!text_equal(above->path, place))
        return strv_append(&view->covered, place);
    above->kind = HOST_ENTRY_EMPTY;
    return 0;
}

static int view_hide_all(const char *root, const char *const *paths, struct host_view *view)
{
    for (; paths && *paths; paths++) {
        int r = (*paths)[0] == '/' ? view_hide(root, *paths, view) : -EINVAL;

        if (r < 0)
            return r;
    }
    return 0;
}

int host_view_make(const char *root, const char *const *own, const char *const *hidden,
                   const char *const *more_hidden, struct host_view *ret, struct error *err)
{
    _cleanup_(host_view_done) struct host_view view = {0};
    int r;

    r = entries_read(root, own, &view);
    if (r >= 0)
        r = view_hide_all(root, hidden, &view);
    if (r >= 0)
        r = view_hide_all(root, more_hidden, &view);
    if (r < 0)
        return error_set(err, r, "can't look at the host's %s: %s", root, strerror(-r));
    *ret = view;
    view = (struct host_view){0};
    return 0;
}

bool host_view_shows(const struct host_view *view, const char *path)
{
    if (!entry_above(view, path))
        return false;
    for (char **covered = view->covered; covered && *covered; covered++)
        if (path_is_below(path, *covered))
            return false;
    return true;
}
