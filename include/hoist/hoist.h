/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOIST_HOIST_H
#define HOIST_HOIST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * libhoist: run, watch, stop and account for Linux processes ("jobs") from a C program.
 *
 * Each job runs under a PID 1 of its own (the program hoist-init), in its own namespaces, under its
 * limits, with its output kept byte for byte in files. As root jobs are isolated and limited as by
 * the agent; an ordinary user's jobs run in a user namespace. Jobs outlive the program:
 * hoist_open() on the same state directory finds them, their output and how they ended.
 *
 * Conventions
 *   Errors    Functions return 0 or a negative errno and fill *error (NULL: nobody asks) with an
 * errno, a reason and one sentence. Outputs are untouched on failure. Nothing is logged. Structs
 * Begin with `size`, set by the HOIST_…_INIT macros, so that they can grow: the library takes
 * fields that the caller's version doesn't have for zero, which is always the default. Structs that
 * the library makes say in `size` how much of them it filled. Blocking  Calls that wait end with
 * -ECANCELED when `cancel_fd` becomes readable (an eventfd, a pipe, a signalfd, …) and drive the
 * library meanwhile. Zero-initialised is "no descriptor": 0 is never watched. Loops     hoist_fd()
 * becomes readable when hoist_dispatch() has something to do, for any event loop. Threads   One
 * `struct hoist` belongs to one thread at a time. Different ones are independent. Callbacks Are
 * called from within hoist_dispatch() and the blocking calls, and must not call the library with
 * the same `struct hoist`.
 */

#if defined(__GNUC__)
#    define HOIST_API __attribute__((visibility("default")))
#else
#    define HOIST_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Where a job is in its life. SUCCEEDED, FAILED, STOPPED and LOST are final. As hoist.v1.JobState.
 */
enum hoist_state {
    HOIST_STATE_UNSPECIFIED = 0,
    HOIST_STATE_QUEUED = 1, /* reserved */
    HOIST_STATE_STARTING = 2,
    HOIST_STATE_RUNNING = 3,
    HOIST_STATE_STOPPING = 4,
    HOIST_STATE_SUCCEEDED = 5,
    HOIST_STATE_FAILED = 6,
    HOIST_STATE_STOPPED = 7,
    HOIST_STATE_LOST = 8,
};
#define HOIST_STATE_COUNT 9

/* What ended a job. As hoist.v1.Cause. */
enum hoist_cause {
    HOIST_CAUSE_UNSPECIFIED = 0, /* it has not ended */
    HOIST_CAUSE_EXITED = 1,
    HOIST_CAUSE_SIGNALED = 2,
    HOIST_CAUSE_TIMED_OUT = 3,
    HOIST_CAUSE_CPU_TIME_LIMIT = 4,
    HOIST_CAUSE_OOM_KILLED = 5,
    HOIST_CAUSE_OUTPUT_LIMIT = 6,
    HOIST_CAUSE_START_FAILED = 7,
    HOIST_CAUSE_STOPPED_BY_USER = 8,
    HOIST_CAUSE_AGENT_SHUTDOWN = 9,
    HOIST_CAUSE_LOST = 10,
};
#define HOIST_CAUSE_COUNT 11

