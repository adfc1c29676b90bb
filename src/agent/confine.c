/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/confine.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/confine-calls.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sanitized.h"
#include "linux/cage.h"
#include "linux/landlock.h"
#include "linux/privileges.h"

/* --- first of all ---------------------------------------------------------------------------- */

/* As many descriptors as the hard limit allows: each follower takes two, each connection one. */
static int raise_open_files(struct error *err)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set(err, -errno, "can't read RLIMIT_NOFILE: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set(err, -errno, "can't raise RLIMIT_NOFILE to its hard limit: %s",
                         strerror(errno));
    return 0;
}

static int forbid_cores(struct error *err)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return error_set(err, -errno, "can't forbid core dumps: %s", strerror(errno));
    return 0;
}

/* The launcher has dropped everything before; who starts hoistd without it may have more. */
static int forbid_privileges(struct error *err)
{
    if (getuid() == 0 || geteuid() == 0)
        return error_set(err, -EPERM,
                         "hoistd must not run as root; set agent_user in launcher.conf");
    return privileges_drop(geteuid(), getegid(), err);
}

int confine_self(struct error *err)
{
    int r;

    umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return error_set(err, -errno, "can't set signals: %s", strerror(errno));
    if (chdir("/") < 0)
        return error_set(err, -errno, "can't enter /: %s", strerror(errno));
    r = forbid_privileges(err);
    if (r == 0)
        r = forbid_cores(err);
    return r < 0 ? r : raise_open_files(err);
}

/* --- before it serves ------------------------------------------------------------------------ */

/* State, cgroups, /dev/null, and twice six directories of certificates and configuration. */
#define PLACES_MAX 20

struct places {
    struct landlock_place list[PLACES_MAX];
    size_t count;
    char *owned[PLACES_MAX]; /* the paths among them that are ours to free */
    size_t owned_count;
};

static void places_done(struct places *places)
{
    for (size_t i = 0; i < places->owned_count; i++)
        free(places->owned[i]);
}

static void places_add(struct places *places, const char *path, unsigned access)
{
    places->list[places->count++] = (struct landlock_place){.path = path, .access = access};
}

/* The directory that holds `path` (taken; NULL: no memory). */
static int places_add_parent(struct places *places, char *path)
{
    char *slash = path ? strrchr(path, '/') : NULL;

    if (!slash) {
        free(path);
        return -ENOMEM;
    }
    slash[slash == path] = 0;
    places->owned[places->owned_count++] = path;
    places_add(places, path, LANDLOCK_READ);
    return 0;
}

/*
 * A renewed certificate is another file of the same name, hence the directory, and it may be a
 * link, hence the directory of what it leads to. So is a configuration that was edited.
 */
static int places_add_file(struct places *places, const char *path)
{
    char *absolute, *real;
    int r;

    if (!path)
        return 0;
    real = realpath(path, NULL);
    if (!real)
        return errno == ENOENT ? 0 : -errno;
    absolute = path[0] == '/' ? strdup(path) : strdup(real);
    r = places_add_parent(places, absolute);
    if (r == 0)
        return places_add_parent(places, real);
    free(real);
    return r;
}

static int places_fill(struct places *places, const struct config *config, struct error *err)
{
    const char *const files[] = {
        config->file,          config->tls_cert, config->tls_key, config->tls_key_passphrase_file,
        config->tls_client_ca, config->tls_crl,
    };

    places_add(places, config->state_dir, LANDLOCK_READ | LANDLOCK_WRITE);
    places_add(places, "/dev/null", LANDLOCK_READ);
#if IS_SANITIZED
    places_add(places, "/", LANDLOCK_READ); /* reports name functions and lines */
#endif
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        int r = places_add_file(places, files[i]);

        if (r < 0)
            return error_set(err, r, "can't find %s: %s", files[i], strerror(-r));
    }
    return 0;
}

/* What isn't is refused later, in words that know whose it is: in a namespace they can't. */
static bool state_is_ours(const struct config *config)
{
    struct stat status;

    return lstat(config->state_dir, &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == geteuid();
}

/* A sanitizer's symbolizer needs the host's programs. */
static int confine_to_root(const struct places *places, bool *ret_own, struct error *err)
{
    int r = IS_SANITIZED ? error_set(err, 0, "a sanitizer needs the host's root")
                         : cage_enter(places->list, places->count, err);

    if (r < 0)
        return r;
    *ret_own = r > 0;
    if (r == 0)
        log_event(LOG_LEVEL_WARNING, "hoistd keeps the host's root: it has no user namespace",
                  LOG_TEXT("why", err->text));
    return 0;
}

/* The version of the kernel's Landlock, 0 without, or a negative errno. */
static int confine_files(const struct config *config, int cgroups, bool *ret_own_root,
                         struct error *err)
{
    _cleanup_(places_done) struct places places = {.count = 0};
    int r;

    if (mkdir(config->state_dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "can't make the state directory %s: %s", config->state_dir,
                         strerror(errno));
    r = places_fill(&places, config, err);
    if (r >= 0 && state_is_ours(config))
        r = confine_to_root(&places, ret_own_root, err);
    if (r < 0)
        return r;
    if (cgroups >= 0) /* behind those that the root is made of: it is in no place of it */
        places.list[places.count++] =
            (struct landlock_place){.fd = cgroups, .access = LANDLOCK_READ};
    return landlock_confine(places.list, places.count, err);
}

static int confine_to_calls(struct error *err)
{
    _cleanup_(syscall_filter_done) struct syscall_filter filter = {.count = 0};
    int r = syscall_filter_compile(&confine_calls, &filter, err);

    return r < 0 ? r : syscall_filter_install(&filter, err);
}

int confine_to_serving(const struct config *config, int cgroups, bool *ret_own_root,
                       struct error *err)
{
    bool own_root = false;
    int landlock = confine_files(config, cgroups, &own_root, err), r;

    if (landlock < 0)
        return landlock;
    if (landlock == 0 && !own_root)
        log_warning("the kernel has no Landlock: a taken-over hoistd could read what every user "
                    "of this host can read");
    r = confine_to_calls(err);
    if (r < 0)
        return r;
    *ret_own_root = own_root;
    log_event(LOG_LEVEL_INFO, "confined", LOG_TEXT("capabilities", "none"),
              LOG_TEXT("root", own_root ? "own" : "the host's"), LOG_NUMBER("landlock", landlock),
              LOG_TEXT("seccomp", "yes"));
    return 0;
}

/* --- once it serves -------------------------------------------------------------------------- */

int confine_threads(struct error *err)
{
    const struct rlimit none = {0, 0};

    /* The leak checker's tracer is a process of its own, at the very end. */
    if (!IS_SANITIZED && setrlimit(RLIMIT_NPROC, &none) < 0)
        return error_set(err, -errno, "can't forbid further threads: %s", strerror(errno));
    return 0;
}
