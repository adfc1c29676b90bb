/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/cgroup-usage.h"
#include "base/error.h"
#include "base/format-version.h"
#include "base/id.h"
#include "wire/limits.h"
#include "wire/spawn-spec.h"

/*
 * The messages between hoistd and hoist-launcher (docs/protocol/launcher.md), as values, and their
 * coding. No I/O here: the same code serves the launcher, its client, the tests and the fuzzer.
 *
 * Decoding checks length before meaning and fails closed: a message is refused whole (-EPROTO, with
 * a sentence) when anything in it is missing, too long, too many, out of range or unknown. What is
 * checked is that the value makes sense at all; whether it is *allowed* is the launcher's ceilings.
 */

#define LAUNCHER_PROTOCOL_VERSION FORMAT_VERSION(5)

#define LAUNCHER_ARGS_MAX     1025         /* argv[0] and 1,024 arguments */
#define LAUNCHER_ENV_MAX      260          /* 256 variables and those that every job has */
#define LAUNCHER_TEXT_MAX     (129 * 1024) /* bytes of all of these, NULs included */
#define LAUNCHER_CWD_MAX      4096         /* PATH_MAX, with the NUL */
#define LAUNCHER_HOST_MAX     46           /* INET6_ADDRSTRLEN */
#define LAUNCHER_ADDRESS_MAX  128          /* for people: "192.0.2.1:7443" */
#define LAUNCHER_VERSION_MAX  64           /* "0.1.0" */
#define LAUNCHER_PATH_MAX     1024         /* of the cgroup root */
#define LAUNCHER_PROFILES_MAX 16
#define LAUNCHER_LACKS_MAX    16  /* degradations told; more are left out */
#define LAUNCHER_PAGE_MAX     256 /* jobs of one ListGroups answer */
#define LAUNCHER_DURATION_MAX                                                                      \
    (UINT64_C(366) * 24 * 3600 * USEC_PER_SEC) /* timeout, grace, adopt_wait */

/* A Spawn at all its limits takes 141 KiB; the largest answer, a full page, 29 KiB. */
#define LAUNCHER_REQUEST_MAX (160 * 1024)
#define LAUNCHER_ANSWER_MAX  (64 * 1024)

#define LAUNCHER_SPAWN_FDS 3 /* data, index, state */
#define LAUNCHER_READY_FDS 2 /* the ends of the lifeline: to hold, to watch */

enum launcher_request_type {
    LAUNCHER_REQUEST_HELLO,
    LAUNCHER_REQUEST_LISTEN,
    LAUNCHER_REQUEST_READY,
    LAUNCHER_REQUEST_SPAWN,
    LAUNCHER_REQUEST_KILL,
    LAUNCHER_REQUEST_REMOVE,
    LAUNCHER_REQUEST_LIST_GROUPS,
    LAUNCHER_REQUEST_FIND,
    LAUNCHER_REQUEST_LIST_TASKS,
    _LAUNCHER_REQUEST_MAX,
};

/* "Spawn"; never NULL for a valid type. */
const char *launcher_request_name(enum launcher_request_type type);

/* A job by the names of its cgroups, <root>/<group>/<id>. */
struct launcher_job_ref {
    char group[SPAWN_GROUP_MAX]; /* "p-<principal>" */
    struct id id;
};

struct launcher_listen {
    char host[LAUNCHER_HOST_MAX]; /* numeric */
    uint16_t port;                /* 0: any free one */
};

struct launcher_request {
    uint64_t id; /* not 0 */
    enum launcher_request_type type;
    union {
        struct {
            uint32_t protocol;
            char version[LAUNCHER_VERSION_MAX];
        } hello;
        struct launcher_listen listen;
        char ready_address[LAUNCHER_ADDRESS_MAX];
        struct spawn_spec spawn;     /* its strings belong to `memory` once decoded */
        struct launcher_job_ref job; /* Kill, Remove, ListTasks */
        struct {
            struct launcher_job_ref job;
            struct spawn_process known;
        } find;
        struct {
            bool from_start;
            struct launcher_job_ref after; /* unless from_start */
        } list_groups;
    };
    void *memory; /* of a decoded request; launcher_request_done() frees it */
};

#define LAUNCHER_REQUEST_NULL ((struct launcher_request){.memory = NULL})

void launcher_request_done(struct launcher_request *request);
#define _cleanup_launcher_request_ _cleanup_(launcher_request_done)

