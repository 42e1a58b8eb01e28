"""What 10^8, 10^9 and 10^10 rows would take on 1, 16 and 256 machines, by what a row costs (`unit_costs.py`).

    python benchmarks/cost_model.py costs.json [--cores 16] [--embed-us 20000 | --gpu-rows 5000]

A stage takes the processor time of its units, shared among all cores, and that of the driver, of which there is one;
the two do not overlap here, so the truth is somewhat better. Where two numbers of rows were measured, the time of the
units grows with the power that lies between them, and memory and bytes with the difference.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import print_table

ROWS = (10**8, 10**9, 10**10)
NODES = (1, 16, 256)


@dataclass(frozen=True)
class Cost:
    """Of one stage: seconds and bytes. power: of the rows, with which the time of the units grows."""

    stage: str
    at_rows: int
    unit_seconds: float
    power: float
    driver_seconds_a_row: float
    driver_bytes_a_row: float
    written_bytes_a_row: float

    def units(self, rows: int) -> float:
        """Processor seconds of all units."""
        return float(self.unit_seconds * (rows / self.at_rows) ** self.power)

    def seconds(self, rows: int, cores: int) -> float:
        """What the stage takes with so many cores."""
        return self.units(rows) / cores + self.driver_seconds_a_row * rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("costs", type=Path)
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument("--embed-us", type=float, default=None, help="of a core for a row, with another model")
    parser.add_argument("--gpu-rows", type=float, default=None, help="rows a second that a machine's GPU embeds")
    arguments = parser.parse_args()
    measured = json.loads(arguments.costs.read_text(encoding="utf-8"))
    costs = costs_of(measured["stages"])
    if arguments.embed_us:
        costs = [_embedding_in(c, arguments.embed_us) if c.stage == "embed" else c for c in costs]
    print(f"Measured on {measured['machine']}; {arguments.cores} cores a machine.")
    each = [[c.stage, *(f"{x:,.2f}" for x in per_row(c)), f"{c.driver_bytes_a_row:,.0f}"] for c in costs]
    header = ["stage", "units, us a row", "power of the rows", "driver, us a row", "driver, bytes a row"]
    print_table("What a row costs", header, each)
    for rows in ROWS:
        lines = [[c.stage, *(hours(seconds(c, rows, nodes, arguments)) for nodes in NODES)] for c in costs]
        totals = [hours(sum(seconds(c, rows, nodes, arguments) for c in costs)) for nodes in NODES]
        memory = max(c.driver_bytes_a_row for c in costs) * rows
        disk = sum(c.written_bytes_a_row for c in costs) * rows
        title = f"{rows:.0e} rows: driver {memory / 1e9:,.0f} GB of memory, {disk / 1e12:,.1f} TB written"
        print_table(title, ["hours", *(f"{nodes} machines" for nodes in NODES)], [*lines, ["all", *totals]])


def _embedding_in(cost: Cost, microseconds: float) -> Cost:
    return dataclasses.replace(cost, unit_seconds=cost.at_rows * microseconds / 1e6, power=1.0)


def costs_of(stages: list[dict[str, Any]]) -> list[Cost]:
    """A cost for each stage, from the smallest and the largest number of rows it was measured with."""
    costs = []
    for name in dict.fromkeys(one["stage"] for one in stages):
        few, *_, many = sorted((one for one in stages if one["stage"] == name), key=lambda one: one["rows"])
        rows = many["rows"] - few["rows"]
        power = 1.0
        if few["unit_seconds"] > 0:
            grown = math.log(many["unit_seconds"] / few["unit_seconds"])
            power = max(1.0, grown / math.log(many["rows"] / few["rows"]))
        driver = [one["seconds"] - one["unit_seconds"] for one in (few, many)]
        slopes = [max(0.0, many[what] - few[what]) / rows for what in ("peak_bytes", "written_bytes")]
        costs.append(
            Cost(name, many["rows"], many["unit_seconds"], power, max(0.0, driver[1] - driver[0]) / rows, *slopes)
        )
    return costs


def per_row(cost: Cost) -> list[float]:
    """Microseconds of units a row, as measured; the power; microseconds of the driver a row."""
    return [cost.unit_seconds / cost.at_rows * 1e6, cost.power, cost.driver_seconds_a_row * 1e6]


def seconds(cost: Cost, rows: int, nodes: int, arguments: argparse.Namespace) -> float:
    """What a stage takes on so many machines; embed on their GPUs, where they have any."""
    if cost.stage == "embed" and arguments.gpu_rows:
        return float(rows / arguments.gpu_rows / nodes + cost.driver_seconds_a_row * rows)
    return cost.seconds(rows, nodes * arguments.cores)


def hours(value: float) -> str:
    return f"{value / 3600:,.1f}"


if __name__ == "__main__":
    main()
