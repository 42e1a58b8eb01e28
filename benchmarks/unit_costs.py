"""What a row costs in each stage: in its units, which any number of machines share, and in the driver, of which there
is one. For the cost model of docs/scale.md (`cost_model.py`).

    python benchmarks/unit_costs.py --rows 300000 600000 --out costs.json FILE.parquet ... [--model FOLDER]

Processor time. The units of a stage are done before the driver goes on, one after the other, so that the two are told
apart; a row group that the driver compresses meanwhile counts where it falls.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from corpora import distinct, read_texts, write_rows
from measure import print_table
from speed_near import texts_to

from entropyguard.api.private_run import PrivateRun
from entropyguard.core.ingest.inputs import find_input
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import silent
from entropyguard.project.pipeline import STAGES, packaged_work
from entropyguard.run.memory import PeakMemory
from entropyguard.run.request import Request
from entropyguard.run.settings import params_of


class TimedPool(InlinePool):
    """Does all units before it gives back the first result, and notes what each took."""

    workers = 2  # it gains where others would

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def map(self, work: Any, units: Sequence[Any], *_: Any, **__: Any) -> Generator[Any]:
        results = []
        for unit in units:
            start = time.process_time()
            results.append(work(unit, silent))
            self.seconds.append(time.process_time() - start)
        yield from results


class SpreadRun(PrivateRun):
    """A run that cuts its work into units wherever it can."""

    def spread(self, threads: int = 1) -> Spread | None:  # noqa: ARG002
        return Spread(self.pool, self.folder / "units")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rows", nargs="+", type=int, default=[300_000, 600_000])
    parser.add_argument("--model", default=None, help="a model's folder [the packaged one]")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), help="of which the figures are wanted")
    parser.add_argument("--out", type=Path, required=True, help="where the figures go, as JSON")
    arguments = parser.parse_args()
    real = distinct(text for file in arguments.files for text in read_texts(file, "text"))
    found = []
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            data = write_rows(Path(folder) / "data.jsonl", texts_to(rows, real))
            found += run_all(data, Path(folder) / "run", rows, arguments.model, arguments.stages)
    arguments.out.write_text(json.dumps({"machine": machine(), "stages": found}, indent=1) + "\n", encoding="utf-8")
    header = ["stage", "rows", "units", "us a row, units", "us a row, driver", "slowest unit s", "driver peak B a row"]
    print_table("What a row costs", [*header, "bytes written a row"], [line(one) for one in found])


def run_all(data: Path, folder: Path, rows: int, model: str | None, stages: Sequence[str]) -> list[dict[str, Any]]:
    """Run the stages one after the other, each in a process of its own."""
    folder.mkdir()
    request = Request(str(data), str(folder / "cleaned.jsonl"), text_column="text", model_name=model, threads=1)
    sources = find_input(str(data)).sources
    params = dataclasses.replace(params_of(request, sources), input=str(data))
    found = []
    for stage in STAGES:
        run = SpreadRun(folder, params, request, [str(data)], watched=False)
        figures = in_a_process(stage, run, folder)
        if stage in stages:
            found.append({"stage": stage, "rows": rows, "input_bytes": data.stat().st_size, **figures})
        print(json.dumps(found[-1]) if stage in stages else stage, flush=True)
    shutil.rmtree(folder)
    return found


def in_a_process(stage: str, run: PrivateRun, folder: Path) -> dict[str, Any]:
    """The figures of one stage. In a child, so that its memory is its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(measured(stage, run, folder)).encode())
            os._exit(0)
        finally:  # of an error the parent hears by the exit code
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    if os.waitpid(child, 0)[1] != 0 or not said:
        raise SystemExit(f"{stage} failed")
    figures: dict[str, Any] = json.loads(said)
    return figures


def measured(stage: str, run: PrivateRun, folder: Path) -> dict[str, Any]:
    """The figures of one stage, run here."""
    before = written(folder)
    run.pool = pool = TimedPool()
    start = time.process_time()
    with PeakMemory() as peak:
        packaged_work(stage)(run)
    seconds, units = time.process_time() - start, pool.seconds
    return {
        "seconds": seconds,
        "units": len(units),
        "unit_seconds": sum(units),
        "slowest_unit": max(units, default=0.0),
        "median_unit": float(np.median(units)) if units else 0.0,
        "peak_bytes": peak.bytes(),
        "written_bytes": written(folder) - before,
    }


def written(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def machine() -> str:
    """The processor's name."""
    for row in Path("/proc/cpuinfo").read_text().splitlines():
        if row.startswith("model name"):
            return row.partition(":")[2].strip()
    return platform.processor()


def line(one: dict[str, Any]) -> list[object]:
    rows = one["rows"]
    driver = one["seconds"] - one["unit_seconds"]
    per_row = [one["unit_seconds"] / rows * 1e6, driver / rows * 1e6]
    return [
        one["stage"],
        f"{rows:,}",
        one["units"],
        *(f"{value:.2f}" for value in per_row),
        f"{one['slowest_unit']:.2f}",
        f"{one['peak_bytes'] / rows:.0f}",
        f"{one['written_bytes'] / rows:.0f}",
    ]


if __name__ == "__main__":
    main()
