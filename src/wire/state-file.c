/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One writer for each slot and no lock: what makes this right is that a slot is written by one
 * pwrite(2) of 512 aligned bytes and carries its own checksum. pread(2) of the page cache may still
 * see half of a write that is under way, so a reader that finds a bad slot reads again before it
 * believes that the slot was never written or torn by a power loss.
 */
#include "wire/state-file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/crc32c.h"
#include "base/fd.h"
#include "base/format-version.h"

#define SLOT_SIZE    512
#define SLOT_PAYLOAD (SLOT_SIZE - 16)
#define VERSION      FORMAT_VERSION(2)
#define OLDEST       1
#define READ_TRIES   5

enum slot {
    SLOT_IDENTITY,
    SLOT_PROCESS,
    SLOT_PROGRESS_A,
    SLOT_PROGRESS_B,
    SLOT_EXIT,
    _SLOT_MAX,
};

/* "hiostst" and the slot's number: a slot can't be taken for another one. */
#define SLOT_MAGIC(slot) (UINT64_C(0x00747374736f6968) | (uint64_t)(slot) << 56)

struct slot_bytes {
    uint64_t magic;
    uint8_t payload[SLOT_PAYLOAD];
    uint32_t version;
    uint32_t crc; /* of everything before */
};

struct identity_record {
    uint8_t job[ID_SIZE], boot[ID_SIZE];
    uint64_t created_wall;
};

struct process_record {
    uint64_t start_time;
    int32_t pid;
    uint32_t zero;
};

struct progress_record {
    uint64_t sequence;
    uint32_t phase, flags;
    int32_t command_pid;
    uint32_t stop_reason;
    int32_t stop_signal;
    uint32_t killed;
    uint64_t started_wall, started_boot;
    uint64_t stop_wall, kill_boot;
    uint64_t totals[2];
    uint64_t gap_start, gap_end;
    uint32_t failure;
    int32_t error_code;
    char sentence[STATE_SENTENCE_MAX];
};

struct exit_record {
    uint32_t flags;
    int32_t code, status, output_error;
    uint32_t stop_reason;
    int32_t stop_signal;
    uint64_t started_wall, ended_wall;
    uint64_t started_boot, ended_boot;
    uint64_t totals[2], output_end;
    uint64_t cpu_user, cpu_system, max_rss;
};

static_assert(sizeof(struct slot_bytes) == SLOT_SIZE, "no padding");
static_assert(_SLOT_MAX * SLOT_SIZE <= STATE_FILE_SIZE, "all slots fit");
static_assert(sizeof(struct identity_record) <= SLOT_PAYLOAD &&
                  sizeof(struct process_record) <= SLOT_PAYLOAD &&
                  sizeof(struct progress_record) <= SLOT_PAYLOAD &&
                  sizeof(struct exit_record) <= SLOT_PAYLOAD,
              "each record fits its slot");

static const char *const phase_names[] = {
    [STATE_PHASE_CREATED] = "created",           [STATE_PHASE_STARTED] = "started",
    [STATE_PHASE_START_FAILED] = "start failed", [STATE_PHASE_STOPPING] = "stopping",
    [STATE_PHASE_DRAINING] = "draining",
};

static_assert(ARRAY_SIZE(phase_names) == _STATE_PHASE_MAX, "each phase has a name");

const char *state_phase_name(enum state_phase phase)
{
    return phase_names[phase];
}

/* --- writing ------------------------------------------------------------------------------------
 */

static uint32_t slot_crc(const struct slot_bytes *bytes)
{
    return crc32c(0, bytes, offsetof(struct slot_bytes, crc));
}

static void slot_fill(struct slot_bytes *bytes, enum slot slot, const void *record, size_t size)
{
    *bytes = (struct slot_bytes){.magic = SLOT_MAGIC(slot), .version = VERSION};
    memcpy(bytes->payload, record, size);
    bytes->crc = slot_crc(bytes);
}

static int slot_write(int fd, enum slot slot, const void *record, size_t size)
{
    struct slot_bytes bytes;

    slot_fill(&bytes, slot, record, size);
    return fd_pwrite_full(fd, &bytes, sizeof(bytes), (off_t)slot * SLOT_SIZE);
}

/* Blocks now, not at the first writeback; where a file system can't, the write itself has to do. */
static int reserve_blocks(int fd)
{
    if (fallocate(fd, 0, 0, STATE_FILE_SIZE) == 0)
        return 0;
    return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
}

bool state_file_is_unwritten(int fd)
{
    uint8_t file[STATE_FILE_SIZE];
    struct stat status;

    if (fstat(fd, &status) < 0)
        return false;
    if (status.st_size < STATE_FILE_SIZE)
        return true;
    if (fd_pread_full(fd, file, sizeof(file), 0) < 0)
        return false;
    for (size_t i = 0; i < sizeof(file); i++)
        if (file[i] != 0)
            return false;
    return true;
}

