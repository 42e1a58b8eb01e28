"""The pool of one machine: what comes of units is the same in one process and in several, whatever happens to these."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entropyguard.core.errors import DataFormatError, ProcessingError
from entropyguard.core.pool.local import LocalPool
from tests.pool import units as made
from tests.pool.units import Unit, contents, units

SQUARES = [str(number**2) for number in range(12)]


@pytest.fixture
def pool() -> Iterator[LocalPool]:
    """Two processes, ended after the test."""
    with closing(LocalPool(2)) as made:
        yield made


def children() -> set[int]:
    """The processes that this one started and that still run."""
    task = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in task.read_text().split()}


def writers(folder: Path) -> set[int]:
    """The processes that began a unit in the folder."""
    return {int(pid) for noted in folder.glob("*.tries") for pid in noted.read_text().split()}


def test_two_processes_do_what_one_does(pool: LocalPool, tmp_path: Path) -> None:
    heard: list[tuple[int, float]] = []
    done = pool.map(made.square, units(tmp_path), lambda unit, share: heard.append((unit.number, share)))
    assert contents(list(done)) == SQUARES
    assert sorted(heard) == [(number, 1.0) for number in range(12)]
    assert len(writers(tmp_path)) == 2
    assert os.getpid() not in writers(tmp_path)
    (tmp_path / "inline").mkdir()
    assert contents(list(LocalPool(1).map(made.square, units(tmp_path / "inline")))) == SQUARES


@pytest.mark.parametrize(("count", "threaded", "workers"), [(1, False, 2), (4, True, 2), (4, False, 1)])
def test_no_process_is_started_where_it_gains_nothing(tmp_path: Path, count: int, threaded: bool, workers: int) -> None:
    before = children()
    with closing(LocalPool(workers)) as pool:
        assert len(list(pool.map(made.square, units(tmp_path, count), threaded=threaded))) == count
        assert children() == before
    assert writers(tmp_path) == {os.getpid()}


def test_processes_are_kept_for_the_next_map_and_then_ended(tmp_path: Path) -> None:
    before = children()
    with closing(LocalPool(2)) as pool:
        list(pool.map(made.square, units(tmp_path)))
        kept = children() - before
        list(pool.map(made.slow_square, units(tmp_path)))
        assert children() - before == kept == writers(tmp_path)
    assert children() == before


def test_a_map_may_stand_in_the_loop_of_another(pool: LocalPool, tmp_path: Path) -> None:
    for folder in (tmp_path / "inner", tmp_path / "outer"):
        folder.mkdir()
    for path in pool.map(made.slow_square, units(tmp_path / "outer", 4)):
        inner = pool.map(made.square, units(tmp_path / "inner", 3))
        assert contents(list(inner)) == ["0", "1", "4"]
        assert path.exists()


def test_a_process_uses_one_core(pool: LocalPool, tmp_path: Path) -> None:
    assert set(pool.map(made.threads, units(tmp_path, 2))) == {("1", 1)}


def test_a_killed_process_changes_nothing(pool: LocalPool, tmp_path: Path) -> None:
    assert contents(list(pool.map(made.die_once, units(tmp_path)))) == SQUARES
    first, second = Unit(3, tmp_path).tries
    assert first != second


def test_a_unit_that_fails_is_done_again_elsewhere(pool: LocalPool, tmp_path: Path) -> None:
    assert contents(list(pool.map(made.raise_once, units(tmp_path)))) == SQUARES
    for number in range(0, 12, 3):
        first, second = Unit(number, tmp_path).tries
        assert first != second


def test_a_unit_that_fails_three_times_ends_the_work_and_is_named(pool: LocalPool, tmp_path: Path) -> None:
    said = r"^number 3 failed 3 times, the last time on process \d+: ValueError: three is no number\. Run again"
    with pytest.raises(ProcessingError, match=said) as raised:
        list(pool.map(made.raise_always, units(tmp_path)))
    assert "in raise_always" in str(raised.value.__cause__.__notes__)  # type: ignore[union-attr]
    assert len(Unit(3, tmp_path).tries) == 3


def test_a_unit_that_kills_three_processes_is_named_and_no_other(pool: LocalPool, tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match=r"^number 3 failed .* its process was ended by SIGKILL, as happens"):
        list(pool.map(made.die_always, units(tmp_path)))
    assert len(Unit(3, tmp_path).tries) == 3


def test_an_error_of_ours_ends_the_work_at_once_as_itself(pool: LocalPool, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"^data\.jsonl, line 3 is no JSON\.$"):
        list(pool.map(made.refuse, units(tmp_path, 200)))
    assert len(Unit(3, tmp_path).tries) == 1
    assert_stopped(tmp_path)


def test_a_full_disk_ends_the_work_at_once_as_itself(pool: LocalPool, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as raised:
        list(pool.map(made.fill_disk, units(tmp_path)))
    assert raised.value.filename == "/big/part"
    assert len(Unit(3, tmp_path).tries) == 1


def test_closing_early_ends_what_is_under_way(pool: LocalPool, tmp_path: Path) -> None:
    results = pool.map(made.slow_square, units(tmp_path, 200))
    next(results)
    results.close()
    assert_stopped(tmp_path)
    assert contents(list(pool.map(made.square, units(tmp_path)))) == SQUARES  # and the pool is as good as new


def assert_stopped(folder: Path) -> None:
    """No file appears any more, and few have."""
    before = sorted(folder.iterdir())
    time.sleep(0.3)
    assert sorted(folder.iterdir()) == before
    assert len(before) < 50


SCRIPT = """
import sys
from pathlib import Path
from entropyguard.core.pool.local import LocalPool
from tests.pool.units import units, wait_for_ever
list(LocalPool(2).map(wait_for_ever, units(Path(sys.argv[1]))))
"""


def test_processes_end_with_the_one_that_started_them_however_it_ends(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    driver = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=root)
    wait_until(lambda: len(writers(tmp_path)) == 2)
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in writers(tmp_path)))


def wait_until(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