/* Why something failed. The numbers and names are those of hoist.v1.Reason (docs/errors.md). */
enum hoist_reason {
    HOIST_REASON_UNSPECIFIED = 0,
    HOIST_REASON_MALFORMED_REQUEST = 1,
    HOIST_REASON_INVALID_FIELD = 2,
    HOIST_REASON_TOO_LARGE = 3,
    HOIST_REASON_AMBIGUOUS_ID = 4,
    HOIST_REASON_INVALID_PAGE_TOKEN = 5,
    HOIST_REASON_OFFSET_OUT_OF_RANGE = 6,
    HOIST_REASON_NO_ROLE = 10,
    HOIST_REASON_IDENTITY_INVALID = 11,
    HOIST_REASON_JOB_NOT_FOUND = 20,
    HOIST_REASON_NAME_TAKEN = 21,
    HOIST_REASON_JOB_RUNNING = 22,
    HOIST_REASON_JOB_ENDED = 23,
    HOIST_REASON_UNKNOWN_CLASS = 24,
    HOIST_REASON_OVER_CEILING = 25,
    HOIST_REASON_UNKNOWN_METHOD = 26,
    HOIST_REASON_REQUEST_ID_REUSED = 27,
    HOIST_REASON_COMMAND_NOT_FOUND = 40,
    HOIST_REASON_COMMAND_NOT_EXECUTABLE = 41,
    HOIST_REASON_CWD_INVALID = 42,
    HOIST_REASON_LIMIT_NOT_ENFORCEABLE = 43,
    HOIST_REASON_CGROUP_FAILED = 44,
    HOIST_REASON_OUTPUT_FAILED = 45,
    HOIST_REASON_SPAWN_FAILED = 46,
    HOIST_REASON_ISOLATION_FAILED = 47,
    HOIST_REASON_INIT_DIED = 48,
    HOIST_REASON_LAUNCHER_UNAVAILABLE = 49,
    HOIST_REASON_REFUSED_BY_LAUNCHER = 50,
    HOIST_REASON_STORE_FAILED = 51,
    HOIST_REASON_TOO_MANY_JOBS = 60,
    HOIST_REASON_TOO_MANY_STREAMS = 61,
    HOIST_REASON_SHUTTING_DOWN = 62,
    HOIST_REASON_RESERVATION_DOES_NOT_FIT = 63,
    HOIST_REASON_INIT_LOST = 80,
    HOIST_REASON_HOST_REBOOTED = 81,
    HOIST_REASON_OUTPUT_WRITE_FAILED = 82,
    HOIST_REASON_OUTPUT_DAMAGED = 83,
};

/* "RUNNING", "OOM_KILLED", "COMMAND_NOT_FOUND"; "?" for a number that has no name. Static. */
HOIST_API const char *hoist_state_name(enum hoist_state state);
HOIST_API const char *hoist_cause_name(enum hoist_cause cause);
HOIST_API const char *hoist_reason_name(enum hoist_reason reason);

#define HOIST_ERROR_TEXT_SIZE 1024

/* The caller's own, on its stack. `text` lists every issue of a specification, not just the first.
 */
struct hoist_error {
    int code; /* negative errno */
    enum hoist_reason reason;
    char text[HOIST_ERROR_TEXT_SIZE];
};

struct hoist;
struct hoist_job;

#define HOIST_ID_SIZE 37 /* a UUID as text, with its NUL */
#define HOIST_FOREVER UINT64_MAX

/* Called for each end of a job after its record is safe. `job` is valid during the call. */
typedef void hoist_ended_fn(const struct hoist_job *job, void *userdata);

struct hoist_options {
    size_t size;
    const char *state_dir;   /* required; 0700 and ours; made when it is missing */
    const char *init_path;   /* hoist-init; NULL: the installed one */
    const char *cgroup_root; /* below our own cgroup, one state directory's alone; NULL: its own */
    uid_t uid_low, uid_high; /* uids for jobs when root; both 0: 1900065536 to 1900131071 */
    uint64_t retain_usec;    /* how long ended jobs are kept (shorter when a living one waits for a
                                full disk); 0: 24 h; HOIST_FOREVER */
    hoist_ended_fn *ended;   /* may be NULL */
    void *userdata;
    /* What data and index of one job's output take of the disk at most; 0: 1 GiB; HOIST_FOREVER: no
     * such limit. Of a job that writes more the middle is dropped, or the job is stopped. */
    uint64_t output_cap;
    int output_stop_at_cap;
};

#define HOIST_OPTIONS_INIT                                                                         \
    {                                                                                              \
        .size = sizeof(struct hoist_options)                                                       \
    }

