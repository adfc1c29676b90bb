/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/doctor.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-tree.h"
#include "linux/landlock.h"

#define KERNEL_MAJOR 5 /* cgroup.kill, mount_setattr(2), quotactl_fd(2) */
#define KERNEL_MINOR 14

#define NUMBER_SIZE_MAX 64
#define ACTIONS_MAX     1024

#define NAMESPACES_LEAST 1000
#define PIDS_LEAST       65536
#define INSTANCES_LEAST                                                                            \
    64 /* one for each connection thread; others of the same user count, too                       \
        */
#define WATCHES_LEAST 8192

/* --- numbers of /proc/sys -----------------------------------------------------------------------
 */

/* -ENOENT: this kernel has no such switch. */
static int number_read(const char *path, long long *ret)
{
    _cleanup_free_ char *text = NULL;
    int r = file_read(AT_FDCWD, path, NUMBER_SIZE_MAX, &text, NULL);

    if (r < 0)
        return r;
    *ret = strtoll(text, NULL, 10);
    return 0;
}

/* "kernel.pid_max" of "/proc/sys/kernel/pid_max". */
static void mend_sysctl(struct check *check, const char *path, long long value)
{
    char name[128];

    snprintf(name, sizeof(name), "%s", path + strlen("/proc/sys/"));
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '.';
    check_mend(check, "echo %s=%lld >>/etc/sysctl.d/50-hoist.conf && sysctl -w %s=%lld", name,
               value, name, value);
}

/* Says what is wrong with the first of them that is below `least`; true when none is. */
static bool numbers_suffice(struct check *check, const char *const *paths, long long least,
                            long long better)
{
    for (; *paths; paths++) {
        long long value;

        if (number_read(*paths, &value) < 0 || value >= least)
            continue;
        check_say(check, value == 0 ? CHECK_FAILED : CHECK_WARNING, "%s is %lld, less than %lld",
                  *paths, value, least);
        mend_sysctl(check, *paths, better);
        return false;
    }
    return true;
}

/* --- the kernel ----------------------------------------------------------------------------------
 */

void check_kernel(const struct doctor_facts *facts, struct check *check)
{
    struct utsname kernel = {.release = ""};
    int major = 0, minor = 0;

    (void)facts;
    (void)uname(&kernel);
    (void)sscanf(kernel.release, "%d.%d", &major, &minor); // NOLINT(cert-err34-c): 0 is too old
    if (major > KERNEL_MAJOR || (major == KERNEL_MAJOR && minor >= KERNEL_MINOR)) {
        check_say(check, CHECK_OK, "Linux %s", kernel.release);
        return;
    }
    check_say(check, CHECK_FAILED, "Linux %s is older than %d.%d", kernel.release, KERNEL_MAJOR,
              KERNEL_MINOR);
    check_mend(check, "apt-get install linux-image-amd64 && reboot");
}

void check_seccomp(const struct doctor_facts *facts, struct check *check)
{
    _cleanup_free_ char *actions = NULL;
    int r =
        file_read(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", ACTIONS_MAX, &actions, NULL);

    (void)facts;
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 ||
        (r >= 0 && (!strstr(actions, "kill_process") || !strstr(actions, "errno")))) {
        check_say(check, CHECK_FAILED, "the kernel has no seccomp filters: no job can be started");
        check_mend(check, "apt-get install linux-image-amd64 && reboot");
        return;
    }
    check_say(check, CHECK_OK, "filters can be installed");
}

void check_landlock(const struct doctor_facts *facts, struct check *check)
{
    int version = landlock_version();

    (void)facts;
    if (version > 0) {
        check_say(check, CHECK_OK, "version %d", version);
        return;
    }
    check_say(
        check, CHECK_WARNING,
        "the kernel's Landlock is missing or off: a taken-over hoistd is held by fewer walls");
    check_mend(check, "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&lsm=landlock,yama,apparmor /' "
                      "/etc/default/grub && update-grub && reboot");
}

void check_pids(const struct doctor_facts *facts, struct check *check)
{
    static const char *const paths[] = {"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max",
                                        NULL};

    (void)facts;
    if (numbers_suffice(check, paths, PIDS_LEAST, 4194304))
        check_say(check, CHECK_OK, "there are enough process ids");
}

void check_inotify(const struct doctor_facts *facts, struct check *check)
{
    static const char *const instances[] = {"/proc/sys/fs/inotify/max_user_instances", NULL};
    static const char *const watches[] = {"/proc/sys/fs/inotify/max_user_watches", NULL};

    (void)facts;
    if (numbers_suffice(check, instances, INSTANCES_LEAST, 1024) &&
        numbers_suffice(check, watches, WATCHES_LEAST, 1048576))
        check_say(check, CHECK_OK, "there are enough instances and watches");
}

/* --- namespaces ----------------------------------------------------------------------------------
 */

void check_namespaces(const struct doctor_facts *facts, struct check *check)
{
    static const char *const paths[] = {
        "/proc/sys/user/max_pid_namespaces",
        "/proc/sys/user/max_mnt_namespaces",
        "/proc/sys/user/max_net_namespaces",
        "/proc/sys/user/max_ipc_namespaces",
        "/proc/sys/user/max_uts_namespaces",
        "/proc/sys/user/max_cgroup_namespaces",
        NULL,
    };

    (void)facts;
    if (numbers_suffice(check, paths, NAMESPACES_LEAST, 65536))
        check_say(check, CHECK_OK, "PID, mount, network, IPC, UTS and cgroup namespaces");
}

