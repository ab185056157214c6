"""The README's code runs as it stands, and prints the numbers beside it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)
FROM_TRAINING = {"0.9722", "0.9500", "0.9700"}  # which another processor's last bits may change
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e-?\d+)?")


def promised(block: str) -> list[str]:
    """What the comments behind the prints say, in order."""
    return [line.split("#", 1)[1].strip() for line in block.splitlines() if line.startswith("print(") and "#" in line]


def same(printed: str, comment: str) -> bool:
    """The same text, with numbers that come from training within 0.01."""
    if NUMBER.sub("", printed) != NUMBER.sub("", comment):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(comment), strict=True)
    return all(a == b or (b in FROM_TRAINING and abs(float(a) - float(b)) <= 0.01) for a, b in pairs)


@pytest.mark.parametrize(
    ("printed", "comment", "is_same"),
    [
        ("0.9722222", "0.9722", True),
        ("0.9611", "0.9722", False),
        ("Params(4,938 float32 numbers)", "Params(4,939 float32 numbers)", False),
        ("True", "False", False),
        ("[1. 1.]", "[1. 1.]", True),
    ],
)
def test_the_comparison_is_one(printed: str, comment: str, is_same: bool) -> None:
    assert same(printed, comment) is is_same


def test_every_block_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "readme"}
    checked = 0
    for block in BLOCKS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block, "README.md", "exec"), names)
        comments = promised(block)
        if comments:
            for line, comment in zip(out.getvalue().splitlines(), comments, strict=True):
                assert same(line, comment), f"{line!r} is not {comment!r}"
                checked += 1
        else:
            assert out.getvalue().startswith("epoch    loss")
    assert checked == 7


def test_the_first_code_is_within_ten_lines_and_the_whole_within_two_hundred() -> None:
    lines = README.splitlines()
    assert lines[4] == "```python"
    assert len(BLOCKS[0].splitlines()) <= 10
    assert BLOCKS[0].splitlines()[-1].startswith("print(")
    assert len(lines) <= 200
