"""Arrow IPC files, and the folders of them that Hugging Face's `datasets` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.ingest import arrow_files
from entropyguard.core.ingest.inputs import find_input
from entropyguard.core.rows.text import schema_of
from tests.ingest.test_ingest import params, read, typed_table


def write_stream(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def save_dataset(folder: Path, *shards: pa.Table) -> None:
    """A folder as `save_to_disk` of datasets 4 lays it out."""
    names = [f"data-{at:05d}-of-{len(shards):05d}.arrow" for at in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        write_stream(folder / name, shard)
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "0123456789abcdef",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text('{"citation": "", "description": "", "features": {}}')


def texts(*values: str) -> pa.Table:
    return pa.table({"text": list(values)})


@pytest.mark.parametrize("at_once", [1, 8_192])
def test_typed_columns_come_through_as_from_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(arrow_files, "_ROWS_AT_ONCE", at_once)
    table = typed_table()
    feather.write_feather(table, tmp_path / "a.feather", compression="lz4")
    write_stream(tmp_path / "a.arrow", table)
    pq.write_table(table, tmp_path / "a.parquet")
    expected = read(tmp_path / "a.parquet")
    for name in ("a.feather", "a.arrow"):
        got = read(tmp_path / name)
        assert got.table["record"].combine_chunks().equals(expected.table["record"].combine_chunks())
        assert schema_of(got.about).equals(table.schema, check_metadata=True)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"text": "a"}\n', "cannot be read as Arrow IPC or Feather"),
        (b"FEA1\0\0\0\0FEA1", "the first version of Feather"),
        (b"ARROW1\0\0rest", "cannot be read as Arrow IPC"),
    ],
)
def test_what_is_no_arrow_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.arrow").write_bytes(data)
    with pytest.raises(InputError, match=says):
        read(tmp_path / "a.arrow")


def test_a_stream_cut_off_within_a_batch_is_refused(tmp_path: Path) -> None:
    write_stream(tmp_path / "a.arrow", texts(*map(str, range(1_000))))
    data = (tmp_path / "a.arrow").read_bytes()
    (tmp_path / "a.arrow").write_bytes(data[: len(data) // 2 + 13])
    with pytest.raises(InputError, match="Check that the file is whole"):
        read(tmp_path / "a.arrow")


def test_a_type_that_checkpoints_cannot_hold_is_refused_by_column(tmp_path: Path) -> None:
    runs = pa.RunEndEncodedArray.from_arrays([2], ["a"])
    write_stream(tmp_path / "a.arrow", pa.table({"text": ["a", "b"], "odd": runs}))
    with pytest.raises(DataFormatError, match="column 'odd' holds run_end_encoded"):
        read(tmp_path / "a.arrow")


def test_a_saved_data_set_is_read_in_its_order_without_what_is_not_named(tmp_path: Path) -> None:
    save_dataset(tmp_path / "ds", texts("a", "b", "c"), texts("d"))
    write_stream(tmp_path / "ds" / "cache-0123.arrow", texts("cached"))
    assert [row["text"] for row in read(tmp_path / "ds").records] == ["a", "b", "c", "d"]
    found = find_input(str(tmp_path / "ds"))
    assert [(Path(one.path).name, one.reason) for one in found.skipped] == [
        ("cache-0123.arrow", "not named in the data set's state.json")
    ]


def test_of_several_splits_one_is_to_be_named(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save_dataset(tmp_path / "ds" / split, texts(split))
    (tmp_path / "ds" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(DataFormatError, match=r"2 splits: train, test\. Name one of them: .*ds/train"):
        read(tmp_path / "ds")
    assert read(tmp_path / "ds" / "test").records == [{"text": "test"}]
    (tmp_path / "ds" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert read(tmp_path / "ds").records == [{"text": "train"}]


def test_rows_that_an_index_picks_out_are_refused_with_the_cure(tmp_path: Path) -> None:
    save_dataset(tmp_path / "ds", texts("a"))
    state = json.loads((tmp_path / "ds" / "state.json").read_text())
    (tmp_path / "ds" / "state.json").write_text(json.dumps({**state, "_indices_data_files": [{"filename": "i.arrow"}]}))
    with pytest.raises(DataFormatError, match="flatten_indices"):
        read(tmp_path / "ds")


def test_a_file_that_the_data_set_names_and_has_not_is_missed(tmp_path: Path) -> None:
    save_dataset(tmp_path / "ds", texts("a"), texts("b"))
    (tmp_path / "ds" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(InputError, match=r"data-00001-of-00002\.arrow is missing"):
        read(tmp_path / "ds", params())


def test_dictionaries_that_change_within_a_stream_come_through(tmp_path: Path) -> None:
    batches = [pa.record_batch({"text": pa.array(part).dictionary_encode()}) for part in (["a", "b"], ["c", "a"])]
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    assert [row["text"] for row in read(tmp_path / "a.arrow").records] == ["a", "b", "c", "a"]
