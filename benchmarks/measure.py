"""What the benchmarks share: time and memory of a command, tables, and what they ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Measured:
    """A finished command. peak_bytes: private memory (RssAnon) of its process tree, the most that a sample saw.

    processor_seconds: user and system time of the command and of those of its children that it waited for.
    """

    seconds: float
    peak_bytes: int
    stdout: str
    processor_seconds: float


class CommandError(Exception):
    """A command that was to be measured failed; the message has the end of what it said."""


def measure(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Measured:
    """Run a command to its end; `env` is added to this process's environment. CommandError when it fails."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    start, before = time.perf_counter(), _children_seconds()
    with PeakMemory(process.pid) as peak:
        stdout, stderr = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        said = (stderr or stdout).strip()[-2000:]
        raise CommandError(f"{' '.join(map(str, command))[:300]} ended with {process.returncode}:\n{said}")
    return Measured(seconds, peak.bytes, stdout, _children_seconds() - before)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class PeakMemory:
    """Samples the private memory of a process and of all its descendants; a context manager."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, tree_bytes(self._pid))
            if self._done.wait(_SAMPLE_SECONDS):
                return


def tree_bytes(pid: int) -> int:
    """Private memory (RssAnon) of a process and its descendants now; what has ended meanwhile counts nothing."""
    total, waiting = 0, [pid]
    while waiting:
        process = Path("/proc", str(waiting.pop()))
        try:
            total += _private_bytes((process / "status").read_text(encoding="ascii", errors="replace"))
            for thread in (process / "task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text(encoding="ascii").split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def _private_bytes(status: str) -> int:
    """The RssAnon of /proc/PID/status, which counts in KiB; a process about to end has none."""
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:"))


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table: the first column to the left, all others to the right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(3, *(len(row[at]) for row in cells)) for at in range(len(header))]
    lines = ["| " + " | ".join(_padded(row, widths)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if at == 0 else ":") for at, width in enumerate(widths)) + "|"
    print(f"\n### {title}\n", lines[0], rule, *lines[1:], sep="\n", flush=True)


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def megabytes(size_bytes: int) -> str:
    """A size in whole MB (10**6 bytes)."""
    return f"{size_bytes / 1e6:,.0f}"


def print_machine(packages: Sequence[str] = ()) -> None:
    """Print the processor, the memory, and the versions of the packages that are installed here."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    fields = [line.partition(":") for line in cpuinfo.splitlines()]
    model = next((value.strip() for name, _, value in fields if name.strip() == "model name"), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fast = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in cpuinfo]
    cores = len(os.sched_getaffinity(0))
    print(f"{model}, {cores} cores ({', '.join(fast)}), {memory / 1e9:.0f} GB, Python {platform.python_version()}")
    print(", ".join(f"{name} {version(name) or 'not installed'}" for name in ("entropyguard", *packages)), flush=True)


def version(package: str) -> str | None:
    """The version installed here; None where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
