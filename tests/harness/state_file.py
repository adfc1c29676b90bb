# SPDX-License-Identifier: Apache-2.0
"""What hoist-init says about its job while it runs: the state file (src/wire/state-file.h), read behind hoistd's back."""

import os
import struct

from harness import waiting

AGENT_GONE = 1 << 2  # enum state_flags

SLOT = 512
PROGRESS = (2 * SLOT, 3 * SLOT)  # in turn; the higher sequence is the newer one


def path(agent, job):
    return f"{agent.dir}/state/{job.name}/state"


def flags(file):
    """The flags of the newer progress. A slot that is half written has an older sequence or is read again."""
    with open(file, "rb") as opened:
        data = opened.read()
    return max(struct.unpack_from("<QII", data, slot + 8)[::2] for slot in PROGRESS)[1]


def wait_flags(agent, job, done):
    """Returns when done(flags)."""
    file = path(agent, job)
    with waiting.changes_in(os.path.dirname(file)) as changed:
        while not done(flags(file)):
            changed()
