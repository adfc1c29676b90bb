/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

/*
 * Tells the service manager (sd_notify(3)'s protocol: one datagram to the socket that NOTIFY_SOCKET
 * names). Nothing happens without one; what can't be told is logged for developers only: the
 * manager itself says that it has heard nothing.
 */
void notify_manager(const char *state);

/*
 * How often the manager is to be told WATCHDOG=1: half of the time after which it takes us for
 * dead (WATCHDOG_USEC, WATCHDOG_PID: sd_watchdog_enabled(3)). 0: never.
 */
usec_t notify_watchdog_interval(void);