/*
 * Opens the jobs of a state directory, finding those that live. -EBUSY: another process has it
 * open. hoist_close() leaves jobs running; it accepts NULL and returns NULL.
 */
HOIST_API int hoist_open(const struct hoist_options *options, struct hoist **ret,
                         struct hoist_error *error);
HOIST_API struct hoist *hoist_close(struct hoist *hoist);

/* Readable when there is something to do; owned by the library. */
HOIST_API int hoist_fd(const struct hoist *hoist);
/* Does what is to be done, without waiting. */
HOIST_API int hoist_dispatch(struct hoist *hoist, struct hoist_error *error);

/* A limit that may be absent: `given` 0 leaves the kernel's default. */
struct hoist_amount {
    uint64_t value;
    int given;
};

struct hoist_limits {
    size_t size;
    struct hoist_amount cpu_millis;          /* thousandths of one CPU */
    struct hoist_amount cpu_weight;          /* 1 to 10000 */
    struct hoist_amount memory_max;          /* bytes */
    struct hoist_amount memory_high;         /* bytes */
    struct hoist_amount swap_max;            /* bytes; 0: no swap */
    struct hoist_amount pids_max;            /* processes and threads */
    struct hoist_amount io_read_bps;         /* bytes a second on each disk */
    struct hoist_amount io_write_bps;        /* bytes a second on each disk */
    struct hoist_amount io_read_iops;        /* operations a second on each disk */
    struct hoist_amount io_write_iops;       /* operations a second on each disk */
    struct hoist_amount open_files;          /* RLIMIT_NOFILE */
    struct hoist_amount core_size;           /* RLIMIT_CORE, bytes */
    struct hoist_amount cpu_period_usec;     /* in which the quota is counted; 1000 to 1000000 */
    struct hoist_amount cpu_time_usec;       /* of the whole tree, then it is stopped */
    struct hoist_amount oom_group;           /* 1: an OOM kill ends the whole job; 0: one process */
    struct hoist_amount io_weight;           /* 1 to 10000 */
    struct hoist_amount memory_low;          /* bytes that are taken back last */
    struct hoist_amount memory_reserved;     /* bytes that are never taken back */
    struct hoist_amount cpu_reserved_millis; /* thousandths of one CPU that it gets when all want */
};

#define HOIST_LIMITS_INIT                                                                          \
    {                                                                                              \
        .size = sizeof(struct hoist_limits)                                                        \
    }

/* What happens to a job whose output has reached its cap. */
enum hoist_output_policy {
    HOIST_OUTPUT_POLICY_UNSPECIFIED = 0, /* as hoist_options say */
    HOIST_OUTPUT_POLICY_KEEP_ENDS = 1,
    HOIST_OUTPUT_POLICY_STOP_JOB = 2,
};

struct hoist_label {
    const char *key;
    const char *value;
};

/* What to run. Strings are copied. */
struct hoist_start_input {
    size_t size;
    int cancel_fd;
    const char *const *argv; /* required; NULL-terminated; argv[0]: a path, or found in PATH */
    const char *const
        *env;        /* "NAME=value" beside what every job has; NULL-terminated; may be NULL */
    const char *cwd; /* absolute, inside the job's root; NULL: the job's own directory */
    const char *display_name;
    const struct hoist_label *labels;
    size_t label_count;
    const struct hoist_limits *limits; /* NULL: none */
    int allow_unenforced;   /* start although a limit can't be enforced; the job says which */
    int host_network;       /* default: loopback only */
    int merged;             /* one pipe for both streams: exact order, no separation */
    uint64_t timeout_usec;  /* 0: none */
    uint64_t grace_usec;    /* 0: 10 s; between the stop signal and SIGKILL */
    int stop_signal;        /* 0: SIGTERM */
    const char *request_id; /* a retry with the same one returns the same job */
    uint64_t output_cap;    /* bytes; 0: as hoist_options say; HOIST_FOREVER: none */
    enum hoist_output_policy output_policy;
};

