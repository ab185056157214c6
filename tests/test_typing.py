"""What mypy says, in strict mode, of programs that use the library rightly and of programs that do not.

In the files of `typing/` each line of which something must be said ends in it: `# R:` and the revealed type, in
which modules are left out and the library's arrays have their names, or `# E:` and a part of the error. Of no other
line may anything be said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
from mypy import api

HERE = Path(__file__).parent
PROGRAMS = sorted((HERE / "typing").glob("*.py"))
NAMES = {
    "ndarray[tuple[Any, ...], dtype[floating[Any]]]": "Floats",
    "ndarray[tuple[Any, ...], dtype[integer[Any]]]": "Ints",
    "ndarray[tuple[Any, ...], dtype[Any]]": "Array",
}


def shortened(revealed: str) -> str:
    text = re.sub(r"\b(?:\w+\.)+(?=\w)", "", revealed)
    for long, short in NAMES.items():
        text = text.replace(long, short)
    return text


def expected(source: str) -> dict[int, list[str]]:
    """What must be said of which line, each with its "R: " or "E: "."""
    lines = enumerate(source.splitlines(), 1)
    found = {number: re.findall(r"# ([RE]: .+?)(?= # E: |$)", line) for number, line in lines}
    return {number: wanted for number, wanted in found.items() if wanted}


def differences(source: str, said: str) -> list[str]:
    """Where what was said of a program differs from what its comments expect."""
    wanted, notes = expected(source), defaultdict(list)
    reports: dict[int, list[str]] = {number: [] for number in wanted}
    for line in said.splitlines():
        match = re.fullmatch(r".+?\.py:(\d+):(?:\d+:)? (error|note): (.*)", line)
        if match is None:
            return [f"not understood: {line}"]
        number, kind, text = int(match[1]), match[2], match[3]
        if revealed := re.fullmatch(r'Revealed type is "(.+)"', text):
            reports.setdefault(number, []).append("R: " + shortened(revealed[1]))
        elif kind == "error":
            reports.setdefault(number, []).append("E: " + text)
        else:
            notes[number].append(text)
    problems = [f"line {number}: a note alone: {notes[number]}" for number in notes if not reports.get(number)]
    for number, found in sorted(reports.items()):
        whole = "\n".join(found + notes[number])  # what is missing in a user's own part is said in notes
        missing = [
            one for one in wanted.get(number, []) if (one not in found if one[0] == "R" else one[3:] not in whole)
        ]
        if missing or len(found) != len(wanted.get(number, [])):
            problems.append(f"line {number}: expected {wanted.get(number, [])}, got {found}")
    return problems


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_mypy_says_just_what_it_should(program: Path, cache: Path) -> None:
    options = ["--strict", "--no-error-summary", "--hide-error-context", "--no-pretty", "--no-color-output"]
    files = ["--config-file", str(HERE.parent / "mypy.ini"), "--cache-dir", str(cache), str(program)]
    said, trouble, _ = api.run([*options, *files])
    assert trouble == ""
    assert differences(program.read_text(), said) == []


def test_there_are_programs_of_both_kinds() -> None:
    kinds = [one[0] for program in PROGRAMS for line in expected(program.read_text()).values() for one in line]
    assert kinds.count("R") > 50
    assert kinds.count("E") > 30


SOURCE = "x = f()\nreveal_type(x)  # R: Params\ng(1)  # E: bad type # E: bad number\n"
RIGHT = ['2: note: Revealed type is "fnn.params.Params"', "3: error: A bad type  [a]", "3: error: A bad number  [b]"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (RIGHT, None),
        ([*RIGHT, "3: note: This is because"], None),
        ([RIGHT[0], "3: error: No", "3: note: A bad type", RIGHT[2]], None),
        (['2: note: Revealed type is "Any"', *RIGHT[1:]], "line 2: expected ['R: Params'], got ['R: Any']"),
        (['2: note: Revealed type is "list[fnn.Params]"', *RIGHT[1:]], "got ['R: list[Params]']"),
        (["2: error: R: Params", *RIGHT[1:]], "line 2: expected ['R: Params'], got ['E: R: Params']"),
        (RIGHT[1:], "line 2: expected ['R: Params'], got []"),
        (RIGHT[:2], "line 3: expected ['E: bad type', 'E: bad number'], got ['E: A bad type  [a]']"),
        ([*RIGHT, "3: error: More"], "line 3: expected"),
        ([*RIGHT, "1: error: Bad"], "line 1: expected [], got ['E: Bad']"),
        ([*RIGHT, '1: note: Revealed type is "int"'], "line 1: expected [], got ['R: int']"),
        ([*RIGHT, "1: note: Hm"], "line 1: a note alone: ['Hm']"),
        ([*RIGHT, " trouble"], "not understood: a.py: trouble"),
    ],
)
def test_differences_are_noticed(said: list[str], problem: str | None) -> None:
    found = differences(SOURCE, "".join(f"a.py:{line}\n" for line in said))
    assert (found == []) if problem is None else any(problem in one for one in found)