/* What rootless jobs live in. Where the launcher is root they need none, but hoistd's own root does
 * (linux/cage.h). */
void check_user_namespaces(const struct doctor_facts *facts, struct check *check)
{
    static const struct {
        const char *path;
        long long wrong, right;
    } switches[] = {
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1, 0},
        {"/proc/sys/kernel/unprivileged_userns_clone", 0, 1},
        {"/proc/sys/user/max_user_namespaces", 0, 65536},
    };

    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        long long value;

        if (number_read(switches[i].path, &value) < 0 || value != switches[i].wrong)
            continue;
        check_say(check, facts->rootless ? CHECK_FAILED : CHECK_WARNING,
                  "%s is %lld: users can't have user namespaces, and %s", switches[i].path, value,
                  facts->rootless ? "no job can be started" : "hoistd keeps the host's root");
        mend_sysctl(check, switches[i].path, switches[i].right);
        return;
    }
    check_say(check, CHECK_OK, "users can have them");
}

/* --- cgroups -------------------------------------------------------------------------------------
 */

#define MEND_HYBRID                                                                                \
    "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&systemd.unified_cgroup_hierarchy=1 /' /etc/default/grub "   \
    "&& update-grub && reboot"

void check_cgroup_mount(const struct doctor_facts *facts, struct check *check)
{
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;
    struct error err;

    (void)facts;
    if (cgroup_tree_open(&tree, &err) < 0) {
        check_say(check, CHECK_FAILED, "%s", err.text);
        check_mend(check, "mount -t cgroup2 cgroup2 /sys/fs/cgroup");
        return;
    }
    if (tree.hybrid) {
        check_say(check, CHECK_WARNING,
                  "%s, but cgroup v1 is mounted, too, and may hold controllers", tree.mount);
        check_mend(check, MEND_HYBRID);
        return;
    }
    check_say(check, CHECK_OK, "%s", tree.mount);
}

/* "cpu, memory" of the bits. */
static const char *controllers_text(uint32_t bits, char text[64])
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t bit = 1; bit <= bits; bit <<= 1)
        if (bits & bit)
            used += (size_t)snprintf(text + used, 64 - used, "%s%s", used ? ", " : "",
                                     cgroup_controller_name(bit));
    return text;
}

void check_cgroup_controllers(const struct doctor_facts *facts, struct check *check)
{
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;
    uint32_t available = 0, handed_on;
    char text[64];

    (void)facts;
    if (cgroup_tree_open(&tree, NULL) < 0)
        return; /* said by the check before */
    (void)cgroup_controllers(tree.fd, &available, &handed_on);
    if ((available & CGROUP_CONTROLLERS_ALL) == CGROUP_CONTROLLERS_ALL) {
        check_say(check, CHECK_OK, "%s", controllers_text(available, text));
        return;
    }
    check_say(check, CHECK_FAILED, "%s: no controllers %s, so no limits of these", tree.mount,
              controllers_text(CGROUP_CONTROLLERS_ALL & ~available, text));
    if (tree.hybrid)
        check_mend(check, MEND_HYBRID);
    else
        check_mend(check, "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&cgroup_enable=memory /' "
                          "/etc/default/grub && update-grub && reboot");
}

/* The first directory on the way to the jobs' root that doesn't hand all of `wanted` on. */
static uint32_t path_lacks(const struct cgroup_tree *tree, const char *path, uint32_t wanted,
                           char **ret_where)
{
    _cleanup_free_ char *where = strdup(path);

    for (char *end = where; end;) {
        char *slash = strchr(end, '/');
        _cleanup_close_ int fd = FD_NONE;
        uint32_t available, handed_on = 0;

        if (slash)
            *slash = '\0';
        fd = cgroup_open(tree->fd, where, NULL);
        if (fd < 0 || cgroup_controllers(fd, &available, &handed_on) < 0)
            return 0; /* not made yet */
        if (wanted & ~handed_on) {
            *ret_where = TAKE_PTR(where);
            return wanted & ~handed_on;
        }
        if (slash)
            *slash = '/';
        end = slash ? slash + 1 : NULL;
    }
    return 0;
}

void check_delegation(const struct doctor_facts *facts, struct check *check)
{
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;
    _cleanup_free_ char *where = NULL;
    uint32_t available = 0, handed_on = 0, missing;
    char text[64];

    if (cgroup_tree_open(&tree, NULL) < 0 || text_is_empty(facts->cgroup_root)) {
        check_say(check, CHECK_SKIPPED, "there is no cgroup for jobs");
        return;
    }
    (void)cgroup_controllers(tree.fd, &available, &handed_on);
    available &= CGROUP_CONTROLLERS_ALL;
    missing = path_lacks(&tree, facts->cgroup_root, available, &where);
    if (!missing) {
        check_say(check, CHECK_OK, "%s/%s gets all that there is", tree.mount, facts->cgroup_root);
        return;
    }
    check_say(check, CHECK_FAILED, "%s/%s doesn't hand on %s", tree.mount, where,
              controllers_text(missing, text));
    check_mend(check, "mkdir -p /etc/systemd/system/hoist.service.d && printf "
                      "'[Service]\\nDelegate=yes\\n' >/etc/systemd/system/hoist.service.d/"
                      "delegate.conf && systemctl daemon-reload && systemctl restart hoist");
}
