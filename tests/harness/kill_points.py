# SPDX-License-Identifier: Apache-2.0
"""hoistd or the launcher, killed at the N-th system call of a kind while it serves the clients of torture.py, again and
again; no other harm is done, so that nothing may be lost."""

from harness import faults, torture, waiting

# Kinds of system calls by what they are for: the n-th of each is a point. All calls alone would mean the busiest thread.
KINDS = {
    "hoistd": {
        "any": "all",
        "records": "pwrite64,fdatasync",
        "launcher's socket": "sendmsg,recvmsg",
        "directories": "openat,mkdirat,fallocate,unlinkat",
        "end": "waitid,close,inotify_add_watch,inotify_rm_watch,epoll_ctl",
    },
    "launcher": {
        "any": "all",
        "processes": "clone3,pidfd_open,waitid,execveat",
        "hoistd's socket": "sendmsg,recvmsg",
        "cgroups": "mkdirat,openat,unlinkat",
        "plan": "memfd_create,write,mmap,close",
    },
}
A_KIND = 40  # points of each: 200 in all
LONGEST = 3000  # seconds


def points(victim):
    """[(kind, calls, n)], all there are."""
    return [(kind, calls, 1 + at * (9 if kind == "any" else 1))
            for kind, calls in KINDS[victim].items() for at in range(A_KIND)]


class KillPoints(torture.Torture):
    def __init__(self, agent, seed, counters, victim, points):
        super().__init__(agent, seed, LONGEST, counters)
        self.victim, self.points = victim, points

    def chaos(self, rng):
        """In place of blows at random."""
        del rng
        for kind, calls, n in self.points:
            if self.over.is_set():
                return
            self.kill_at(kind, calls, n)
        self.over.set()

    def kill_at(self, kind, calls, n):
        pid = self.agent.hoistd_pid if self.victim == "hoistd" else self.agent.launcher_pid
        hoistd = self.agent.hoistd_pid
        with faults.injected(pid, f"{calls}:signal=KILL:when={n}", children=self.victim == "hoistd"):
            waiting.process_end(pid)
        self.note(f"kill-{self.victim} at {kind} {n}")
        if self.victim == "launcher":
            waiting.process_end(hoistd)
            self.agent.restart()
        client = self.agent.client("admin")
        client.agent.Ping()
        client.close()
