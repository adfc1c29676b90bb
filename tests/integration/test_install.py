# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where, and that a program outside of this tree can be built with it and runs."""

import json
import os
import subprocess

import pytest

from harness import BUILD, TOP

pytestmark = pytest.mark.plain

OPTIONS = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", BUILD], capture_output=True, check=True).stdout)
PREFIX, LIBDIR = (next(option["value"] for option in OPTIONS if option["name"] == name) for name in ("prefix", "libdir"))

PLACES = {
    "bin/hoist": 0o755, "bin/hoist-pki": 0o755, "sbin/hoistd": 0o755, "sbin/hoist-launcher": 0o755,
    "libexec/hoist/hoist-init": 0o755, "include/hoist/hoist.h": 0o644, f"{LIBDIR}/libhoist.a": 0o644,
    f"{LIBDIR}/pkgconfig/hoist.pc": 0o644, "share/doc/hoist/examples/hoistd.yaml": 0o644,
    "share/doc/hoist/examples/launcher.conf": 0o644,
    "lib/systemd/system/hoist.service": 0o644, "lib/systemd/system/hoist-jobs.service": 0o644,
    "lib/systemd/system/hoist.slice": 0o644,
    "lib/sysusers.d/hoist.conf": 0o644, "lib/tmpfiles.d/hoist.conf": 0o644,
    "share/man/man1/hoist.1": 0o644, "share/man/man1/hoist-pki.1": 0o644, "share/man/man5/hoistd.yaml.5": 0o644,
    "share/man/man5/launcher.conf.5": 0o644, "share/man/man8/hoistd.8": 0o644, "share/man/man8/hoist-launcher.8": 0o644,
}


def run(*argv, **options):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The prefix below a DESTDIR."""
    destination = str(tmp_path_factory.mktemp("installed"))
    run("meson", "install", "-C", BUILD, "--no-rebuild", env={**os.environ, "DESTDIR": destination})
    return destination + PREFIX


# What systemd-analyze says, from 0 (safe) to 10. The agent starts the jobs, which get what it gets.
@pytest.mark.parametrize("unit,exposure", [("hoist.service", 7.7), ("hoist-jobs.service", 2.1)])
def test_units_are_as_tight_as_they_were(installed, record_property, unit, exposure):
    told = run("systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={exposure * 10:.0f}",
               f"{installed}/lib/systemd/system/{unit}")
    record_property("exposure", told.splitlines()[-1])


@pytest.fixture
def pkg_config(installed):
    """Flags of libhoist as it lies below DESTDIR."""
    environment = {**os.environ, "PKG_CONFIG_PATH": f"{installed}/{LIBDIR}/pkgconfig",
                   "PKG_CONFIG_SYSROOT_DIR": installed.removesuffix(PREFIX)}
    return lambda *arguments: run("pkg-config", *arguments, "hoist", env=environment).split()


def test_install_puts_everything_in_its_place_and_nothing_else(installed):
    found = {}
    for directory, _, names in os.walk(installed):
        for name in names:
            path = f"{directory}/{name}"
            if not os.path.islink(path):
                found[os.path.relpath(path, installed)] = os.stat(path).st_mode & 0o777
    library = [path for path in found if path.startswith(f"{LIBDIR}/libhoist.so.")]
    assert len(library) == 1
    found.pop(library[0])
    assert found == PLACES
    for name in ("libhoist.so", "libhoist.so.0"):
        assert os.path.realpath(f"{installed}/{LIBDIR}/{name}") == os.path.realpath(f"{installed}/{library[0]}")


def test_install_programs_know_where_the_others_are(installed):
    shown = run(f"{installed}/sbin/hoist-launcher", "--print-config", env={})
    assert f"\nhoistd = {PREFIX}/sbin/hoistd\n" in shown
    assert f"\ninit = {PREFIX}/libexec/hoist/hoist-init\n" in shown


def test_install_programs_say_one_version(installed, pkg_config):
    version = pkg_config("--modversion")[0]
    for program in ("bin/hoist", "sbin/hoistd", "sbin/hoist-launcher"):
        assert run(f"{installed}/{program}", "--version").split()[1] == version


def test_install_leaves_no_path_of_the_build_in_a_program(installed):
    for program in ("bin/hoist", "sbin/hoistd", "sbin/hoist-launcher"):
        assert "RUNPATH" not in run("readelf", "-d", f"{installed}/{program}")
    assert "INTERP" not in run("readelf", "-l", f"{installed}/libexec/hoist/hoist-init")


@pytest.mark.parametrize("linked", ["shared", "static"])
def test_install_lets_a_program_be_built_with_libhoist(installed, pkg_config, tmp_path, linked):
    program = str(tmp_path / "run")
    libraries = pkg_config("--libs") + [f"-Wl,-rpath,{installed}/{LIBDIR}"]
    if linked == "static":  # libhoist alone; what it needs stays shared
        libraries = [part for flag in pkg_config("--static", "--libs")
                     for part in (["-Wl,-Bstatic", flag, "-Wl,-Bdynamic"] if flag == "-lhoist" else [flag])]
    run("cc", "-Wall", "-Wextra", "-Werror", *pkg_config("--cflags"), f"{TOP}/examples/run.c", "-o", program, *libraries)
    assert ("libhoist.so" in run("readelf", "-d", program)) == (linked == "shared")
    # The same test as the tree's own example.
    run(f"{TOP}/examples/test-run", program, f"{installed}/{LIBDIR}/libhoist.so",
        env={**os.environ, "HOIST_INIT": f"{installed}/libexec/hoist/hoist-init"})


def test_install_headers_can_be_used_from_cxx_and_strict_c(pkg_config, tmp_path):
    source = tmp_path / "use.c"
    source.write_text("#include <hoist/hoist.h>\nint main(void) { return 0; }\n")
    for compiler in (["cc", "-std=c99", "-pedantic-errors"], ["clang++", "-x", "c++", "-pedantic-errors"]):
        run(*compiler, "-Wall", "-Werror", *pkg_config("--cflags"), "-fsyntax-only", str(source))
