"""Rounds: each library makes one in turn, so that all meet the same machine, and beside them a fixed piece of work."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.processes import FNN, FNN_NUMPY, Library, Worker, WorkerEnded
from tests.benchmarks.settings import Setting

SPREAD = 1.25  # the 90 % over the 10 % quantile, from which on a machine is too noisy
ENOUGH = 9  # rounds for a verdict


@dataclass
class Timing:
    """A library's microseconds a step, round by round, and what it said of itself."""

    label: str
    times: list[float]
    warming: float  # seconds by which the first round, not counted, was longer than the median one
    version: str = ""
    threads: int = 0
    accuracy: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.times)


@dataclass
class Outcome:
    """What a setting took each library, and the yardstick between."""

    setting: Setting
    timings: list[Timing]
    yardstick: list[float]
    warnings: list[str] = field(default_factory=list)

    def of(self, label: str) -> Timing | None:
        return next((timing for timing in self.timings if timing.label == label), None)

    @property
    def others(self) -> list[Timing]:
        return [timing for timing in self.timings if timing.label not in (FNN, FNN_NUMPY)]

    def ratios(self, label: str, *to: str) -> list[float]:
        """Round by round, a library's time over the least of the others', or over that of one that is named."""
        ours = self.of(label)
        theirs = [timing for timing in self.others if not to or timing.label in to]
        if ours is None or not theirs:
            return []
        fastest = [min(times) for times in zip(*(timing.times for timing in theirs), strict=True)]
        return [mine / least for mine, least in zip(ours.times, fastest, strict=True)]


def spread(times: list[float]) -> float:
    """The 90 % quantile over the 10 % quantile."""
    if len(times) < 2:
        return 1.0
    tenths = statistics.quantiles(times, n=10, method="inclusive")
    return tenths[-1] / tenths[0]


def spreads(outcome: Outcome) -> dict[str, float]:
    """Of the yardstick's and fnn's own rounds."""
    ours = {timing.label: spread(timing.times) for timing in outcome.timings if timing not in outcome.others}
    return {"the yardstick": spread(outcome.yardstick)} | ours


def too_noisy(outcome: Outcome) -> str:
    """Why the outcome says nothing, or nothing."""
    above = [f"{name} {value:.2f}" for name, value in spreads(outcome).items() if value > SPREAD]
    if above:
        return f"Too noisy to tell: the 90 % quantile over the 10 % quantile is above {SPREAD} for {', '.join(above)}."
    rounds = len(outcome.yardstick)
    return "" if rounds >= ENOUGH else f"No verdict: {rounds} rounds, and it takes at least {ENOUGH}."


@contextmanager
def started(libraries: list[Library], *arguments: str) -> Iterator[dict[str, Worker]]:
    """The libraries' workers; one that cannot start is left out."""
    workers = {library.label: library.start(*arguments) for library in libraries}
    everyone = list(workers.values())
    try:
        for label, worker in list(workers.items()):
            try:
                worker.answer()
            except WorkerEnded:
                leave_out(workers, label)
        yield workers
    finally:
        for worker in everyone:
            worker.close()


def leave_out(workers: dict[str, Worker], label: str) -> None:
    print(f"{label}: its process ended, see above; left out.", flush=True)
    del workers[label]


def take_turns(setting: Setting, libraries: list[Library], data: str, rounds: int) -> Outcome:
    """`rounds` rounds of a setting after one that warms up."""
    yardstick = Worker("yardstick_worker", environment={"OPENBLAS_NUM_THREADS": "1"})
    yardstick.answer()
    with started(libraries, setting.to_json(), data) as workers:
        answers: dict[str, list[dict[str, float]]] = {label: [] for label in workers}
        units: list[float] = []
        for _ in range(rounds + 1):
            units.append(yardstick.turn("work")["seconds"])
            for label, worker in list(workers.items()):
                try:
                    answers[label].append(worker.turn("train"))
                except WorkerEnded:
                    leave_out(workers, label)
        outcome = Outcome(setting, [], units[1:])
        for label, worker in workers.items():
            first, *later = answers[label]
            seconds = statistics.median(answer["seconds"] for answer in later)
            times = [answer["seconds"] / answer["steps"] * 1e6 for answer in later]
            outcome.timings.append(Timing(label, times, first["seconds"] - seconds, **worker.ask("report")))
    yardstick.close()
    for label, compiled in ((FNN, True), (FNN_NUMPY, False)):
        timing = outcome.of(label)
        if timing and ("numba" in timing.version) != compiled:
            outcome.warnings.append(f"{label}: it ran with{'out' * compiled} compiled kernels, so its label is wrong.")
    return outcome