int state_file_create(int fd, const struct id *job, const struct id *boot, struct error *err)
{
    struct identity_record record = {.created_wall = clock_wall()};
    struct slot_bytes slots[STATE_FILE_SIZE / SLOT_SIZE] = {0};
    int r = reserve_blocks(fd);

    memcpy(record.job, job->bytes, ID_SIZE);
    memcpy(record.boot, boot->bytes, ID_SIZE);
    slot_fill(&slots[SLOT_IDENTITY], SLOT_IDENTITY, &record, sizeof(record));
    if (r >= 0)
        r = fd_pwrite_full(fd, slots, sizeof(slots), 0);
    if (r < 0)
        return error_set(err, r, "the state file can't be written: %s", strerror(-r));
    return 0;
}

int state_file_write_process(int fd, pid_t pid, uint64_t start_time)
{
    struct process_record record = {.start_time = start_time, .pid = pid};

    return slot_write(fd, SLOT_PROCESS, &record, sizeof(record));
}

int state_file_write_progress(int fd, struct state_progress *progress)
{
    struct progress_record record = {
        .sequence = progress->sequence + 1,
        .phase = (uint32_t)progress->phase,
        .flags = progress->flags,
        .command_pid = progress->command_pid,
        .stop_reason = (uint32_t)progress->stop_reason,
        .stop_signal = progress->stop_signal,
        .killed = progress->killed,
        .started_wall = progress->started_wall,
        .started_boot = progress->started_boot,
        .stop_wall = progress->stop_wall,
        .kill_boot = progress->kill_boot,
        .totals = {progress->totals[0], progress->totals[1]},
        .gap_start = progress->gap_start,
        .gap_end = progress->gap_end,
        .failure = (uint32_t)progress->failure,
        .error_code = progress->error_code,
    };
    enum slot slot = record.sequence % 2 ? SLOT_PROGRESS_A : SLOT_PROGRESS_B;
    int r;

    memcpy(record.sentence, progress->sentence, sizeof(record.sentence));
    record.sentence[sizeof(record.sentence) - 1] = '\0';
    r = slot_write(fd, slot, &record, sizeof(record));
    if (r < 0)
        return r;
    progress->sequence = record.sequence;
    return 0;
}

int state_file_write_exit(int fd, const struct state_exit *exit)
{
    struct exit_record record = {
        .flags = exit->flags,
        .code = exit->code,
        .status = exit->status,
        .output_error = exit->output_error,
        .stop_reason = (uint32_t)exit->stop_reason,
        .stop_signal = exit->stop_signal,
        .started_wall = exit->started_wall,
        .ended_wall = exit->ended_wall,
        .started_boot = exit->started_boot,
        .ended_boot = exit->ended_boot,
        .totals = {exit->totals[0], exit->totals[1]},
        .output_end = exit->output_end,
        .cpu_user = exit->cpu_user,
        .cpu_system = exit->cpu_system,
        .max_rss = exit->max_rss,
    };

    return slot_write(fd, SLOT_EXIT, &record, sizeof(record));
}

/* --- reading ------------------------------------------------------------------------------------
 */

/*
 * The payload of `slot` copied to `record`. 1 when it checks, 0 when it was never written, -EPROTO
 * when it is torn or foreign.
 */
static int slot_read(const uint8_t *file, enum slot slot, void *record, size_t size)
{
    struct slot_bytes bytes;

    memcpy(&bytes, file + (size_t)slot * SLOT_SIZE, sizeof(bytes));
    if (bytes.magic == 0 && bytes.crc == 0 && bytes.version == 0)
        return 0;
    if (bytes.magic != SLOT_MAGIC(slot) || !format_is_readable(bytes.version, OLDEST, VERSION) ||
        bytes.crc != slot_crc(&bytes))
        return -EPROTO;
    memcpy(record, bytes.payload, size);
    return 1;
}

static bool signal_is_valid(int32_t signal)
{
    return signal >= 0 && signal <= 64; /* _NSIG: signal(7); 0: none */
}

static bool progress_is_valid(const struct progress_record *record)
{
    return record->sequence > 0 && record->phase < _STATE_PHASE_MAX &&
           !(record->flags & ~(uint32_t)_STATE_FLAGS_ALL) && record->command_pid >= 0 &&
           record->stop_reason < _STATE_STOP_REASON_MAX && signal_is_valid(record->stop_signal) &&
           record->killed <= 1 && record->gap_start <= record->gap_end &&
           record->failure < _SPAWN_FAILURE_MAX && record->error_code <= 0 &&
           memchr(record->sentence, '\0', sizeof(record->sentence));
}

static bool exit_is_valid(const struct exit_record *record)
{
    if (record->flags & ~(uint32_t)_STATE_EXIT_FLAGS_ALL || record->output_error > 0 ||
        record->stop_reason >= _STATE_STOP_REASON_MAX || !signal_is_valid(record->stop_signal))
        return false;
    if (record->code == CLD_EXITED)
        return record->status >= 0 && record->status <= 255;
    return (record->code == CLD_KILLED || record->code == CLD_DUMPED) && record->status > 0 &&
           signal_is_valid(record->status);
}

