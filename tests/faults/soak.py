"""`python -m tests.faults.soak [COUNT] [SEED]`: kills at random moments, each followed by --resume.

In each round some stages have to be built; at a random moment one of the run's processes, or all of them, are
killed; the run is resumed, and must give the clean build's bytes without running a stage before the fault again.
Prints how many were survived, by who was killed and what ran at that moment; ends with 1 if any was not.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from entropyguard.project.pipeline import STAGES
from tests.faults.harness import Bench, build_clean
from tests.static_model import write_static_model

VICTIMS = ("stage", "dvc", "cli", "group", "all")
BETWEEN = "between stages"
ENDED = "after the end"


def main(count: int = 200, seed: int | None = None) -> int:
    """Kill `count` times; the exit code."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    tried: Counter[tuple[str, str]] = Counter()
    survived: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        root = Path(folder)
        (root / "clean").mkdir()
        clean = build_clean(root / "clean", write_static_model(root / "model"))
        bench = Bench(root / "bench", clean)
        while tried.total() < count:
            first = chance.choice(STAGES)
            victim = chance.choice(VICTIMS)
            moment, running = _kill_once(bench, first, victim, chance)
            if moment == ENDED:
                continue
            tried[victim, moment] += 1
            try:
                bench.assert_no_process_left()
                bench.assert_survives(running)
                survived[victim, moment] += 1
            except AssertionError as failure:
                say(f"NOT SURVIVED: {victim} killed, {moment}, from {first} on: {failure}")
                shutil.rmtree(bench.folder)
                bench = Bench(root / "bench", clean)
            say(f"{survived.total()} of {tried.total()} survived", end="\r")
    say(table(tried, survived, VICTIMS))
    say(f"{survived.total()} of {tried.total()} kills survived (seed {seed})")
    return int(survived.total() < tried.total())


def _kill_once(bench: Bench, first: str, victim: str, chance: random.Random) -> tuple[str, str]:
    """Have `first` and the stages after it built, and kill at a random moment.

    What was running then, and the first stage that may run again.
    """
    if first == STAGES[0]:
        bench.empty()
    else:
        bench.unbuild(*STAGES[STAGES.index(first) :])
    process = bench.start()
    time.sleep(chance.uniform(0.5, 2.0 + 1.0 * (len(STAGES) - STAGES.index(first))))
    processes = bench.processes()
    at_work = [stage for stage in STAGES if any(f"stages/{stage}.py" in command for command in processes.values())]
    for pid in _pids(processes, victim, process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    code, _ = bench.finish(process)
    if code == 0:
        return ENDED, first
    return (at_work[0], at_work[0]) if at_work else (BETWEEN, first)


def _pids(processes: dict[int, str], victim: str, command_line: int) -> list[int]:
    """The processes to kill: those of the kind, or the command line where there is none of it just now."""
    stages = [pid for pid, command in processes.items() if "stages/" in command]
    dvc = [pid for pid, command in processes.items() if "project.process" in command]
    kinds = {"stage": stages, "dvc": dvc, "cli": [command_line], "group": dvc + stages, "all": [*processes]}
    return kinds[victim] or [command_line]


def table(tried: Counter[tuple[str, str]], survived: Counter[tuple[str, str]], victims: Sequence[str]) -> str:
    """How many were survived of those that were tried, by victim and moment."""
    moments = [*STAGES, BETWEEN]
    lines = ["killed".ljust(8) + "".join(moment.rjust(16) for moment in moments)]
    for victim in victims:
        cells = [f"{survived[victim, moment]}/{tried[victim, moment]}" for moment in moments]
        lines.append(victim.ljust(8) + "".join(cell.rjust(16) for cell in cells))
    return "\n".join(lines)


def say(text: str, end: str = "\n") -> None:
    """A line on stdout, at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
