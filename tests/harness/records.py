# SPDX-License-Identifier: Apache-2.0
"""An agent's records behind its back, while hoistd is away."""

import contextlib
import os
import signal
import sqlite3

from harness import waiting


@contextlib.contextmanager
def hoistd_away(agent):
    """hoistd is killed, and the launcher is held so that it starts no other before the block is over."""
    hoistd = agent.hoistd_pid
    os.kill(agent.launcher_pid, signal.SIGSTOP)
    try:
        os.kill(hoistd, signal.SIGKILL)
        waiting.process_end(hoistd)
        yield
    finally:
        os.kill(agent.launcher_pid, signal.SIGCONT)


def open_database(agent):
    return sqlite3.connect(f"{agent.dir}/state/jobs.db")


def give_back(agent):
    """What SQLite has made here is hoistd's."""
    owner = os.stat(f"{agent.dir}/state")
    for name in os.listdir(f"{agent.dir}/state"):
        os.chown(f"{agent.dir}/state/{name}", owner.st_uid, owner.st_gid)


def add_twin(agent, job):
    """Gives the ended job a twin, whose id differs in the last digit only; returns the twin's id as text.

    Only while hoistd is away.
    """
    own = bytes.fromhex(job.name.removeprefix("jobs/").replace("-", ""))
    twin = own[:-1] + bytes([own[-1] ^ 1])
    with contextlib.closing(open_database(agent)) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(job)")]
        row = database.execute("SELECT * FROM job WHERE id = ?", (own,)).fetchone()
        values = [value.replace(own, twin) if isinstance(value, bytes) else value for value in row]
        database.execute(f"INSERT INTO job VALUES ({','.join('?' * len(columns))})", values)
    give_back(agent)
    text = twin.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def remove(agent, job):
    """Drops a job's record, as if hoistd had died before its commit. Only while hoistd is away."""
    own = bytes.fromhex(job.name.removeprefix("jobs/").replace("-", ""))
    with contextlib.closing(open_database(agent)) as database, database:
        assert database.execute("DELETE FROM job WHERE id = ?", (own,)).rowcount == 1
    give_back(agent)
