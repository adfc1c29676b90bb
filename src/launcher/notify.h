/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Tells the service manager (sd_notify(3)'s protocol: one datagram to the socket that NOTIFY_SOCKET
 * names). Nothing happens without one; what can't be told is logged for developers only: the
 * manager itself says that it has heard nothing.
 */
void notify_manager(const char *state);
