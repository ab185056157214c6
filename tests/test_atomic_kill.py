"""A save that is killed, or gets Ctrl-C, at any system call: the old file or the new one is there whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ptrace is asked in Linux's way")

ROOT = Path(__file__).parents[1]
PROCESSES = (["save:kill"], ["save_run:kill"], ["write:kill", "write:ctrl-c", "in_place:kill", "remove_first:kill"])
KILLED, CAME_THROUGH, INTERRUPTED = "-9", "0", "2"  # how the children ended
Report = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """What `tests.killing` found, by what it was asked for and by case; its processes go at once."""
    with ExitStack() as stack:
        processes = []
        for asked in PROCESSES:
            command = [sys.executable, "-m", "tests.killing", str(tmp_path_factory.mktemp("killing")), *asked]
            pipe = subprocess.PIPE
            process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe))
            stack.callback(process.kill)
            processes.append(process)
        found: Report = {}
        for process in processes:
            out, said = process.communicate(timeout=120)
            assert process.returncode == 0, said
            found |= json.loads(out)
        yield found


@pytest.mark.parametrize(
    ("asked", "case", "before"),
    [
        ("save:kill", "over", "old"),
        ("save_run:kill", "over", "old"),
        ("write:kill", "over", "old"),
        ("write:kill", "none", "none"),
        ("write:kill", "link", "old"),
    ],
)
def test_killed_at_any_system_call(report: Report, asked: str, case: str, before: str) -> None:
    sweep = report[asked][case]
    assert sweep["seen"].keys() == {before, "new"}  # never neither, and both sides of the change were looked at
    assert sweep["last"] == "new"
    assert sweep["ends"].keys() == {KILLED, CAME_THROUGH}
    assert sweep["ends"][CAME_THROUGH] == 1
    assert sweep["left"], "no child was killed between making its file and giving it the name"
    assert sweep["again"] == ["new"]  # the next save, with that file there
    assert sweep["other"] == []


@pytest.mark.parametrize(("case", "before"), [("over", "old"), ("none", "none"), ("link", "old")])
def test_ctrl_c_at_any_system_call(report: Report, case: str, before: str) -> None:
    sweep = report["write:ctrl-c"][case]
    assert sweep["seen"].keys() == {before, "new"}
    assert sweep["last"] == "new"
    assert sweep["ends"].keys() == {INTERRUPTED, CAME_THROUGH}
    assert sweep["ends"][INTERRUPTED] > sweep["seen"][before], "no Ctrl-C came after the change"
    assert sweep["left"] == [], "a temporary file was left behind"
    assert sweep["other"] == []


@pytest.mark.parametrize(("writer", "torn"), [("in_place", "ModelFileError"), ("remove_first", "none")])
def test_a_wrong_writer_is_found_out(report: Report, writer: str, torn: str) -> None:
    assert report[f"{writer}:kill"]["over"]["seen"].keys() == {"old", torn, "new"}
