"""`entropyguard.dedup`: whatever comes in, what stays is of the same kind, and the same rows as the command line's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import entropyguard
from entropyguard import DedupResult, dedup
from entropyguard.api.data import known_data
from entropyguard.api.result import _remove
from entropyguard.core.embed import loader
from entropyguard.core.errors import DataFormatError, EntropyguardError, InputError, LossError, UsageError
from entropyguard.project.pipeline import packaged_work
from entropyguard.run.progress import terminal_progress
from tests.conftest import TEXTS

KEPT = [0, 3, 4, 5, 6, 7, 9]
ROWS: list[dict[str, Any]] = [{"id": at, "text": text, "more": {"tags": [at]}} for at, text in enumerate(TEXTS)]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where private folders are made."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_strings_stay_strings_and_the_type_follows(model: Path) -> None:
    result = dedup(list(TEXTS), model=model)
    assert_type(result, DedupResult[list[str]])
    assert result.kept == [TEXTS[row] for row in KEPT]
    assert result.kept_rows.tolist() == KEPT
    assert dedup(tuple(TEXTS), model=model).kept == tuple(result.kept)
    assert repr(result) == "<DedupResult: 7 kept, 1 exact, 2 semantic>"


def test_every_dropped_row_has_its_stage_and_its_keeper(model: Path) -> None:
    dropped = dedup(TEXTS, model=model).dropped
    assert dropped.columns == ["row", "stage", "reason", "keeper", "final_keeper", "similarity"]
    assert dropped.drop("similarity").rows() == [
        (1, "exact_dedup", "exact", 0, 0),
        (2, "semantic_dedup", "semantic", 0, 0),
        (8, "semantic_dedup", "semantic", 7, 7),
    ]
    assert dropped["similarity"].to_list()[0] is None
    assert min(dropped["similarity"].to_list()[1:]) >= 0.95


def test_dicts_are_the_very_same_objects(model: Path) -> None:
    result = dedup(ROWS, model=model)
    assert_type(result, DedupResult[list[dict[str, Any]]])
    assert all(kept is ROWS[row] for kept, row in zip(result.kept, KEPT, strict=True))


def test_a_polars_frame_stays_one(model: Path) -> None:
    frame = pl.DataFrame(ROWS).with_columns(pl.col("text").cast(pl.Categorical))
    result = dedup(frame, model=model)
    assert_type(result, DedupResult[pl.DataFrame])
    assert result.kept.equals(frame[KEPT])
    assert result.kept.schema == frame.schema


def test_a_pandas_frame_keeps_its_index_and_its_types(model: Path) -> None:
    frame = pd.DataFrame({"n": np.arange(10, dtype="int8"), "text": TEXTS, "o": [object()] * 10})
    frame.index = pd.Index([f"r{at}" for at in range(10)], name="key")
    kept = dedup(frame, model=model).kept
    pd.testing.assert_frame_equal(kept, frame.iloc[KEPT])
    assert kept.index.name == "key"


def test_an_arrow_table_keeps_its_schema(model: Path) -> None:
    table = pa.table({"text": TEXTS, "n": pa.array(range(10), pa.int16())}).replace_schema_metadata({"a": "b"})
    table = pa.concat_tables([table.slice(0, 4), table.slice(4)])
    kept = dedup(table, model=model).kept
    assert kept.schema.equals(table.schema, check_metadata=True)
    assert kept["n"].to_pylist() == KEPT


def test_a_hugging_face_dataset_is_selected_from(model: Path) -> None:
    data = datasets.Dataset.from_list(ROWS[::-1]).select(range(9, -1, -1))
    kept = dedup(data, model=model).kept
    assert isinstance(kept, datasets.Dataset)
    assert kept["id"] == KEPT
    assert kept.features == data.features


def test_a_path_gives_a_file_of_its_format(model: Path, tmp_path: Path) -> None:
    lines = [json.dumps(row, separators=(" , ", ": ")) + "\n" for row in ROWS]
    (tmp_path / "data.jsonl").write_text("".join(lines))
    result = dedup(tmp_path / "data.jsonl", model=model)
    assert isinstance(result.kept, Path)
    assert result.kept.read_text() == "".join(lines[row] for row in KEPT)
    assert result.explain(1).row.file == str(tmp_path / "data.jsonl")

    (tmp_path / "d" / "year=2024").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "d" / "year=2024" / "data.parquet")
    found = dedup(str(tmp_path / "d"), model=model, source_column="year").kept
    assert_type(found, str)
    assert pq.read_table(found)["id"].to_pylist() == KEPT
    assert set(pq.read_table(found)["year"].to_pylist()) == {2024}


def test_rows_without_a_text_are_rejected_and_counted(model: Path) -> None:
    texts: list[Any] = [*TEXTS, None, 3, float("nan"), b"bytes", "a lone \ud800 surrogate"]
    result = dedup(texts, model=model)
    assert result.rejected["row"].to_list() == [10, 11, 12, 13]
    assert result.rejected["reason"][0] == "column 'text' is null"
    assert result.kept == [*(TEXTS[row] for row in KEPT), texts[-1]]
    assert len(result.kept) + result.dropped.height + result.rejected.height == len(texts)
    assert dedup([*ROWS, {"id": 10}, None, {"text": 3}], model=model).rejected["row"].to_list() == [10, 11, 12]


def test_a_pandas_column_of_several_types_rejects_what_is_no_text(model: Path) -> None:
    frame = pd.DataFrame({"text": pd.Series([*TEXTS, 3, None, float("nan")], dtype=object)})
    result = dedup(frame, text="text", model=model)
    assert result.kept_rows.tolist() == KEPT
    assert result.rejected["row"].to_list() == [10, 11, 12]


def test_the_text_column_is_found_as_on_the_command_line(model: Path) -> None:
    renamed = [{"id": at, "body": text} for at, text in enumerate(TEXTS)]
    for data in (renamed, pl.DataFrame(renamed), pd.DataFrame(renamed)):
        assert dedup(data, model=model).kept_rows.tolist() == KEPT
    with pytest.raises(DataFormatError, match=r"^text is needed: data has no single text column \(columns: a, b\)\.$"):
        dedup(pl.DataFrame({"a": ["x"], "b": ["y"]}), model=model)


def test_only_columns_that_decide_are_looked_at(model: Path) -> None:
    rows = [{**row, "what": object(), 3: {1, 2}, "score": np.float32(at)} for at, row in enumerate(ROWS)]
    result = dedup(rows, text="text", keep="column:score", model=model)
    assert result.kept_rows.tolist() == [2, 3, 4, 5, 6, 8, 9]


WRONG: list[tuple[dict[str, Any], type[EntropyguardError], str]] = [
    ({"threshold": 2}, UsageError, "^threshold is 2; it must be a cosine above 0 and at most 1"),
    ({"threshold": "high"}, UsageError, "^threshold is 'high'; it must be a number"),
    ({"near": -1}, UsageError, "^near is -1; it must be a word similarity from 0 to 1"),
    ({"keep": "best"}, UsageError, "^keep is 'best'; it must be first, longest, shortest, column:NAME"),
    ({"cluster": "rings"}, UsageError, "^cluster is 'rings'; it must be stars or components"),
    ({"protect": ["n"]}, UsageError, "^protect is 'n'; .* For none of them there is protect=\\[\\]"),
    ({"protect": "numbers"}, UsageError, "^protect is 'numbers'; it must be a list of strings"),
    ({"semantic": 1}, UsageError, "^semantic is 1; it must be True or False"),
    ({"threads": 0}, UsageError, "^threads is 0; it must be 1 or more"),
    ({"source_priority": ["a"]}, UsageError, "^source_column is ''; it must be the column source_priority is about"),
    ({"model": "x/y"}, UsageError, "^The model x/y is neither packaged nor a folder here. Add allow_download=True to"),
    ({"checkpoint_dir": 3}, UsageError, "^checkpoint_dir is 3; it must be a path"),
    ({"text": "body"}, DataFormatError, "^No row has a column 'body'; the first has: id, text, more"),
    (
        {"strict": True},
        DataFormatError,
        "^data, row 10: column 'text' is missing. Name the column of texts with text, or fill it. Without strict such",
    ),
    ({"max_loss": 0.2}, LossError, "^all rows: 4 of 11 rows .* more than max_loss 0.2; .* The first: data, row 10: "),
]


@pytest.mark.parametrize(("arguments", "kind", "said"), WRONG, ids=[str(one[0]) for one in WRONG])
def test_a_wrong_argument_is_named(
    arguments: dict[str, Any], kind: type[Exception], said: str, model: Path, folders: Path
) -> None:
    rows = ROWS * 2 if "max_loss" in arguments else ROWS
    with pytest.raises(kind, match=said.replace("4 of 11", "14 of 21")):
        dedup([*rows[:10], {"id": 10}, *rows[10:]], **{"model": model, **arguments})
    assert not list(folders.iterdir())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (5, "^data is a builtins.int; it must be a list of strings or of dicts, "),
        (iter(TEXTS), "^data is a builtins.list_iterator; "),
        (pl.LazyFrame({"text": TEXTS}), r"^data is a polars.LazyFrame; .* Give its collect\(\)"),
        (pd.Series(TEXTS), r"^data is a pandas.Series; .* Give its tolist\(\)"),
        (np.array(TEXTS), r"^data is a numpy.ndarray; .* Give its tolist\(\)"),
        (datasets.DatasetDict(), "^The data hold no rows"),
        ([], "^The data hold no rows"),
        ("no.jsonl", "^no.jsonl is missing"),
        (pd.DataFrame([TEXTS[:2]], columns=["text", "text"]), "^The data have several columns called 'text'"),
    ],
)
def test_data_of_another_kind_are_named_with_what_to_do(data: Any, said: str) -> None:
    with pytest.raises((UsageError, InputError, DataFormatError), match=said):
        dedup(data, text="text", semantic=False)


def test_the_private_folder_goes_with_the_result(model: Path, folders: Path) -> None:
    result = dedup(TEXTS, model=model)
    (folder,) = folders.iterdir()
    _remove(folder, os.getpid() + 1)  # as a forked process would, when it ends
    assert folder.is_dir()
    del result
    assert not folder.exists()
    with dedup(TEXTS, model=model) as closed:
        pass
    assert not list(folders.iterdir())
    assert closed.dropped.height == 3
    with pytest.raises(UsageError, match="closed"):
        closed.explain(1)


def test_an_interrupt_leaves_nothing(model: Path, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(stage: str) -> Callable[[Any], dict[str, int]]:
        if stage == "embed":
            raise KeyboardInterrupt
        return real(stage)

    real = packaged_work
    monkeypatch.setattr("entropyguard.api.private_run.packaged_work", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dedup(TEXTS, model=model)
    assert not list(folders.iterdir())


def test_the_process_is_left_as_it_was(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dedup(TEXTS, model=model, threads=1)  # polars and threadpoolctl set variables of their own when they are imported
    before = dict(os.environ), [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)], Path.cwd()
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(dedup(TEXTS, model=model).kept))
    thread.start()
    results.append(dedup(TEXTS, model=model, threads=1).kept)
    thread.join()
    assert results[0] == results[1]
    assert before == (dict(os.environ), [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)], Path.cwd())
    assert capfd.readouterr() == ("", "")


def test_the_model_that_was_used_last_stays_loaded(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(*given: Any) -> Any:
        loads.append(given)
        return load(*given)

    loads: list[Any] = []
    load = loader.load_encoder
    monkeypatch.setattr(loader, "load_encoder", counted)
    loader._forget()
    for _ in range(2):
        dedup(TEXTS, model=model)
    assert len(loads) == 1
    loader._forget()  # as in a forked process
    dedup(TEXTS, model=model)
    assert len(loads) == 2


@pytest.mark.model
def test_torch_has_as_many_threads_as_before() -> None:
    code = (
        "import threading, torch, entropyguard\n"
        "torch.set_num_threads(3)\n"
        "kept = entropyguard.dedup(['A cat sat on the mat.', 'a cat sat  on the mat.', 'Two dogs ran.']).kept\n"
        "seen = [torch.get_num_threads()]\n"
        "thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))\n"
        "thread.start(); thread.join(); print(len(kept), seen)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    assert (done.stdout, done.stderr) == ("2 [3, 3]\n", "")


def test_the_import_is_quick() -> None:
    code = "import sys, entropyguard; print([m for m in ('numpy', 'polars', 'pyarrow', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert callable(entropyguard.dedup)


def test_progress_is_shown_only_when_it_is_wanted(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def listening(stage: str) -> Any:
        shown.append(stage)
        return real(stage)

    real = terminal_progress
    monkeypatch.setattr("entropyguard.api.private_run.terminal_progress", listening)
    dedup(TEXTS, model=model)
    assert shown == []
    dedup(TEXTS, model=model, progress=True)
    assert shown == ["ingest", "exact_dedup", "near_dedup", "embed", "similar_pairs", "semantic_dedup"]


def test_vectors_can_be_kept_for_other_calls(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "vectors"
    first = dedup(TEXTS, model=model, vector_cache=cache)
    assert any(cache.rglob("*.parquet"))
    assert dedup(TEXTS[:5], model=model, vector_cache=cache).kept == first.kept[:3]


def test_of_a_nested_text_the_whole_column_is_read(tmp_path: Path) -> None:
    rows = [{"meta": {"title": "A cat.", "n": 1}, "id": 1}, {"meta.title": "no"}, {"id": 2}]
    assert known_data(rows[:1]).write(tmp_path, ["meta.title"]).read_text() == '{"meta": {"title": "A cat.", "n": 1}}\n'
    assert known_data(rows).write(tmp_path, ["meta.title"]).read_text() == '{}\n{"meta.title": "no"}\n{}\n'
    table = pq.read_table(known_data(pl.DataFrame(rows[:1])).write(tmp_path, ["meta.title"]))
    assert table.to_pylist() == [{"meta": {"title": "A cat.", "n": 1}}]