#define HOIST_START_INPUT_INIT                                                                     \
    {                                                                                              \
        .size = sizeof(struct hoist_start_input)                                                   \
    }

/* One limit of a job as it stands. */
struct hoist_limit_status {
    const char *name; /* "memory_max" */
    uint64_t value;
    int enforced;       /* written and read back from the kernel */
    const char *detail; /* the control file and its value, or why it is not in force */
};

/* What a job used so far, or in all. Figures that the host doesn't give are 0. */
struct hoist_usage {
    uint64_t cpu_usec;
    uint64_t cpu_user_usec;
    uint64_t cpu_system_usec;
    uint64_t memory_current; /* bytes */
    uint64_t memory_peak;
    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t io_read_ops;
    uint64_t io_write_ops;
    uint64_t pids_current;
};

#define HOIST_TASK_NAME_SIZE 16 /* with the NUL */

/* A task (thread) that could not be ended yet. */
struct hoist_blocked_task {
    pid_t pid;  /* on the host */
    char state; /* as proc(5) has it; 'D': no signal reaches it before the kernel lets it go */
    char name[HOIST_TASK_NAME_SIZE]; /* printable ASCII */
};

/* What is known of a job. Made by the library: hoist_job_free() frees it with all that it points
 * to. */
struct hoist_job {
    size_t size;
    char id[HOIST_ID_SIZE];
    enum hoist_state state;
    enum hoist_cause cause;
    int has_exit_code;
    int exit_code;
    int signal; /* that killed the command; 0: none */
    int core_dumped;
    enum hoist_reason reason;
    const char *error; /* one sentence; "" */
    const char *display_name;
    const char *command;
    const char *const *args;   /* after argv[0]; NULL-terminated */
    uint64_t create_time_usec; /* since 1970; 0 in the next two: not yet */
    uint64_t start_time_usec;
    uint64_t end_time_usec;
    uint64_t run_time_usec;
    uint64_t output_bytes; /* of all streams */
    uint64_t stdout_bytes;
    uint64_t stderr_bytes;
    int output_complete;
    struct hoist_usage usage;
    const struct hoist_limit_status *limits;
    size_t limit_count;
    const char *const *degradations; /* what this host could not give; NULL-terminated */
    uid_t uid;
    pid_t pid; /* hoist-init's, while the job lives; not for kill(2) */
    uint32_t processes_blocked;
    uint64_t output_gap_start; /* bytes [start, end) were dropped by the cap; equal: none were */
    uint64_t output_gap_end;
    int output_waiting; /* the disk is full; the job goes on when there is room */
    const struct hoist_blocked_task *blocked_tasks; /* of processes_blocked the first ones */
    size_t blocked_task_count;
};

/* Accepts NULL; returns NULL. */
HOIST_API struct hoist_job *hoist_job_free(struct hoist_job *job);

/* Starts a job; returns when its command was executed. *ret (may be NULL) is the caller's to free.
 */
HOIST_API int hoist_start(struct hoist *hoist, const struct hoist_start_input *input,
                          struct hoist_job **ret, struct hoist_error *error);

/* `name` everywhere: an id, a unique prefix of one (≥ 4 hex digits), or a display name. */
struct hoist_stop_input {
    size_t size;
    int cancel_fd;
    const char *name;
    int signal;          /* 0: the job's */
    int at_once;         /* SIGKILL without grace */
    uint64_t grace_usec; /* 0: the job's */
};

#define HOIST_STOP_INPUT_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(struct hoist_stop_input)                                                    \
    }

/* Stops the whole tree; within grace + 2 s. A job that has ended is returned as it is. */
HOIST_API int hoist_stop(struct hoist *hoist, const struct hoist_stop_input *input,
                         struct hoist_job **ret, struct hoist_error *error);

struct hoist_status_input {
    size_t size;
    int cancel_fd;
    const char *name;
};

#define HOIST_STATUS_INPUT_INIT                                                                    \
    {                                                                                              \
        .size = sizeof(struct hoist_status_input)                                                  \
    }

