/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/message.h"

struct emitter;
struct session;

/*
 * Any message of the API as JSON or YAML, by its descriptor, so that -o shows every field there is:
 * names as in the .proto files, enums by name without their prefix, moments in RFC 3339, durations
 * in seconds, amounts as numbers, maps as maps. Fields that are not set are left out, but for
 * numbers and enums of messages that are there.
 */
void message_emit(struct emitter *emitter, const char *key, const ProtobufCMessage *message);

/* Prints the message on stdout by the session's -o (json or yaml). 0 or a negative errno (told). */
int message_print(const struct session *session, const ProtobufCMessage *message);