/*
 * Appends the packet to `out`. The same checks as in decoding, so that hoistd never sends what the
 * launcher would end the connection for: -EINVAL or -E2BIG with a sentence that names the limit.
 */
int launcher_request_encode(const struct launcher_request *request, struct buffer *out,
                            struct error *err);

/*
 * Decodes one packet. On success *ret is the caller's (launcher_request_done()); nothing of it
 * points into `data`. A Hello of another protocol version decodes too, so that it can be answered.
 */
int launcher_request_decode(const void *data, size_t size, struct launcher_request *ret,
                            struct error *err);

/* What the launcher says of itself and of the host. */
struct launcher_hello {
    uint32_t protocol;
    char version[LAUNCHER_VERSION_MAX];
    struct id boot_id;
    char cgroup_root[LAUNCHER_PATH_MAX]; /* below the mount; "": jobs have no cgroups */
    bool cgroups;                        /* a descriptor of it travels beside the message */
    uid_t job_uid_min;                   /* uids for Spawn, both inclusive */
    uid_t job_uid_max;
    uid_t agent_uid;
    bool rootless;          /* jobs run in a user namespace as agent_uid whatever Spawn says */
    bool network_host;      /* SPAWN_NETWORK_HOST is allowed */
    struct limits ceilings; /* the largest value allowed of each limit that is `given` */
    uint32_t enforceable;   /* LIMIT_BIT()s of the limits that can be put into force here */
    /* Seen by jobs of the default profile, and no limit of the controller "io" holds there, so none
     * is put into force for them whatever `enforceable` says; "": there is no such place. */
    char unlimited_place[LIMIT_DETAIL_MAX];
    struct spawn_room room; /* what can be kept for jobs */
    size_t profile_count;
    struct launcher_profile {
        char name[SPAWN_PROFILE_MAX];
        uid_t uid;                     /* of all its jobs; 0: one of the range */
    } profiles[LAUNCHER_PROFILES_MAX]; /* that Spawn may name */
    size_t lack_count;
    char lacks[LAUNCHER_LACKS_MAX][ERROR_TEXT_MAX]; /* one sentence for each degradation */
};

struct launcher_group {
    struct launcher_job_ref job;
    bool populated; /* a process of it is left, hoist-init included */
};

struct launcher_tasks {
    size_t count;
    struct spawn_task list[SPAWN_TASKS_MAX];
};

struct launcher_page {
    size_t count;
    bool more; /* ask again after groups[count - 1] */
    struct launcher_group groups[LAUNCHER_PAGE_MAX];
};

enum launcher_answer_type {
    LAUNCHER_ANSWER_FAILURE,
    LAUNCHER_ANSWER_HELLO,
    LAUNCHER_ANSWER_LISTEN,
    LAUNCHER_ANSWER_DONE, /* to Ready and Kill */
    LAUNCHER_ANSWER_SPAWN,
    LAUNCHER_ANSWER_REMOVE,
    LAUNCHER_ANSWER_LIST_GROUPS,
    LAUNCHER_ANSWER_STOPPING, /* with id 0; so is Reloaded */
    LAUNCHER_ANSWER_FIND,
    LAUNCHER_ANSWER_LIST_TASKS,
    LAUNCHER_ANSWER_RELOADED, /* `hello` */
    _LAUNCHER_ANSWER_MAX,
};

/* Nobody has asked for it: its id is 0. */
bool launcher_answer_is_notice(enum launcher_answer_type type);

/* Large (a page): keep it off small stacks. */
struct launcher_answer {
    uint64_t id;
    enum launcher_answer_type type;
    union {
        struct {
            struct error error;
            enum spawn_failure spawn; /* of Spawn only */
            uint32_t refused;         /* limit_report.refused */
        } failure;
        struct launcher_hello hello;
        uint16_t listen_port;
        struct {
            struct spawn_result result; /* its pidfd travels beside the message: FD_NONE here */
            bool cgroups;               /* and so does the jobs' cgroup root, which is a new one */
        } spawn;
        struct spawn_result find; /* its pidfd, too */
        struct {
            bool busy;
            struct cgroup_usage usage; /* all zero when busy */
        } remove;
        struct launcher_page page;
        struct launcher_tasks tasks;
    };
};

/* As for requests; nothing of an answer needs freeing. Unknown fields of answers are passed over.
 */
int launcher_answer_encode(const struct launcher_answer *answer, struct buffer *out,
                           struct error *err);
int launcher_answer_decode(const void *data, size_t size, struct launcher_answer *ret,
                           struct error *err);
