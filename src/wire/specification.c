/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/specification.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/format-version.h"
#include "base/strv.h"
#include "wire/stored.h"

#define VERSION FORMAT_VERSION(1)
#define OLDEST  1

typedef Hoist__Internal__Specification StoredSpecification;
typedef Hoist__Internal__StoredLabel StoredLabel;
typedef Hoist__Internal__StoredLimit StoredLimit;

void specification_done(struct specification *specification)
{
    free(specification->created_by);
    free(specification->request_id);
    job_spec_done(&specification->spec);
    *specification = (struct specification){.spec = JOB_SPEC_NULL};
}

/* What repeated fields point to while a message is packed. */
struct specification_room {
    ProtobufCBinaryData *args;
    ProtobufCBinaryData *env;
    StoredLabel labels[64];
    StoredLabel *label_pointers[64];
    StoredLimit limits[_LIMIT_MAX];
    StoredLimit *limit_pointers[_LIMIT_MAX];
};

static void specification_room_done(struct specification_room *room)
{
    free(room->args);
    free(room->env);
}

static int store_labels(const struct job_spec *spec, struct specification_room *room,
                        StoredSpecification *message)
{
    if (spec->label_count > ARRAY_SIZE(room->labels))
        return -E2BIG;
    for (size_t i = 0; i < spec->label_count; i++) {
        room->labels[i] = (StoredLabel)HOIST__INTERNAL__STORED_LABEL__INIT;
        room->labels[i].key = stored_text(spec->labels[i].key);
        room->labels[i].value = stored_text(spec->labels[i].value);
        room->label_pointers[i] = &room->labels[i];
    }
    message->n_labels = spec->label_count;
    message->labels = room->label_pointers;
    return 0;
}

/* Of "NAME=value" only the name: the value's bytes never reach the buffer. */
static int store_env(const struct job_spec *spec, struct specification_room *room,
                     StoredSpecification *message)
{
    int r = stored_list(spec->env, &message->n_env_names, &room->env);

    if (r < 0)
        return r;
    for (size_t i = 0; i < message->n_env_names; i++)
        room->env[i].len = strcspn(spec->env[i], "=");
    message->env_names = room->env;
    return 0;
}

static void store_spec_values(const struct job_spec *spec, StoredSpecification *message)
{
    message->display_name = stored_text(spec->display_name);
    message->command = stored_bytes(spec->command);
    message->cwd = stored_bytes(spec->cwd);
    message->job_class = stored_text(spec->job_class);
    message->profile = stored_text(spec->profile);
    message->warn_unenforced = spec->warn_unenforced;
    message->network = (uint32_t)spec->network;
    message->timeout_usec = spec->timeout;
    message->grace_usec = spec->grace;
    message->stop_signal = (uint32_t)spec->stop_signal;
    message->merged = spec->merged;
    message->output_rate = spec->output.rate;
    message->output_cap = spec->output.cap;
    message->output_head = spec->output.head;
    message->output_stop_at_cap = spec->output.stop_at_cap;
    message->output_read_buffer = spec->output.read_buffer;
}

int specification_encode(const struct specification *specification, struct buffer *out)
{
    _cleanup_(specification_room_done) struct specification_room room = {.args = NULL};
    const struct job_spec *spec = &specification->spec;
    StoredSpecification message = HOIST__INTERNAL__SPECIFICATION__INIT;
    int r;

    message.version = VERSION;
    message.id = stored_id(&specification->id);
    message.created_by = stored_text(specification->created_by);
    message.request_id = stored_text(specification->request_id);
    message.digest = specification->digest;
    message.create_time_usec = specification->create_time;
    message.uid = specification->uid;
    store_spec_values(spec, &message);
    r = stored_list(spec->args, &message.n_args, &room.args);
    if (r == 0) {
        message.args = room.args;
        r = store_env(spec, &room, &message);
    }
    if (r == 0)
        r = store_labels(spec, &room, &message);
    if (r < 0)
        return r;
    message.n_limits = stored_limits(&spec->limits, NULL, room.limits, room.limit_pointers);
    message.limits = room.limit_pointers;
    return stored_pack(&message.base, out);
}