static void take_progress(const struct progress_record *record, struct state_progress *ret)
{
    *ret = (struct state_progress){
        .sequence = record->sequence,
        .phase = (enum state_phase)record->phase,
        .flags = record->flags,
        .command_pid = record->command_pid,
        .started_wall = record->started_wall,
        .started_boot = record->started_boot,
        .stop_reason = (enum state_stop_reason)record->stop_reason,
        .stop_signal = record->stop_signal,
        .stop_wall = record->stop_wall,
        .kill_boot = record->kill_boot,
        .killed = record->killed,
        .failure = (enum spawn_failure)record->failure,
        .error_code = record->error_code,
        .totals = {record->totals[0], record->totals[1]},
        .gap_start = record->gap_start,
        .gap_end = record->gap_end,
    };
    memcpy(ret->sentence, record->sentence, sizeof(ret->sentence));
}

static void take_exit(const struct exit_record *record, struct state_exit *ret)
{
    *ret = (struct state_exit){
        .flags = record->flags,
        .code = record->code,
        .status = record->status,
        .output_error = record->output_error,
        .stop_reason = (enum state_stop_reason)record->stop_reason,
        .stop_signal = record->stop_signal,
        .started_wall = record->started_wall,
        .ended_wall = record->ended_wall,
        .started_boot = record->started_boot,
        .ended_boot = record->ended_boot,
        .totals = {record->totals[0], record->totals[1]},
        .output_end = record->output_end,
        .cpu_user = record->cpu_user,
        .cpu_system = record->cpu_system,
        .max_rss = record->max_rss,
    };
}

static int parse_identity(const uint8_t *file, struct state_file *ret, struct error *err)
{
    struct identity_record record;

    if (slot_read(file, SLOT_IDENTITY, &record, sizeof(record)) != 1)
        return error_set(err, -EPROTO, "not a state file of this version");
    memcpy(ret->job.bytes, record.job, ID_SIZE);
    memcpy(ret->boot.bytes, record.boot, ID_SIZE);
    ret->created_wall = record.created_wall;
    return 0;
}

static int parse_process(const uint8_t *file, struct state_file *ret, unsigned *torn,
                         struct error *err)
{
    struct process_record record;
    int r = slot_read(file, SLOT_PROCESS, &record, sizeof(record));

    *torn += r < 0;
    if (r <= 0)
        return 0;
    if (record.pid <= 0)
        return error_set(err, -EPROTO, "the state file's process makes no sense");
    ret->has_process = true;
    ret->pid = record.pid;
    ret->start_time = record.start_time;
    return 0;
}

/* The newer one of the two progress slots that check. */
static int parse_progress(const uint8_t *file, struct state_file *ret, unsigned *torn,
                          struct error *err)
{
    for (enum slot slot = SLOT_PROGRESS_A; slot <= SLOT_PROGRESS_B; slot++) {
        struct progress_record record;
        int r = slot_read(file, slot, &record, sizeof(record));

        *torn += r < 0;
        if (r <= 0)
            continue;
        if (!progress_is_valid(&record))
            return error_set(err, -EPROTO, "the state file's progress makes no sense");
        if (record.sequence > ret->progress.sequence)
            take_progress(&record, &ret->progress);
    }
    return 0;
}

static int parse_exit(const uint8_t *file, struct state_file *ret, unsigned *torn,
                      struct error *err)
{
    struct exit_record record;
    int r = slot_read(file, SLOT_EXIT, &record, sizeof(record));

    *torn += r < 0;
    if (r <= 0)
        return 0;
    if (!exit_is_valid(&record))
        return error_set(err, -EPROTO, "the state file's exit record makes no sense");
    ret->has_exit = true;
    take_exit(&record, &ret->exit);
    return 0;
}

static int parse(const uint8_t *file, struct state_file *ret, unsigned *torn, struct error *err)
{
    struct state_file parsed = {0};
    int r = parse_identity(file, &parsed, err);

    *torn = 0;
    if (r >= 0)
        r = parse_process(file, &parsed, torn, err);
    if (r >= 0)
        r = parse_progress(file, &parsed, torn, err);
    if (r >= 0)
        r = parse_exit(file, &parsed, torn, err);
    if (r < 0)
        return r;
    *ret = parsed;
    return 0;
}

int state_file_parse(const void *data, struct state_file *ret, struct error *err)
{
    unsigned torn;

    return parse(data, ret, &torn, err);
}

int state_file_read(int fd, struct state_file *ret, struct error *err)
{
    uint8_t file[STATE_FILE_SIZE];
    unsigned torn = 0;

    for (int try = 0; try < READ_TRIES; try++) {
        int r = fd_pread_full(fd, file, sizeof(file), 0);

        if (r < 0)
            return error_set(err, r, "the state file can't be read: %s", strerror(-r));
        r = parse(file, ret, &torn, err);
        if (r < 0 || torn == 0)
            return r;
    }
    return 0;
}
