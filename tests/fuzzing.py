"""Files changed at random: each loads, and saved again is the same, or is refused with a ModelFileError.

`python -m tests.fuzzing --seconds 120 --seed 0` begins with whole files of every kind and changes their bytes, or their
parts with sums that are right again. What makes a jump between lines of fnn's code that nothing made before is kept, to
be changed further. Half a second and 100 MB are the most that a file may take. The smallest file of each failure is
printed, and written into the folder --keep.
"""

from __future__ import annotations

import argparse
import base64
import resource
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

import numpy as np

import fnn
from tests.fuzz_changes import CUSTOM, change, seeds
from tests.model_files import GRAMMAR

SECONDS, MEGABYTES = 0.5, 100
HOME = str(Path(fnn.__file__).parent)
LARGEST = 50_000  # bytes of a file that is changed further
FINE = ("loaded", "refused")


class Coverage:
    """The jumps between lines of fnn's own code that were ever made, while it is on."""

    def __init__(self) -> None:
        self.jumps: set[tuple[int, int, int]] = set()
        self.codes: dict[CodeType, int | None] = {}

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        number = self.codes.get(code, 0)
        if number == 0:
            number = self.codes[code] = len(self.codes) + 1 if code.co_filename.startswith(HOME) else None
        if number is None:
            return None
        last, jumps = 0, self.jumps

        def line(frame: FrameType, event: str, arg: object) -> Any:
            nonlocal last
            jumps.add((number, last, frame.f_lineno))
            last = frame.f_lineno
            return line

        return line

    def __enter__(self) -> None:
        sys.settrace(self._call)

    def __exit__(self, *args: object) -> None:
        sys.settrace(None)

    def lines(self) -> int:
        """How many lines were reached."""
        return len({(number, line) for number, _, line in self.jumps})


def outcome(loader: str, path: Path, coverage: Coverage | None = None) -> str:
    """ "loaded" or "refused"; or what is wrong."""
    load = getattr(fnn, loader)
    settings: dict[str, Any] = {"allow_nonfinite": path.stat().st_size % 2 == 0, "max_bytes": 10_000_000}
    if loader != "load_arrays":
        settings["custom"] = CUSTOM
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    try:
        if coverage is None:
            made = load(path, **settings)
        else:
            with coverage:
                made = load(path, **settings)
    except fnn.ModelFileError as error:
        made = None
        said = str(error)
        if type(error) is not fnn.ModelFileError or not GRAMMAR.fullmatch(said) or len(said) > 2500:
            return f"badly refused: {said[:300]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {str(error)[:200]}"
    seconds = time.perf_counter() - begin
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    if seconds > SECONDS:
        return "too slow"
    if megabytes > MEGABYTES:
        return "too large"
    return "refused" if made is None else _again(loader, made, path.with_name("again.npz"))


def _again(loader: str, made: Any, path: Path) -> str:
    """Whether what was loaded is the same when it is saved and loaded."""
    again: Any
    try:
        if loader == "load_arrays":
            np.savez(path, **{f"a{i}": array for i, array in enumerate(made.values())})
            made, again = tuple(made.values()), tuple(fnn.load_arrays(path, allow_nonfinite=True).values())
        elif loader == "load":
            fnn.save(path, *made, custom=CUSTOM, allow_nonfinite=True)
            again = fnn.load(path, custom=CUSTOM, allow_nonfinite=True)
        else:
            fnn.save_run(path, made, custom=CUSTOM, allow_nonfinite=True)
            again = fnn.load_run(path, custom=CUSTOM, allow_nonfinite=True)
        return "loaded" if fnn.digest(again) == fnn.digest(made) else "another digest"
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"not saved again: {type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {str(error)[:200]}"


def large(loader: str, path: Path) -> bool:
    """Whether loading allocates more than it may, used or not."""
    tracemalloc.start()
    try:
        outcome(loader, path)
        return tracemalloc.get_traced_memory()[1] > MEGABYTES * 1e6
    finally:
        tracemalloc.stop()


def smallest(loader: str, data: bytes, path: Path) -> bytes:
    """The data with all left out that the failure does not need."""

    def kind(data: bytes) -> str:
        path.write_bytes(data)
        return outcome(loader, path).partition(":")[0]

    failure, size, until = kind(data), len(data) // 2, time.monotonic() + 20
    while size and time.monotonic() < until:
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            data, at = (shorter, at) if kind(shorter) == failure else (data, at + size)
        size //= 2
    return data


def fuzz(seconds: float, seed: int, folder: Path) -> dict[tuple[str, str], bytes]:
    """The failures found in that time, each with its smallest file; says what was done."""
    random, coverage, path = Random(seed), Coverage(), folder / "file"
    wholes, counts, found = seeds(), Counter[str](), dict[tuple[str, str], bytes]()
    for loader, files in wholes.items():
        for data in files:
            path.write_bytes(data)
            said = outcome(loader, path, coverage)
            assert said == "loaded", said
    kept, first = {loader: list(files) for loader, files in wholes.items()}, coverage.lines()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        loader = random.choice(list(kept))
        data = change(random, loader, random.choice(kept[loader]), random.choice(wholes[loader]))
        path.write_bytes(data)
        jumps = len(coverage.jumps)
        said = outcome(loader, path, coverage)
        if said in FINE and len(coverage.jumps) > jumps and len(data) <= LARGEST:
            kept[loader].append(data)
            said = "too large" if large(loader, path) else said
        counts[f"{loader} {said if said in FINE else 'failed'}"] += 1
        key = loader, said.partition(": ")[0]
        if said not in FINE and len(data) < len(found.get(key, data + b"?")):
            if key not in found:
                print(f"{loader}: {said}", flush=True)
            found[key] = data
    print(f"{sum(counts.values()):,} files in {seconds:.0f} s:", dict(sorted(counts.items())))
    print(f"{first} lines reached by whole files, {coverage.lines()} in the end;", end=" ")
    print({loader: len(kept[loader]) - len(wholes[loader]) for loader in kept}, "files kept")
    return {key: smallest(key[0], data, path) for key, data in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # of the machine that a run says it was made on
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        found = fuzz(given.seconds, given.seed, Path(folder))
    for (loader, said), data in found.items():
        print(f"{loader}, {said}, {len(data)} bytes: {base64.b64encode(data[:600]).decode()}")
        if given.keep:
            given.keep.mkdir(exist_ok=True)
            (given.keep / f"{loader}-{said.replace('/', '_')[:60]}").write_bytes(data)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
