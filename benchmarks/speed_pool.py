"""What it costs to have units done elsewhere: in processes of this machine, and by Ray on this machine.

    python benchmarks/speed_pool.py [--units 40] [--seconds 0.25] [--repeat 3] [--empty 2000]

Units keep a core busy for a given time. Each pool does all of them `--repeat` times, the pools taking turns, after a
round that starts its processes; the best time counts, since other work on the machine can only add to it. The driver's
own processor time is that of a whole round. Then units that do nothing, for the rate at which each pool hands them out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from measure import print_machine, print_table
from pool_units import nothing, turn

from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import Pool
from entropyguard.core.pool.ray_pool import RayPool


def rounds(pools: dict[str, Pool], units: Sequence[int], repeat: int) -> dict[str, tuple[float, float, float]]:
    """Of each pool's best round: seconds, the driver's processor time, and that of the units."""
    best: dict[str, tuple[float, float, float]] = {}
    for pool in pools.values():
        list(pool.map(turn, units[:4]))
    for _ in range(repeat):
        for name, pool in pools.items():
            began, processor = time.monotonic(), time.process_time()
            inside = sum(pool.map(turn, units))
            one = time.monotonic() - began, time.process_time() - processor, inside
            best[name] = min(one, best.get(name, one))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--empty", type=int, default=2_000)
    given = parser.parse_args()
    print_machine()
    turns = int(given.seconds / min(turn(20_000, lambda done, total: None) for _ in range(5)) * 20_000)
    with tempfile.TemporaryDirectory() as folder, closing(LocalPool(2)) as two:
        here = LocalPool(1)
        table = []
        for cores in (1, 2):
            ray = RayPool("local", Path(folder), print, cores)
            with closing(ray):
                pools: dict[str, Pool] = {"inline": here, f"Ray, {cores} of its workers": ray}
                if cores == 2:
                    pools["2 processes"] = two
                found = rounds(pools, [turns] * given.units, given.repeat)
                base = found["inline"]
                for name, (seconds, driver, inside) in found.items():
                    ratio = f"{base[0] / seconds:.2f}"
                    table.append([name, f"{seconds:.2f}", ratio, f"{driver:.3f}", f"{inside:.2f}"])
                if cores == 2:
                    for name, pool in pools.items():
                        print(name, empty_rate(pool, given.empty))
        print_table(["pool", "seconds", "times as fast as inline", "driver's processor s", "units' processor s"], table)
    sys.stdout.flush()


def empty_rate(pool: Pool, units: int) -> str:
    began, processor = time.monotonic(), time.process_time()
    count = sum(1 for _ in pool.map(nothing, range(units)))
    rate = count / (time.monotonic() - began)
    return f"{rate:,.0f} empty units a second; {(time.process_time() - processor) / count * 1e6:,.0f} µs of the driver each"


if __name__ == "__main__":
    main()
