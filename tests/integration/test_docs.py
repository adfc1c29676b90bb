# SPDX-License-Identifier: Apache-2.0
"""What users read says what the programs do: the manual pages (docs/*.scd), --help, README and the examples agree."""

import glob
import os
import re
import shlex
import subprocess

import pytest
import yaml

from harness import BUILD, TOP

COLUMNS = 80


def says(program, *arguments):
    """What it prints without an agent and without anything in its environment."""
    done = subprocess.run([f"{BUILD}/{program}", *arguments], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def text(path):
    with open(f"{TOP}/{path}") as file:
        return file.read()


def page(name):
    return text(f"docs/{name}.scd")


def entries(source):
    """The terms of a page's definition lists, each with its paragraph."""
    return re.findall(r"^(\*.*)\n((?:\t.*\n)+)", source, re.MULTILINE)


def commands():
    return re.findall(r"^  ([a-z]+)  +\S", says("hoist", "help"), re.MULTILINE)


# --- every page, every --help

@pytest.mark.parametrize("path", sorted(glob.glob(f"{TOP}/docs/*.scd")), ids=os.path.basename)
def test_page_is_in_order(path):
    with open(path) as source:
        made = subprocess.run(["scdoc"], stdin=source, capture_output=True, text=True, timeout=30)
    assert (made.returncode, made.stderr) == (0, "")
    for section in ("NAME", "SYNOPSIS", "SEE ALSO"):
        assert f".SH {section}\n" in made.stdout


def test_pages_refer_to_pages_that_are_there():
    ours = {os.path.basename(path)[:-len(".scd")] for path in glob.glob(f"{TOP}/docs/*.scd")}
    for name in ours:
        for other, section in re.findall(r"\*([a-z.-]*(?:hoist|launcher\.conf)[a-z.-]*)\*\((\d)\)", page(name)):
            assert f"{other}.{section}" in ours, f"{name} refers to {other}({section})"


@pytest.mark.parametrize("program", ["hoistd", "hoist-launcher", "hoist-pki"])  # hoist: test_cli.py
def test_help_fits_a_terminal(program):
    lines = says(program, "--help").splitlines()
    assert len(lines) >= 5
    assert [line for line in lines if len(line) > COLUMNS or line != line.rstrip()] == []


# --- hoist(1)

def test_hoist_page_has_every_command_and_alias():
    told = {command: re.findall(r"Also called: (.*)", says("hoist", "help", command)) for command in commands()}
    section = page("hoist.1").partition("# COMMANDS")[2].partition("# FLAGS")[0]
    written = {names[0]: [" ".join(names[1:])] if names[1:] else []
               for names in (re.findall(r"\*([a-z]+)\*", term) for term, _ in entries(section))}
    assert written == told


def test_hoist_page_has_every_flag_with_its_value():
    told = set()
    for command in commands():
        told |= set(re.findall(r"^  (?:-(\w),|   ) --([a-z-]+)(?: (\S+))?", says("hoist", "help", command), re.MULTILINE))
    written = set()
    for term, _ in entries(page("hoist.1").partition("# FLAGS")[2]):
        written |= set(re.findall(r"(?:\*-(\w)\*, )?\*--([a-z-]+)\*(?: _(.+?)_(?=$|,| \())?", term))
    assert written == told


def test_hoist_page_has_every_variable_of_the_environment():
    read = set()
    for path in glob.glob(f"{TOP}/src/cli/*.c"):
        read |= set(re.findall(r'"(HOIST_[A-Z_]+)"', text(os.path.relpath(path, TOP))))
    section = page("hoist.1").partition("# ENVIRONMENT")[2].partition("# EXIT STATUS")[0]
    assert set(re.findall(r"\*(HOIST_[A-Z_]+)\*", section)) == read - {"HOIST_VERSION"}


# --- hoistd(8), hoistd.yaml(5), packaging/hoistd.yaml

def flat(values, above=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{above}{key}.")
        else:
            yield above + key, value


@pytest.fixture
def defaults(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    return yaml.safe_load(says("hoistd", "--print-config", "--config", str(tmp_path / "empty.yaml")))


def hoistd_settings():
    """(key, flag, value) as hoistd --help tells them."""
    told = re.findall(r"^  (--[a-z-]+)(?: (\S+))?\n      .*\(([a-z_.]+)\)$", says("hoistd", "--help"), re.MULTILINE)
    return {(key, flag, value) for flag, value, key in told}


def test_hoistd_yaml_page_has_every_key_and_flag():
    written = re.findall(r"\*([a-z_.]+)\* \(\*(--[a-z-]+)\*(?: _(.+?)_)?\)", page("hoistd.yaml.5"))
    assert set(written) == hoistd_settings()
    assert len(written) >= 20


def test_hoistd_yaml_page_tells_the_defaults_that_are_in_force(defaults):
    defaults.pop("classes")
    in_force = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in flat(defaults)}
    for term, paragraph in entries(page("hoistd.yaml.5").partition("# CLASSES")[0]):
        keys = re.findall(r"\*([a-z_.]+)\* \(", term)
        told = re.search(r"Default: (.*)\.$", paragraph.strip().replace("\n\t", " "))[1]
        if len(keys) == 1:
            assert told == in_force.pop(keys[0], "none"), keys[0]
    assert in_force == {}


def test_hoistd_yaml_page_shows_the_classes_that_are_shipped(defaults):
    units = {"": 1, "MB": 10**6, "GB": 10**9, "MiB": 2**20, "%": 10, "s": 10**6}
    columns = {"cpu": ["cpu"], "period": ["cpu_period"], "memory": ["memory_max"], "high": ["memory_high"], "pids": ["pids_max"],
               "io": ["io_read_bps", "io_write_bps"], "iops": ["io_read_iops", "io_write_iops"]}

    def amounts(cell, keys):
        found = [int(number) * units[unit] for number, unit in re.findall(r"(\d+)([A-Za-z%]*)", cell)]
        return dict(zip(keys, found * (len(keys) // len(found)))) if found else {}

    rows = re.findall(r"^\|  (\w+)\n((?::  .*\n)+)", page("hoistd.yaml.5"), re.MULTILINE)
    written = {}
    for name, cells in rows:
        written[name] = {"swap_max": 0}
        for cell, keys in zip(cells.splitlines(), columns.values()):
            written[name].update(amounts(cell, keys))
    for limits in defaults["classes"].values():
        if "cpu_period" in limits:
            limits["cpu_period"] = int(limits["cpu_period"].removesuffix("us"))
    assert written == defaults["classes"]


def test_hoistd_yaml_page_has_every_key_of_a_class():
    keys = re.findall(r'^    CLASS_KEY\("([a-z_]+)"', text("src/agent/class.c"), re.MULTILINE)
    section = page("hoistd.yaml.5").partition("# CLASSES")[2]
    assert len(keys) >= 10
    assert [key for key in keys if f"*{key}*" not in section] == []


def test_hoistd_page_has_the_flags_that_are_no_keys():
    told = set(re.findall(r"(--[a-z-]+)", says("hoistd", "--help"))) - {flag for _, flag, _ in hoistd_settings()}
    section = page("hoistd.8").partition("# FLAGS")[2].partition("# WHO")[0]
    assert set(re.findall(r"\*(--[a-z-]+)\*", section)) == told


def test_example_of_hoistd_yaml_is_read_as_it_is_and_with_everything_in_it(tmp_path):
    example = f"{TOP}/packaging/hoistd.yaml"
    says("hoistd", "--print-config", "--config", example)
    everything = tmp_path / "everything.yaml"
    everything.write_text(re.sub(r"^( *)#( *[a-z_]+:)", r"\1\2", text("packaging/hoistd.yaml"), flags=re.MULTILINE))
    says("hoistd", "--print-config", "--config", str(everything))
    values = yaml.safe_load(everything.read_text())
    assert "build" in values.pop("classes")
    assert {key for key, _ in flat(values)} == {key for key, _, _ in hoistd_settings()}


def test_example_of_hoistd_yaml_comments_out_defaults(defaults):
    shown = re.findall(r"^#([a-z_]+): (.*)$", text("packaging/hoistd.yaml"), re.MULTILINE)
    assert len(shown) >= 5
    for key, value in shown:
        if key in defaults:
            assert str(defaults[key]) == value, key


# --- hoist-launcher(8), launcher.conf(5), packaging/launcher.conf

def launcher_flags():
    """(flags of its own, flags that are keys)"""
    told = says("hoist-launcher", "--help").partition("\nEach key of")
    return [set(re.findall(r"^  --([a-z-]+)", part, re.MULTILINE)) for part in (told[0], told[2])]


def test_launcher_pages_have_every_flag_and_key():
    own, keys = launcher_flags()
    section = page("hoist-launcher.8").partition("# FLAGS")[2].partition("# SIGNALS")[0]
    assert {flag for term, _ in entries(section) for flag in re.findall(r"\*--([a-z-]+)\*", term)} == own
    written = {key for term, _ in entries(page("launcher.conf.5")) for key in re.findall(r"\*([a-z_]+)\*", term)}
    assert written == {key.replace("-", "_") for key in keys}
    assert len(written) >= 20


def test_example_of_launcher_conf_is_read_with_everything_in_it(tmp_path):
    everything = tmp_path / "launcher.conf"
    everything.write_text(re.sub(r"^#([a-z_]+ = )", r"\1", text("packaging/launcher.conf"), flags=re.MULTILINE))
    everything.chmod(0o644)
    shown = says("hoist-launcher", "--print-config", "--config", str(everything))
    for line in re.findall(r"^[a-z_]+ = .*$", everything.read_text(), re.MULTILINE):
        assert f"\n{line}\n" in shown


# --- hoist-pki(1), README

def test_hoist_pki_page_has_every_flag():
    told = set(re.findall(r"--[a-z-]+", says("hoist-pki", "--help"))) - {"--help"}
    assert set(re.findall(r"--[a-z-]+", page("hoist-pki.1"))) == told


def shell_lines(source):
    """The command lines of hoist in code blocks, without what is behind # and what else stands on them."""
    for block in re.findall(r"^```\n(.*?)^```", source, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            match = re.match(r"(?:\$ )?(hoist .*)", line)
            if match:
                yield shlex.split(match[1], comments=True)


def test_readme_uses_commands_and_flags_that_are_there():
    lines = list(shell_lines(text("README.md")))
    assert len(lines) >= 5
    for _, command, *words in lines:
        told = says("hoist", "help", command)
        own = words[:words.index("--")] if "--" in words else words
        for flag in (word.partition("=")[0] for word in own if word.startswith("-")):
            assert re.search(rf"(^|[ ,]){re.escape(flag)}[, ]", told, re.MULTILINE), f"hoist {command} {flag}"


@pytest.mark.parametrize("path", ["README.md", "ARCHITECTURE.md", "HACKING.md", "CONTRIBUTING.md", "docs/decisions/README.md"])
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text(path))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not os.path.exists(f"{TOP}/{os.path.dirname(path)}/{link}")] == []


def test_every_decision_is_in_the_index():
    pages = sorted(os.path.basename(path) for path in glob.glob(f"{TOP}/docs/decisions/[0-9]*.md"))
    assert re.findall(r"^\| \[\d{4}\]\(([^)]*)\)", text("docs/decisions/README.md"), re.MULTILINE) == pages


@pytest.mark.parametrize("program", ["hoistd", "hoist-launcher"])
def test_what_cannot_be_printed_is_told(program):
    with open("/dev/full", "w") as full:
        done = subprocess.run([f"{BUILD}/{program}", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == f"{program}: the answer can't be written: No space left on device\n"
