"""Units of which parts come: each part is made once, and what is wrong is said in the order of the units."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.core.errors import DataFormatError
from entropyguard.core.pool.pool import InlinePool, Pool
from entropyguard.core.pool.spread import PartUnit, Spread, part_unit
from tests.made_pools import SendingPool

POOLS = [InlinePool(), SendingPool()]


def write(number: int, out: Path) -> None:
    """The part of a unit: its number. Of negative ones there is none."""
    if number < 0:
        raise DataFormatError(f"{number} is below 0.")
    out.write_text(str(number))


def units(*numbers: int) -> list[PartUnit[int]]:
    return [part_unit("number", [number], f"number {number}", number) for number in numbers]


def made(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.mark.parametrize("pool", POOLS)
def test_parts_come_in_order_and_are_made_once(pool: Pool, tmp_path: Path) -> None:
    spread = Spread(pool, tmp_path)
    assert [part.read_text() for part in spread.parts(write, units(3, 1, 2))] == ["3", "1", "2"]
    before = made(tmp_path)
    damaged = next(path for path in before if path.read_text() == "1")
    damaged.write_text("4")
    assert [part.read_text() for part in spread.parts(write, units(0, 1, 2, 3))] == ["0", "1", "2", "3"]
    after = made(tmp_path)
    assert {path for path in before if after[path] != before[path]} == {damaged}


@pytest.mark.parametrize("pool", POOLS)
def test_what_is_wrong_with_an_earlier_unit_is_said_first(pool: Pool, tmp_path: Path) -> None:
    parts = Spread(pool, tmp_path).parts(write, units(1, -2, -3, 4))
    assert next(parts).read_text() == "1"
    with pytest.raises(DataFormatError, match=r"^-2 is below 0\.$"):
        next(parts)


def test_parts_that_are_not_to_be_read_are_made_again(tmp_path: Path) -> None:
    (part,) = Spread(InlinePool(), tmp_path).parts(write, units(1))
    before = part.stat().st_ino
    (again,) = Spread(InlinePool(), tmp_path, frozenset({part})).parts(write, units(1))
    assert again == part
    assert again.stat().st_ino != before


def test_a_unit_is_named_by_what_it_is_and_what_decides_it() -> None:
    (unit,) = units(7)
    assert str(unit) == "number 7"
    assert unit.name == units(7)[0].name
    assert unit.name != units(8)[0].name
