"""A save that is killed, or gets Ctrl-C, at any system call: the old file or the new one is there whole."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ptrace is asked in Linux's way")

ROOT = Path(__file__).parents[1]
SWEEPS = [("save", "kill"), ("write", "ctrl-c"), ("save_run", "kill"), ("in_place", "kill"), ("remove_first", "kill")]
KILLED, CAME_THROUGH, INTERRUPTED = "-9", "0", "2"  # how the children ended
Report = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], Report]]:
    """What `tests.killing` found; all the sweeps go at once, on as many processors as there are."""
    processes = {}
    for writer, name in SWEEPS:
        command = [sys.executable, "-m", "tests.killing", writer, name, str(tmp_path_factory.mktemp("killing"))]
        pipe = subprocess.PIPE
        processes[writer, name] = subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe)

    def result(writer: str, name: str) -> Report:
        out, said = processes[writer, name].communicate(timeout=120)
        assert processes[writer, name].returncode == 0, said
        found: Report = json.loads(out)
        return found

    yield result
    for process in processes.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("writer", "cases"), [("save", {"over", "none", "link"}), ("save_run", {"over"})])
def test_killed_at_any_system_call(report: Callable[[str, str], Report], writer: str, cases: set[str]) -> None:
    found = report(writer, "kill")
    assert found.keys() == cases
    for case, sweep in found.items():
        before = "none" if case == "none" else "old"
        assert sweep["seen"].keys() == {before, "new"}  # never neither, and both sides of the change were looked at
        assert sweep["last"] == "new"
        assert sweep["ends"].keys() == {KILLED, CAME_THROUGH}
        assert sweep["ends"][CAME_THROUGH] == 1
        assert sweep["left"], "no child was killed between making its file and giving it the name"
        assert sweep["again"] == ["new"]  # the next save, with that file there
        assert sweep["other"] == []


def test_ctrl_c_at_any_system_call(report: Callable[[str, str], Report]) -> None:
    for case, sweep in report("write", "ctrl-c").items():
        before = "none" if case == "none" else "old"
        assert sweep["seen"].keys() == {before, "new"}
        assert sweep["last"] == "new"
        assert sweep["ends"].keys() == {INTERRUPTED, CAME_THROUGH}
        assert sweep["ends"][INTERRUPTED] > sweep["seen"][before], "a Ctrl-C after the change was not seen"
        assert sweep["left"] == [], "a temporary file was left behind"
        assert sweep["other"] == []


@pytest.mark.parametrize(("writer", "torn"), [("in_place", "ModelFileError"), ("remove_first", "none")])
def test_a_wrong_writer_is_found_out(report: Callable[[str, str], Report], writer: str, torn: str) -> None:
    assert report(writer, "kill")["over"]["seen"].keys() == {"old", torn, "new"}
