"""exact_dedup: equal hashes, one keeper, and every row accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError
from entropyguard.core.exact.exact import ExactCounts, drop_exact_duplicates
from entropyguard.core.exact.mark import NO_PART, mark_exact_duplicates
from entropyguard.core.params import ExactParams, KeepParams
from entropyguard.core.progress import silent
from entropyguard.core.rows.hashes import AT_INGEST, HASH_FIELDS, hash_columns, spelled
from entropyguard.core.rows.normalise import hashed as text_hashes
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter

NORMAL = ExactParams(unicode="NFC", lowercase=True, whitespace=True, min_length=0)
ABOUT = {"format": "jsonl", "text_column": "text"}
SCHEMA = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])


def write_texts(
    path: Path, texts: list[str], row_ids: list[int] | None = None, hashed: ExactParams | None = AT_INGEST
) -> Path:
    """What ingest makes of the texts, with the hashes of any normalisation or none."""
    ids = row_ids or list(range(len(texts)))
    lines = [json.dumps({"n": at, "text": text}) for at, text in enumerate(texts)]
    hashes = hash_columns(*text_hashes(pl.Series(texts, dtype=pl.String), hashed)) if hashed else {}
    schema = pa.schema([*SCHEMA, *HASH_FIELDS]) if hashed else SCHEMA
    with TableWriter(path, schema, {**ABOUT, "hashed": spelled(hashed)} if hashed else ABOUT) as writer:
        writer.write(pa.table([ids, [0] * len(ids), [at + 1 for at in ids], lines, *hashes.values()], schema=schema))
    return path


def dedup(folder: Path, ingested: Path, exact: ExactParams = NORMAL, policy: str = "first") -> ExactCounts:
    return drop_exact_duplicates(
        Checkpoint(ingested),
        folder / "out.parquet",
        folder / "dropped.parquet",
        exact,
        KeepParams(policy, "", ()),
        silent,
    )


def column(path: Path, name: str) -> list[object]:
    return [value for table in Checkpoint(path).tables([name]) for value in table[name].to_pylist()]


def brute_force(hashes: list[tuple[int, int]], rank: list[int], takes_part: list[bool]) -> list[int]:
    best: dict[tuple[int, int], int] = {}
    for row in sorted(range(len(hashes)), key=lambda row: rank[row]):
        if takes_part[row]:
            best.setdefault(hashes[row], row)
    return [best[value] if takes_part[row] else NO_PART for row, value in enumerate(hashes)]


def as_hashes(pairs: list[tuple[int, int]]) -> npt.NDArray[np.uint64]:
    return np.array(pairs, dtype=np.uint64).reshape(-1, 2)


halves = st.sampled_from([0, 1, 2**63, 2**64 - 1])
rows = st.lists(st.tuples(st.tuples(halves, halves), st.booleans()), max_size=40)


@given(rows=rows, data=st.data())
def test_keepers_are_those_of_brute_force_whatever_the_cuts(
    rows: list[tuple[tuple[int, int], bool]], data: st.DataObject
) -> None:
    pairs, takes_part = [pair for pair, _ in rows], [part for _, part in rows]
    rank = data.draw(st.permutations(range(len(rows))))
    flags = np.array(takes_part, dtype=np.bool_)
    expected = brute_force(pairs, rank, takes_part)
    for chunk in (1 << 20, 3):
        found = mark_exact_duplicates(as_hashes(pairs), np.array(rank, dtype=np.int64), flags, chunk)
        assert found.tolist() == expected
        found = mark_exact_duplicates(as_hashes(pairs), None, flags, chunk)
        assert found.tolist() == brute_force(pairs, list(range(len(rows))), takes_part)


def test_rows_that_share_half_a_hash_are_no_duplicates() -> None:
    assert mark_exact_duplicates(as_hashes([(1, 2), (1, 3), (2, 2), (1, 3)])).tolist() == [0, 1, 2, 1]


def test_the_first_of_equal_texts_stays_and_keeps_its_bytes(tmp_path: Path) -> None:
    texts = [
        "The cat",
        "the  CAT ",  # duplicate of 0
        "a dog",
        "Cafe\u0301",
        "caf\u00e9",  # duplicate of 3
    ]
    ingested = write_texts(tmp_path / "in.parquet", texts, [0, 1, 3, 4, 7])
    assert dedup(tmp_path, ingested) == ExactCounts(rows=5, kept=3, min_length=0, exact=2)
    assert column(tmp_path / "out.parquet", "row_id") == [0, 3, 4]
    records = column(ingested, "record")
    assert column(tmp_path / "out.parquet", "record") == [records[0], records[2], records[3]]
    assert Checkpoint(tmp_path / "out.parquet").metadata == ABOUT
    dropped = next(Checkpoint(tmp_path / "dropped.parquet").tables()).to_pylist()
    assert dropped == [
        {"row_id": 1, "reason": "exact", "keeper_row_id": 0, "similarity": None},
        {"row_id": 7, "reason": "exact", "keeper_row_id": 4, "similarity": None},
    ]


def test_the_longest_text_as_it_is_stays(tmp_path: Path) -> None:
    ingested = write_texts(tmp_path / "in.parquet", ["a cat", "a   cat", "A CAT"])
    dedup(tmp_path, ingested, policy="longest")
    assert column(tmp_path / "out.parquet", "row_id") == [1]
    assert column(tmp_path / "dropped.parquet", "keeper_row_id") == [1, 1]


def test_the_highest_in_a_column_stays(tmp_path: Path) -> None:
    ingested = write_texts(tmp_path / "in.parquet", ["cat", "cat", "dog", "cat"])  # "n" counts up
    dedup(tmp_path, ingested, policy="column:n")
    assert column(tmp_path / "out.parquet", "row_id") == [2, 3]


def test_the_row_of_the_source_named_first_stays_and_within_it_the_policy_decides(tmp_path: Path) -> None:
    rows = [("web", "Same  text"), ("book", "same text"), ("book", "same  text "), (None, "same text")]
    lines = [json.dumps({"from": source, "text": text}) for source, text in rows]
    with TableWriter(tmp_path / "in.parquet", SCHEMA, ABOUT) as writer:
        writer.write(pa.table([range(4), [0] * 4, range(4), lines], schema=SCHEMA))
    for policy, keeper in (("first", 1), ("longest", 2), ("shortest", 1)):
        drop_exact_duplicates(
            Checkpoint(tmp_path / "in.parquet"),
            tmp_path / "out.parquet",
            tmp_path / "dropped.parquet",
            NORMAL,
            KeepParams(policy, "from", ("book",)),
            silent,
        )
        assert column(tmp_path / "out.parquet", "row_id") == [keeper]


@pytest.mark.parametrize(
    ("record", "source", "message"),
    [
        (["{}"], "origin", r"No row has the column 'origin' of --source-column"),
        ([{"text": "a", "from": [1]}], "from", r"Column 'from' of --source-column holds List\(Int64\)"),
        ([{"text": "a", "from": b"x"}], "from", r"Column 'from' of --source-column holds Binary"),
    ],
)
def test_a_source_column_that_cannot_be_one_is_told_before_the_work(
    tmp_path: Path, record: list[object], source: str, message: str
) -> None:
    table = pa.table({"row_id": [0], "file": pa.array([0], pa.int32()), "line": [1], "record": record})
    about = ABOUT if isinstance(record[0], str) else {**ABOUT, "format": "parquet"}
    with TableWriter(tmp_path / "in.parquet", table.schema, about) as writer:
        writer.write(table)
    with pytest.raises(DataFormatError, match=message):
        drop_exact_duplicates(
            Checkpoint(tmp_path / "in.parquet"),
            tmp_path / "out.parquet",
            tmp_path / "dropped.parquet",
            NORMAL,
            KeepParams("first", source, ()),
            silent,
        )


def test_a_short_row_is_dropped_and_is_nobodys_keeper(tmp_path: Path) -> None:
    exact = ExactParams(unicode="NFC", lowercase=True, whitespace=True, min_length=3)
    ingested = write_texts(tmp_path / "in.parquet", ["ab", "  ab  ", "abc", "猫猫猫", ""])
    assert dedup(tmp_path, ingested, exact) == ExactCounts(rows=5, kept=2, min_length=3, exact=0)
    dropped = next(Checkpoint(tmp_path / "dropped.parquet").tables()).to_pylist()
    assert [(row["row_id"], row["reason"], row["keeper_row_id"]) for row in dropped] == [
        (0, "min_length", None),
        (1, "min_length", None),
        (4, "min_length", None),
    ]


@pytest.mark.parametrize("hashed", [AT_INGEST, None])
@pytest.mark.parametrize("policy", ["first", "longest"])
def test_rows_with_nothing_to_compare_stay_and_are_counted(
    tmp_path: Path, hashed: ExactParams | None, policy: str
) -> None:
    texts = ["", "cat", "...", "", "cat", "...", " \u200b", "😀", "😀"]  # 4: duplicate of 1; 8: of 7
    ingested = write_texts(tmp_path / "in.parquet", texts, hashed=hashed)
    assert dedup(tmp_path, ingested, policy=policy) == ExactCounts(9, 7, 0, 2, nothing_to_compare=5)
    assert column(tmp_path / "dropped.parquet", "row_id") == [4, 8]
    assert Checkpoint(tmp_path / "dropped.parquet").metadata == {"nothing_to_compare": 5}
    exact = ExactParams(unicode="NFC", lowercase=True, whitespace=True, min_length=1)
    assert dedup(tmp_path, ingested, exact, policy) == ExactCounts(9, 2, 5, 2)
    assert column(tmp_path / "out.parquet", "row_id") == [1, 7]
    assert Checkpoint(tmp_path / "dropped.parquet").metadata == {"nothing_to_compare": 0}


def test_a_file_without_rows_gives_files_without_rows(tmp_path: Path) -> None:
    assert dedup(tmp_path, write_texts(tmp_path / "in.parquet", [])) == ExactCounts(0, 0, 0, 0)
    assert column(tmp_path / "out.parquet", "row_id") == column(tmp_path / "dropped.parquet", "row_id") == []


@pytest.mark.parametrize("hashed", [AT_INGEST, None])
def test_progress_ends_at_all_rows(tmp_path: Path, hashed: ExactParams | None) -> None:
    seen: list[tuple[int, int | None]] = []
    ingested = write_texts(tmp_path / "in.parquet", ["a", "b", "a"], hashed=hashed)
    drop_exact_duplicates(
        Checkpoint(ingested),
        tmp_path / "out.parquet",
        tmp_path / "dropped.parquet",
        NORMAL,
        KeepParams("first", "", ()),
        lambda done, total: seen.append((done, total)),
    )
    assert seen == sorted(seen)
    assert seen[-1] == (3, 3)


texts = st.lists(st.sampled_from(["a", "A", " a", "bb", "b b", "BB", "", "ccc", "...", "´", "\u0301"]), max_size=20)


@given(texts=texts, min_length=st.integers(0, 3), policy=st.sampled_from(["first", "longest", "column:n"]))
def test_every_row_is_kept_or_dropped_and_a_second_pass_drops_nothing(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], min_length: int, policy: str
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    exact = ExactParams(unicode="NFC", lowercase=True, whitespace=True, min_length=min_length)
    counts = dedup(folder, write_texts(folder / "in.parquet", texts), exact, policy)
    kept, dropped = column(folder / "out.parquet", "row_id"), column(folder / "dropped.parquet", "row_id")
    assert sorted(kept + dropped, key=str) == sorted(range(len(texts)), key=str)
    keepers = set(column(folder / "dropped.parquet", "keeper_row_id")) - {None}
    assert keepers <= set(kept)
    assert counts.rows == counts.kept + counts.min_length + counts.exact == len(texts)
    again = folder / "again"
    again.mkdir()
    assert dedup(again, folder / "out.parquet", exact, policy).kept == counts.kept


@given(
    texts=texts,
    hashed=st.sampled_from([None, AT_INGEST, ExactParams("none", lowercase=False, whitespace=False, min_length=0)]),
    exact=st.builds(ExactParams, st.sampled_from(["NFC", "NFKC", "none"]), st.booleans(), st.booleans(), st.just(1)),
)
def test_what_is_dropped_does_not_depend_on_the_hashes_that_ingest_took(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], hashed: ExactParams | None, exact: ExactParams
) -> None:
    folder, other = tmp_path_factory.mktemp("as"), tmp_path_factory.mktemp("anew")
    as_stored = dedup(folder, write_texts(folder / "in.parquet", texts, hashed=hashed), exact)
    assert as_stored == dedup(other, write_texts(other / "in.parquet", texts, hashed=None), exact)
    for name in ("out.parquet", "dropped.parquet"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()


def test_the_hashes_that_ingest_took_are_used(tmp_path: Path) -> None:
    ingested = write_texts(tmp_path / "in.parquet", ["a", "b"])
    table = pa.concat_tables(Checkpoint(ingested).tables())
    alike = table.set_column(4, table.schema.field(4), pa.array(table["hash"].to_pylist()[:1] * 2, pa.binary(16)))
    with TableWriter(ingested, table.schema, Checkpoint(ingested).metadata) as writer:
        writer.write(alike)
    assert dedup(tmp_path, ingested).exact == 1
    assert dedup(tmp_path, ingested, ExactParams("NFKC", lowercase=True, whitespace=True, min_length=0)).exact == 0
