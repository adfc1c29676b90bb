/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "worker/spawner.h"

typedef struct sd_event sd_event;
struct spawn_context;

/*
 * The spawner of libhoist alone: the calling process makes the jobs itself (src/spawn). Making one
 * takes about a millisecond, in the calling thread; answers come from the event loop as everywhere.
 */

/* Takes the context on success. */
int spawner_local_new(sd_event *event, struct spawn_context *context, struct spawner **ret,
                      struct error *err);