static int read_labels(const StoredSpecification *message, struct job_spec *spec)
{
    if (message->n_labels == 0)
        return 0;
    spec->labels = calloc(message->n_labels, sizeof(*spec->labels));
    if (!spec->labels)
        return -ENOMEM;
    spec->label_count = message->n_labels;
    for (size_t i = 0; i < message->n_labels; i++) {
        spec->labels[i].key = strdup(message->labels[i]->key);
        spec->labels[i].value = strdup(message->labels[i]->value);
        if (!spec->labels[i].key || !spec->labels[i].value)
            return -ENOMEM;
    }
    return 0;
}

static int read_spec_texts(const StoredSpecification *message, struct job_spec *spec)
{
    int r = stored_read_text(&message->command, &spec->command);

    if (r == 0)
        r = stored_read_text(&message->cwd, &spec->cwd);
    if (r == 0)
        r = stored_read_list(message->args, message->n_args, &spec->args);
    if (r == 0)
        r = stored_read_list(message->env_names, message->n_env_names, &spec->env);
    if (r < 0)
        return r;
    spec->display_name = strdup(message->display_name);
    spec->job_class = strdup(message->job_class);
    spec->profile = strdup(message->profile);
    return spec->display_name && spec->job_class && spec->profile ? read_labels(message, spec)
                                                                  : -ENOMEM;
}

static int read_spec(const StoredSpecification *message, struct job_spec *spec)
{
    if (message->network >= _SPAWN_NETWORK_MAX || message->stop_signal > 64)
        return -EPROTO;
    spec->warn_unenforced = message->warn_unenforced;
    spec->network = (enum spawn_network)message->network;
    spec->timeout = message->timeout_usec;
    spec->grace = message->grace_usec;
    spec->stop_signal = (int)message->stop_signal;
    spec->merged = message->merged;
    spec->output.rate = message->output_rate;
    spec->output.cap = message->output_cap;
    spec->output.head = message->output_head;
    spec->output.stop_at_cap = message->output_stop_at_cap;
    spec->output.read_buffer = message->output_read_buffer;
    for (size_t i = 0; i < message->n_limits; i++)
        if (stored_read_limit(message->limits[i], &spec->limits) < 0)
            return -EPROTO;
    return read_spec_texts(message, spec);
}

static int read_specification(const StoredSpecification *message, struct specification *ret)
{
    if (!format_is_readable(message->version, OLDEST, VERSION))
        return -EPROTO;
    ret->digest = message->digest;
    ret->create_time = message->create_time_usec;
    ret->uid = message->uid;
    ret->created_by = strdup(message->created_by);
    ret->request_id = strdup(message->request_id);
    if (!ret->created_by || !ret->request_id)
        return -ENOMEM;
    if (stored_read_id(&message->id, &ret->id) < 0)
        return -EPROTO;
    return read_spec(message, &ret->spec);
}

int specification_decode(const void *data, size_t size, struct specification *ret,
                         struct error *err)
{
    _cleanup_(stored_message_freep) ProtobufCMessage *message = NULL;
    _cleanup_specification_ struct specification copy = {.spec = JOB_SPEC_NULL};
    int r = -EPROTO;

    if (size <= SPECIFICATION_SIZE_MAX)
        message = protobuf_c_message_unpack(&hoist__internal__specification__descriptor, NULL, size,
                                            data);
    if (message)
        r = read_specification((const StoredSpecification *)message, &copy);
    if (r < 0)
        return stored_error(r, "specification of a job", err);
    *ret = copy;
    copy = (struct specification){.spec = JOB_SPEC_NULL};
    return 0;
}
