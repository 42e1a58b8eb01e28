"""The rows that stay, in the order they came in, whatever row groups ingest put them into."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.arrays import flagged
from entropyguard.core.exact.exact import drop_exact_duplicates
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import ExactParams, IngestParams, KeepParams
from entropyguard.core.progress import silent
from entropyguard.core.rows.hashes import AT_INGEST
from entropyguard.core.rows.schemas import COLUMNS
from entropyguard.core.rows.seen_hashes import SeenHashes
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_filter import keep_rows
from entropyguard.core.storage.row_groups import StoredGroups

CASED = ExactParams("NFC", lowercase=False, whitespace=True, min_length=0)


def ingested(folder: Path, texts: list[str], group_rows: int) -> Path:
    """What ingest makes of the texts, in row groups of so many rows."""
    lines = [json.dumps({"text": text, "n": at}) + "\n" for at, text in enumerate(texts)]
    (folder / "data.jsonl").write_text("".join(lines))
    params = IngestParams("text", (), strict=False, max_line_bytes=1 << 27, encoding="utf-8")
    sources = find_sources(str(folder / "data.jsonl"))
    ingest(sources, folder / "in.parquet", folder / "rejected", params, silent, group_rows=group_rows)
    return folder / "in.parquet"


def rows_of(path: Path) -> list[tuple[int, int]]:
    """(row id, n of the record) of each row."""
    return [(row["row_id"], json.loads(row["record"])["n"]) for row in listed(path)]


def listed(path: Path) -> list[dict[str, Any]]:
    return [row for table in Checkpoint(path).tables() for row in table.to_pylist()]


@settings(deadline=None)
@given(
    texts=st.lists(st.sampled_from(["a", "A", "b", "c", "cc", "d"]), min_size=1, max_size=40),
    group=st.integers(1, 6),
    exact=st.sampled_from([AT_INGEST, CASED]),
    policy=st.sampled_from(["first", "column:n"]),
)
def test_one_of_each_text_stays_in_input_order(
    texts: list[str], group: int, exact: ExactParams, policy: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("keeping")
    out, dropped = folder / "out.parquet", folder / "dropped.parquet"
    keep = KeepParams(policy, "", ())
    counts = drop_exact_duplicates(Checkpoint(ingested(folder, texts, group)), out, dropped, exact, keep, silent)
    compared = [text.lower() if exact.lowercase else text for text in texts]
    order = range(len(texts)) if policy == "first" else reversed(range(len(texts)))
    keeper: dict[str, int] = {}
    for row in order:
        keeper.setdefault(compared[row], row)
    kept = sorted(keeper.values())
    assert rows_of(out) == [(row, row) for row in kept]
    assert [(row["row_id"], row["keeper_row_id"]) for row in listed(dropped)] == [
        (row, keeper[compared[row]]) for row in range(len(texts)) if row not in kept
    ]
    assert (counts.rows, counts.kept, counts.exact) == (len(texts), len(kept), len(texts) - len(kept))


@settings(deadline=None)
@given(
    texts=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40),
    group=st.integers(1, 6),
    flags=st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_any_rows_may_stay(
    texts: list[str], group: int, flags: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("keeping")
    source = Checkpoint(ingested(folder, texts, group))
    stays = np.array(flags[: len(texts)])
    keep_rows(source, folder / "out", COLUMNS, source.metadata, stays, silent)
    assert [row for row, _ in rows_of(folder / "out")] == np.flatnonzero(stays).tolist()


def test_row_groups_of_which_all_rows_stay_are_not_compressed_again(tmp_path: Path) -> None:
    source = ingested(tmp_path, ["a", "b", "A", "c", "d", "B", "e", "a", "b", "f", "g", "h"], 4)
    out = tmp_path / "out.parquet"
    drop_exact_duplicates(Checkpoint(source), out, tmp_path / "dropped", AT_INGEST, KeepParams("first", "", ()), silent)
    assert Checkpoint(source).group_rows == [4, 4, 4]  # a b c d, then those seen before, then e f g h
    kept = [StoredGroups(source).read(group, COLUMNS).pages for group in (0, 1, 2)]
    kept = [pages for pages in kept if b"".join(pages) in out.read_bytes()]
    assert len(kept) == 2
    assert pq.read_metadata(out).num_columns == len(COLUMNS)


@given(cuts=st.lists(st.integers(0, 60), max_size=5), keys=st.lists(st.integers(0, 80), max_size=60))
def test_what_was_seen_before_is_told(cuts: list[int], keys: list[int]) -> None:
    hashes = np.stack([np.zeros(len(keys), np.uint64), np.array(keys, np.uint64) << np.uint64(33)], axis=1)
    expected = [key in keys[:at] for at, key in enumerate(keys)]
    earlier = SeenHashes(first_slots=4, rows_at_once=8)
    edges = [0, *sorted(cuts), len(keys)]
    parts = [hashes[start:end] for start, end in pairwise(edges)]
    found = np.concatenate([earlier.seen_before(part) for part in parts])
    assert found.tolist()[: len(keys)] == expected


@given(flags=st.lists(st.booleans(), max_size=40))
def test_places_are_those_of_numpy(flags: list[bool]) -> None:
    as_array = np.array(flags, dtype=np.bool_)
    assert flagged(as_array).tolist() == np.flatnonzero(as_array).tolist()
