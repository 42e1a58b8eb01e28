"""near_dedup by units: done in any order, more than once, or by a run that is killed between them."""

from __future__ import annotations

import pickle
import random
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from entropyguard.core.near.near_dedup import NearCounts
from entropyguard.core.params import KeepParams
from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import Heard, R, U, Work, unheard
from entropyguard.core.progress import silent
from entropyguard.core.storage.parts import PartStore
from tests.near.made_texts import FIRST, dedup, made_texts, outputs, small_units

TEXTS = made_texts(200)


class Careless:
    """A pool that does units in any order, one in three twice; it notes what goes to and fro."""

    workers = 2

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.returned: list[bytes] = []

    def map(self, work: Work[U, R], units: Sequence[U], heard: Heard[U] = unheard, **how: object) -> Generator[R]:
        assert not any(how.values())
        chance, done = random.Random(len(units)), {}
        for at in chance.sample(range(len(units)), len(units)):
            sent = pickle.dumps((work, units[at]))
            self.sent.append(sent)
            for _ in range(chance.choice([1, 1, 2])):
                function, unit = pickle.loads(sent)  # noqa: S301  what was pickled above
                done[at] = function(unit, silent)
            self.returned.append(pickle.dumps(done[at]))
            heard(units[at], 1.0)
        yield from (done[at] for at in range(len(units)))

    def close(self) -> None:
        """There is nothing to end."""


class Killed(Careless):
    """A pool that dies after some units."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def map(self, work: Work[U, R], units: Sequence[U], heard: Heard[U] = unheard, **how: object) -> Generator[R]:
        assert not any(how.values())
        for unit in units:
            if not self.left:
                raise InterruptedError
            self.left -= 1
            yield work(unit, silent)
            heard(unit, 1.0)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[NearCounts, list[bytes]]:
    """Counts and outputs for TEXTS in one piece."""
    folder = tmp_path_factory.mktemp("expected")
    return dedup(folder, TEXTS), outputs(folder)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("keep", [FIRST, KeepParams("longest", "", ())])
def test_units_may_be_done_in_any_order_and_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: KeepParams, stored: bool
) -> None:
    counts = dedup(tmp_path, TEXTS, keep=keep)
    one_piece = outputs(tmp_path)
    small_units(monkeypatch)
    pool = Careless()
    store = PartStore(tmp_path / "near") if stored else None
    assert dedup(tmp_path, TEXTS, keep=keep, store=store, group_rows=150, pool=pool) == counts
    assert outputs(tmp_path) == one_piece
    assert len(pool.sent) > 40
    assert max(map(len, pool.sent)) < 2_000
    assert max(map(len, pool.returned)) < 500


def test_two_processes_come_to_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: tuple[NearCounts, list[bytes]]
) -> None:
    small_units(monkeypatch)
    store = PartStore(tmp_path / "near")
    with closing(LocalPool(2)) as pool:
        assert dedup(tmp_path, TEXTS, store=store, pool=pool) == expected[0]
        assert outputs(tmp_path) == expected[1]
        more = dedup(tmp_path, made_texts(250), store=store, pool=pool)  # the processes have other files open by now
    assert more.reused > 0.9 * expected[0].judged
    of_two = outputs(tmp_path)
    dedup(tmp_path, made_texts(250))
    assert outputs(tmp_path) == of_two


def test_a_run_killed_between_any_two_units_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: tuple[NearCounts, list[bytes]]
) -> None:
    small_units(monkeypatch)
    store, kills, after = PartStore(tmp_path / "near"), 0, 1
    while True:
        try:
            counts = dedup(tmp_path, TEXTS, store=store, pool=Killed(after))
            break
        except InterruptedError:
            kills += 1
            after += 7  # the bands are searched again each time
    assert kills > 5
    assert outputs(tmp_path) == expected[1]
    assert counts.judged + counts.reused == expected[0].judged
    assert counts.reused > 0
    assert len(list((tmp_path / "near").rglob("*.parquet"))) == 2


def test_finished_units_are_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: tuple[NearCounts, list[bytes]]
) -> None:
    small_units(monkeypatch)
    store, first = PartStore(tmp_path / "near"), Killed(3)
    with pytest.raises(InterruptedError):
        dedup(tmp_path, TEXTS, store=store, pool=first)
    (texts,) = [folder for folder in (tmp_path / "near").iterdir() if folder.name.startswith("texts")]
    finished = sorted(texts.iterdir())
    assert len(finished) == 3
    finished[1].write_bytes(finished[1].read_bytes()[:-1])
    pool = Careless()
    dedup(tmp_path, TEXTS, store=store, pool=pool)
    assert sum(b"stored_texts" in sent for sent in pool.sent) == len(TEXTS) // 40 - 2
    assert outputs(tmp_path) == expected[1]
    assert not texts.exists()


def test_units_of_other_rows_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_units(monkeypatch)
    others, store = TEXTS[::-1], PartStore(tmp_path / "near")
    counts = dedup(tmp_path, others)
    one_piece = outputs(tmp_path)
    with pytest.raises(InterruptedError):
        dedup(tmp_path, TEXTS, store=store, pool=Killed(30))
    assert dedup(tmp_path, others, store=store) == counts
    assert outputs(tmp_path) == one_piece
