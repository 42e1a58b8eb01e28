"""Exact duplicates found in units: the rows that are found at once."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from entropyguard.core.exact.exact import drop_exact_duplicates
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import ExactParams, IngestParams, KeepParams
from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint

Outcome = tuple[Any, bytes, bytes]
TEXTS = ["", " ", "!", *(f"text {at * at % 31}" for at in range(200)), "x", "", "Text 1", "ab"] * 2


def ingested(folder: Path) -> Checkpoint:
    """Rows that ingest has put into row groups of their own where it has seen their text, and a rejected one."""
    (folder / "a.jsonl").write_text("\n".join([*(json.dumps({"text": text}) for text in TEXTS), "{", '{"text": "x"}']))
    params = IngestParams("text", (), strict=False, max_line_bytes=1 << 20, encoding="utf-8")
    out = folder / "ingested.parquet"
    ingest(find_sources(str(folder / "a.jsonl")), out, folder / "rejected", params, silent, group_rows=9)
    return Checkpoint(out)


def outcome(
    folder: Path, spread: Spread | None, min_length: int = 0, policy: str = "first", partition_rows: int = 20
) -> Outcome:
    out, dropped = folder / "out.parquet", folder / "dropped.parquet"
    exact = ExactParams("NFC", lowercase=True, whitespace=True, min_length=min_length)
    keep = KeepParams(policy, "", ())
    source = Checkpoint(folder / "ingested.parquet")
    counts = drop_exact_duplicates(source, out, dropped, exact, keep, silent, spread, partition_rows)
    return counts, out.read_bytes(), dropped.read_bytes()


@pytest.mark.parametrize(
    ("min_length", "partition_rows"), [(0, 1), (0, 20), (1, 20), (3, 20), (1_000, 20), (0, 100), (3, 100), (1, 300)]
)
def test_partitions_find_what_is_found_at_once(min_length: int, partition_rows: int, tmp_path: Path) -> None:
    ingested(tmp_path)
    spread = Spread(InlinePool(), tmp_path / "units")
    in_units = outcome(tmp_path, spread, min_length, partition_rows=partition_rows)
    assert in_units == outcome(tmp_path, None, min_length)
    assert any((tmp_path / "units").iterdir())


@pytest.mark.parametrize(("policy", "partition_rows"), [("longest", 20), ("first", 1_000)])
def test_another_order_and_few_rows_are_compared_at_once(policy: str, partition_rows: int, tmp_path: Path) -> None:
    ingested(tmp_path)
    spread = Spread(InlinePool(), tmp_path / "units")
    assert outcome(tmp_path, spread, 0, policy, partition_rows) == outcome(tmp_path, None, 0, policy)
    assert not (tmp_path / "units").exists()


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalPool]:
    with closing(LocalPool(2)) as pool:
        yield pool


def test_two_processes_find_what_one_does(processes: LocalPool, tmp_path: Path) -> None:
    ingested(tmp_path)
    assert outcome(tmp_path, Spread(processes, tmp_path / "units")) == outcome(tmp_path, None)


class Killed(BaseException):
    pass


class DyingPool(InlinePool):
    """A pool whose process dies when it has done some units."""

    def __init__(self, left: int) -> None:
        self.left = left

    def map(self, work: Any, units: Sequence[Any], *args: Any, **more: Any) -> Generator[Any]:
        for result in super().map(work, units, *args, **more):
            self.left -= 1
            if self.left < 0:
                raise Killed
            yield result


@pytest.mark.parametrize("died", [1, 40, 60])
def test_a_killed_search_goes_on(died: int, tmp_path: Path) -> None:
    ingested(tmp_path)
    units = tmp_path / "units"
    with pytest.raises(Killed):
        outcome(tmp_path, Spread(DyingPool(died), units))
    made = {path: path.stat().st_mtime_ns for path in units.iterdir()}
    assert len(made) > died
    assert outcome(tmp_path, Spread(InlinePool(), units)) == outcome(tmp_path, None)
    assert {path: path.stat().st_mtime_ns for path in made} == made
