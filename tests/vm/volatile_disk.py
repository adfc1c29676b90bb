# SPDX-License-Identifier: Apache-2.0
"""A machine whose disk has a cache that a power cut empties, as real disks have.

What was written before the guest's last flush is on the disk; of what was written after it any part is, by chance. qemu
serves the guest from a copy and logs each write and each flush of it (blklogwrites: the format of Linux's
Documentation/admin-guide/device-mapper/log-writes.rst); after a cut the log is played onto the disk.
"""

import os
import struct
import subprocess

from machine import Machine

SECTOR = 512
ENTRY = struct.Struct("<QQQQ")  # first sector, sectors, flags, bytes of data behind the entry (of a mark)
FLUSH, DISCARD, MARK = 1, 4, 8


def entries(log):
    """(flags, offset on the disk, the data's offset in the log, size) of each entry, in order."""
    end, at = os.fstat(log.fileno()).st_size, SECTOR  # behind the superblock
    while at + SECTOR <= end:
        log.seek(at)
        first, count, flags, _ = ENTRY.unpack(log.read(ENTRY.size))
        size = count * SECTOR
        if (count == 0 and flags == 0) or at + SECTOR + size > end:
            return  # it was being written
        yield flags, first * SECTOR, at + SECTOR, size
        at += SECTOR + (0 if flags & DISCARD else size)


def play(log_path, disk_path, rng):
    """Returns how many writes were kept, and how many of those behind the last flush were lost."""
    with open(log_path, "rb") as log, open(disk_path, "r+b") as disk:
        found = list(entries(log))
        flushed = max((i for i, (flags, *_) in enumerate(found) if flags & FLUSH), default=-1)
        writes = [(i <= flushed or rng.random() < 0.5, offset, at, size)
                  for i, (flags, offset, at, size) in enumerate(found) if size and not flags & (DISCARD | MARK)]
        for is_kept, offset, at, size in writes:
            if is_kept:
                log.seek(at)
                disk.seek(offset)
                disk.write(log.read(size))
    kept = sum(is_kept for is_kept, *_ in writes)
    return kept, len(writes) - kept


class VolatileDiskMachine(Machine):
    def __init__(self, work, files, rng):
        super().__init__(work, files)
        self.rng = rng
        self.kept = self.lost = 0  # writes, in all cuts

    def _disk_arguments(self):
        subprocess.run(["cp", "--sparse=always", self.disk, f"{self.work}/copy"], check=True)
        with open(f"{self.work}/writes", "wb") as log:
            log.truncate(SECTOR)
        # A flush of the host's disk would tell nothing: the log is read from the page cache.
        return ["-blockdev", f"driver=file,node-name=copy,filename={self.work}/copy,cache.no-flush=on",
                "-blockdev", f"driver=file,node-name=log,filename={self.work}/writes,cache.no-flush=on",
                "-blockdev", "driver=blklogwrites,node-name=disk,file=copy,log=log",
                "-device", "virtio-blk-pci,drive=disk,write-cache=on,discard=off,write-zeroes=off"]

    def cut_power(self):
        if self.qemu:
            super().cut_power()
            kept, lost = play(f"{self.work}/writes", self.disk, self.rng)
            self.kept += kept
            self.lost += lost