HOIST_API int hoist_status(struct hoist *hoist, const struct hoist_status_input *input,
                           struct hoist_job **ret, struct hoist_error *error);

struct hoist_wait_input {
    size_t size;
    int cancel_fd;
    const char *name;
    uint64_t timeout_usec; /* 0: none. Afterwards the job is returned as it is then */
};

#define HOIST_WAIT_INPUT_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(struct hoist_wait_input)                                                    \
    }

HOIST_API int hoist_wait(struct hoist *hoist, const struct hoist_wait_input *input,
                         struct hoist_job **ret, struct hoist_error *error);

struct hoist_list_input {
    size_t size;
    int cancel_fd;
    uint32_t states;    /* bits 1 << enum hoist_state; 0: all */
    uint32_t page_size; /* 0: 50; at most 500 */
    const char *page_token;
};

#define HOIST_LIST_INPUT_INIT                                                                      \
    {                                                                                              \
        .size = sizeof(struct hoist_list_input)                                                    \
    }

/* Newest first. Made by the library. */
struct hoist_list {
    size_t size;
    struct hoist_job **jobs;
    size_t count;
    const char *next_page_token; /* "": this was the last page */
};

/* Accepts NULL; returns NULL. */
HOIST_API struct hoist_list *hoist_list_free(struct hoist_list *list);

HOIST_API int hoist_list(struct hoist *hoist, const struct hoist_list_input *input,
                         struct hoist_list **ret, struct hoist_error *error);

struct hoist_delete_input {
    size_t size;
    int cancel_fd;
    const char *name;
    int force; /* stop it first */
};

#define HOIST_DELETE_INPUT_INIT                                                                    \
    {                                                                                              \
        .size = sizeof(struct hoist_delete_input)                                                  \
    }

/* Removes a job that has ended: its record and its output. */
HOIST_API int hoist_delete(struct hoist *hoist, const struct hoist_delete_input *input,
                           struct hoist_error *error);

/* As hoist.v1.Stream. */
enum hoist_stream {
    HOIST_STREAM_STDOUT = 1,
    HOIST_STREAM_STDERR = 2,
    HOIST_STREAM_MERGED = 3,
};

struct hoist_chunk {
    size_t size;
    uint64_t offset; /* of the first byte, among all streams' bytes */
    const void *data;
    size_t data_size;
    enum hoist_stream stream;
    uint64_t time_usec; /* since 1970 */
};

/* 0 to go on; anything else ends hoist_output(), which returns it (without filling *error). */
typedef int hoist_chunk_fn(const struct hoist_chunk *chunk, void *userdata);

struct hoist_output_input {
    size_t size;
    int cancel_fd;
    const char *name;
    uint64_t offset;
    int follow;       /* go on until the job's output is complete */
    uint32_t streams; /* bits 1 << enum hoist_stream; 0: all */
    hoist_chunk_fn *chunk;
    void *userdata;
};

#define HOIST_OUTPUT_INPUT_INIT                                                                    \
    {                                                                                              \
        .size = sizeof(struct hoist_output_input)                                                  \
    }

/* The caller's own; set `size` before the call. */
struct hoist_output_summary {
    size_t size;
    uint64_t end_offset; /* resume here */
    uint64_t bytes;      /* that this call gave */
    int complete;        /* the job has ended and its last byte was given */
};

#define HOIST_OUTPUT_SUMMARY_INIT                                                                  \
    {                                                                                              \
        .size = sizeof(struct hoist_output_summary)                                                \
    }

/* Gives a job's output to `chunk`, from the first byte if so wanted, while it runs or after. */
HOIST_API int hoist_output(struct hoist *hoist, const struct hoist_output_input *input,
                           struct hoist_output_summary *ret, struct hoist_error *error);

/* HOIST_VERSION of the library that is loaded. */
HOIST_API const char *hoist_version(void);

#ifdef __cplusplus
}
#endif

#endif
