# SPDX-License-Identifier: Apache-2.0
"""How a virtual machine with Debian's cloud kernel is put together: kernel, initramfs, qemu.

It needs no KVM. Nothing of it outlives the process that starts it: qemu and its helpers die with it, however it ends.
"""

import ctypes
import glob
import os
import shutil
import signal
import socket
import subprocess
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
PR_SET_PDEATHSIG = 1


class Trouble(Exception):
    pass


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(argv, **options):
    return subprocess.Popen(argv, preexec_fn=die_with_parent, start_new_session=True, **options)


def first(what, *patterns):
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if found:
            return found[-1]
    raise Trouble(f"there is no {what} here ({' or '.join(patterns)}); tools/setup vm installs it")


def find_busybox():
    return first("busybox", "/bin/busybox", "/usr/bin/busybox")


def find_kernel():
    """The newest cloud kernel whose modules are installed too: (image, directory of its modules)."""
    image = os.environ.get("HOIST_VM_KERNEL") or first("cloud kernel", "/boot/vmlinuz-*-cloud-amd64")
    return image, first("module directory", f"/lib/modules/{os.path.basename(image)[len('vmlinuz-'):]}")


# --- the initramfs

def find_modules(tree, names):
    """Files of the modules and of all that they need, in the order of loading; what is built in needs no file."""
    needs = {}
    with open(f"{tree}/modules.dep") as file:
        for line in file:
            path, _, needed = line.partition(":")
            needs[path] = needed.split()
    by_name = {os.path.basename(path).partition(".")[0].replace("-", "_"): path for path in needs}
    order = []
    for name in names:
        path = by_name.get(name)
        # depmod names first what is to be loaded last.
        order += [each for each in ([*reversed(needs[path]), path] if path else []) if each not in order]
    return [f"{tree}/{path}" for path in order]


def read_module(path):
    """Its bytes, unpacked: busybox's insmod wants plain ones."""
    unpack = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-dc"], ".gz": ["gzip", "-dc"]}.get(os.path.splitext(path)[1])
    if unpack:
        return subprocess.run(unpack + [path], check=True, capture_output=True).stdout
    with open(path, "rb") as module:
        return module.read()


def make_initramfs(work, modules, files):
    """An archive with busybox, `init` from this folder, these modules, and `files`: {name: text}."""
    tree = f"{work}/initramfs"
    os.makedirs(f"{tree}/bin")
    os.makedirs(f"{tree}/modules")
    shutil.copy(find_busybox(), f"{tree}/bin/busybox")
    shutil.copy(f"{HERE}/init", f"{tree}/init")
    os.chmod(f"{tree}/init", 0o755)
    names = [os.path.basename(path).partition(".")[0] + ".ko" for path in modules]
    for name, path in zip(names, modules):
        with open(f"{tree}/modules/{name}", "wb") as module:
            module.write(read_module(path))
    files = {**files, "modules/order": "".join(f"{name}\n" for name in names)}
    for name, text in files.items():
        with open(f"{tree}/{name}", "w") as file:
            file.write(text)
    listed = subprocess.run(["find", "."], cwd=tree, check=True, capture_output=True).stdout
    with open(f"{work}/initrd", "wb") as archive:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, input=listed, stdout=archive, check=True)
    return f"{work}/initrd"


# --- qemu

def qemu_arguments(kernel, initrd, console, memory=1024, cpus=2):
    return ["qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-smp", str(cpus), "-m", f"{memory}M",
            "-object", f"memory-backend-memfd,id=mem,size={memory}M,share=on", "-numa", "node,memdev=mem",
            "-display", "none", "-monitor", "none", "-no-reboot", "-nodefaults", "-kernel", kernel, "-initrd", initrd,
            "-append", "console=ttyS0 quiet panic=-1", "-serial", f"file:{console}", "-device", "virtio-rng-pci"]


def port_arguments(**ports):
    """virtio-serial ports, each with the path of the socket that it is on the outside."""
    argv = ["-device", "virtio-serial-pci"]
    for name, path in ports.items():
        argv += ["-chardev", f"socket,id={name},path={path}",
                 "-device", f"virtserialport,chardev={name},name={name}"]
    return argv


def listen(path):
    """A socket that listens before qemu connects to it, so that qemu needs no waiting for us."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(1)
    return listening


class Port(threading.Thread):
    """One of the guest's virtio-serial ports, read until qemu closes it."""

    def __init__(self, path, sink):
        super().__init__(daemon=True)
        self.listening = listen(path)
        self.sink = sink

    def run(self):
        connection, _ = self.listening.accept()
        while True:
            data = connection.recv(65536)
            if not data:
                return
            self.sink(data)
