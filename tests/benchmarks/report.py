"""What the benchmarks say, and where: Markdown tables, the machine, and README.md between its markers."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import shlex
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIGURES = HERE / "figures"


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def spanned(values: list[float], digits: int = 2) -> str:
    """The median, with the least and the largest."""
    if not values:
        return ""
    middle, least, largest = (f"{f(values):.{digits}f}" for f in (statistics.median, min, max))
    return f"{middle} ({least} to {largest})"


def processor() -> str:
    """The processor's name, as the system says it."""
    try:
        names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def command(module: str, options: argparse.Namespace) -> str:
    """The command with its options, and words in the place of the machine's own paths."""
    parts = []
    for name, value in vars(options).items():
        if name == "python":
            parts += [f"--python {pair.split('=')[0]}={pair.split('=')[0].upper()}/bin/python" for pair in value]
        elif name == "data":
            parts += ["--data FOLDER"]
        elif value is True:
            parts += [f"--{name}"]
        elif value:
            parts += [f"--{name} " + (shlex.join(value if isinstance(value, list) else [str(value)]))]
    return " ".join([f"python -m {module}", *parts])


def conditions(module: str, options: argparse.Namespace, versions: str = "") -> str:
    """Where, when, with what and by which command."""
    system = f"{platform.system()} {platform.release()}"
    lines = [
        f"Measured on {datetime.date.today().isoformat()}: {processor()}, {os.cpu_count()} cores; {system}; "
        f"Python {platform.python_version()}" + (f"; {versions}." if versions else "."),
        "",
        "```console",
        f"$ {command(module, options)}",
        "```",
    ]
    return "\n".join(lines)


def write(marker: str, text: str) -> None:
    """Put a text into README.md between `<!-- marker -->` and `<!-- end of marker -->`."""
    path = HERE / "README.md"
    page = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise SystemExit(f"{path.name}: it must have {begin} and {end} once each.")
    before, _, rest = page.partition(begin)
    path.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    print(f"Written into {path.name}, between its markers.", file=sys.stderr)
