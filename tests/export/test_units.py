"""Export in units: the bytes of one writing from the first row to the last, whoever makes the pieces."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError, EntropyguardError
from entropyguard.core.export import parquet_out, record_rows, typed_lines, units, writers
from entropyguard.core.export.json_schema import MisfitError, common_schema, parse_row, schema_of_shapes
from entropyguard.core.export.shapes import as_json, from_json, joined, shapes_of
from entropyguard.core.export.typed_lines import UntypedError
from entropyguard.core.export.writers import write_records
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.params import OUTPUT_FORMATS
from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from tests.ingest.test_ingest import params

TYPED = ["csv", "tsv.gz", "csv.zst", "parquet", "arrow", "arrows"]
LINES = [name for name in OUTPUT_FORMATS if name.startswith("jsonl")]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Few rows make a slice and a row group, so that these end everywhere; not where other processes cut slices."""
    for module in (typed_lines, record_rows) if "processes" not in request.fixturenames else ():
        monkeypatch.setattr(module, "LINES_AT_ONCE", 3)
    for module in (parquet_out, units):
        monkeypatch.setattr(module, "GROUP_ROWS", 10)


def checkpoint(folder: Path, source: Path, group_rows: int = 7) -> Checkpoint:
    out = folder / "ingested.parquet"
    ingest(find_sources(str(source)), out, folder / "rejected", params(), silent, group_rows=group_rows)
    return Checkpoint(out)


def lines(folder: Path, rows: Sequence[Any]) -> Checkpoint:
    path = folder / "a.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return checkpoint(folder, path)


def row_by_row(monkeypatch: pytest.MonkeyPatch, source: Checkpoint, out: Path, kind: str) -> bytes | str:
    """What is written, or why it is refused, by reading each line twice."""

    def untyped(*_: Any) -> None:
        raise UntypedError

    with monkeypatch.context() as patched:
        patched.setattr(writers, "typed_lines", untyped)
        return written(source, out, kind, None)


def written(source: Checkpoint, out: Path, kind: str, spread: Spread | None, unit_bytes: int = 1) -> bytes | str:
    try:
        rows = write_records(source, out, kind, silent, spread=spread, unit_bytes=unit_bytes)
    except EntropyguardError as error:
        return f"{type(error).__name__}: {error}"
    assert rows == source.rows
    return out.read_bytes()


def check(monkeypatch: pytest.MonkeyPatch, source: Checkpoint, folder: Path, kind: str) -> bytes | str:
    wanted = row_by_row(monkeypatch, source, folder / "out", kind)
    for unit_bytes in (1, 300, 1 << 20):
        assert written(source, folder / "out", kind, None, unit_bytes) == wanted
        assert written(source, folder / "out", kind, Spread(InlinePool(), folder / "units"), unit_bytes) == wanted
    assert not any(path.is_dir() for path in folder.iterdir() if path.name != "units")
    return wanted


FLAT = [
    {"text": f"text {at}", "n": at, "x": at / 7, "b": at % 2 == 0, "s": 'q"u,o\nte' if at % 3 else ""}
    for at in range(40)
]
ROWS: dict[str, list[Any]] = {
    "flat": list(FLAT),
    "columns that come and go": [
        {"text": str(at), **({"early": at} if at < 3 else {}), **({"late": "x" * at} if at > 30 else {})}
        for at in range(40)
    ],
    "null, then whole, then with a fraction": [
        {"text": str(at), "n": None if at < 10 else at if at < 25 else at + 0.5} for at in range(40)
    ],
    "a fraction, then whole": [{"text": str(at), "n": 0.5 if at < 3 else at} for at in range(40)],
    "always null": [{"text": str(at), "nothing": None} for at in range(20)],
    "NaN and infinity": ['{"text": "a", "x": NaN}', '{"text": "b", "x": -Infinity}', *FLAT[:9]],
    "one row": [{"text": "alone", "n": 2**53 + 1}],
    "equal texts": [{"text": str(at % 3), "n": at} for at in range(40)],
    "wide characters": [{"text": "漢字😀é" * at, "ключ": "значение"} for at in range(20)],
}
NESTED: dict[str, list[Any]] = {
    "objects": [
        {"text": str(at), "o": None if at % 4 == 1 else {"a": at, **({"b": [at] * (at % 3)} if at > 9 else {})}}
        for at in range(40)
    ],
    "lists of objects": [
        {"text": str(at), "l": [{"k": at} if at < 20 else {"k": at + 0.5, "m": str(at)}] * (at % 3)} for at in range(40)
    ],
    "lists in lists": [{"text": str(at), "l": [[], [at], None][: at % 4]} for at in range(40)],
    "objects that are empty at first": [{"text": str(at), "o": {} if at < 12 else {"a": 1}} for at in range(30)],
    "null objects before others": [{"text": str(at), "o": None if at < 15 else {"a": {"b": at}}} for at in range(30)],
}
REFUSED: dict[str, list[Any]] = {
    "text among numbers": [*FLAT, {"text": "x", "n": "seven"}],
    "text among numbers in one slice": [FLAT[0], {"text": "x", "n": "seven"}],
    "numbers that no float holds": [{"text": "a", "n": 2**53 + 1}, *FLAT, {"text": "b", "n": 0.5}],
    "numbers that no int holds": [*FLAT, {"text": "b", "n": 2**64}],
    "a number out of range": [*FLAT, '{"text": "a", "x": 1e999}'],
    "a key twice": [*FLAT, '{"text": "a", "n": 1, "n": 2}'],
    "a lone surrogate": [*FLAT, '{"text": "a", "s": "\\ud800"}'],
    "a lone surrogate in a name": [*FLAT, '{"text": "a", "\\ud800": 1}'],
    "objects that are all empty": [{"text": str(at), "o": {}} for at in range(20)],
    "objects among lists": [{"text": "a", "o": [1]}, *FLAT, {"text": "b", "o": {"a": 1}}],
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("kind", TYPED)
def test_json_lines_as_columns(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(check(monkeypatch, lines(tmp_path, ROWS[name]), tmp_path, kind), bytes)


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("kind", ["csv", "parquet", "arrow", "arrows"])
def test_nested_values(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = check(monkeypatch, lines(tmp_path, NESTED[name]), tmp_path, kind)
    assert isinstance(said, str) == (kind == "csv")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_names_the_first_such_row(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = check(monkeypatch, lines(tmp_path, REFUSED[name]), tmp_path, "parquet")
    assert str(said).startswith(DataFormatError.__name__)


@pytest.mark.parametrize("kind", LINES)
def test_columns_as_json_lines(kind: str, tmp_path: Path) -> None:
    table = pa.table({"text": [row["text"] for row in FLAT], "n": [row["n"] for row in FLAT], "l": [[1, None]] * 40})
    pq.write_table(table, tmp_path / "a.parquet")
    source = checkpoint(tmp_path, tmp_path / "a.parquet")
    wanted = written(source, tmp_path / "out", kind, None)
    assert written(source, tmp_path / "out", kind, Spread(InlinePool(), tmp_path / "units")) == wanted
    assert isinstance(wanted, bytes)


def test_a_value_without_a_spelling_is_named_with_its_place(tmp_path: Path) -> None:
    table = pa.table({"text": [str(at) for at in range(40)], "x": [1.0] * 33 + [float("nan")] * 7})
    pq.write_table(table, tmp_path / "a.parquet")
    source = checkpoint(tmp_path, tmp_path / "a.parquet")
    said = written(source, tmp_path / "out", "jsonl", Spread(InlinePool(), tmp_path / "units"))
    assert said == "DataFormatError: Line 34: column 'x' holds NaN or infinity, which JSON has not. Write Parquet."


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text("aé\ud800", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), VALUES, min_size=1, max_size=3), min_size=1, max_size=8))
def test_shapes_found_together_are_those_found_row_by_row(rows: list[dict[str, Any]]) -> None:
    texts = [json.dumps(row) for row in rows]
    try:
        wanted: Any = common_schema((((0, at), text) for at, text in enumerate(texts)), str)
    except DataFormatError as error:
        wanted = "Write JSONL" in str(error) and None
    for size in (1, 3, 8):
        try:
            shapes: Any = {}
            for start in range(0, len(texts), size):
                found, _ = shapes_of([parse_row(text) for text in texts[start : start + size]])
                shapes = joined(shapes, from_json(json.loads(json.dumps(as_json(found)))))
            schema = schema_of_shapes(shapes)
        except (MisfitError, DataFormatError):
            schema = None
        assert schema == wanted


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalPool]:
    with closing(LocalPool(2)) as pool:
        yield pool


@pytest.mark.parametrize("kind", TYPED)
def test_two_processes_make_columns_of_json_lines(kind: str, tmp_path: Path, processes: LocalPool) -> None:
    source = lines(tmp_path, [*ROWS["null, then whole, then with a fraction"], *FLAT])
    wanted = written(source, tmp_path / "out", kind, None)
    assert written(source, tmp_path / "out", kind, Spread(processes, tmp_path / "units")) == wanted
    assert isinstance(wanted, bytes)


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_two_processes_make_json_lines(kind: str, ending: str, tmp_path: Path, processes: LocalPool) -> None:
    table = pa.Table.from_pylist(FLAT)
    path = tmp_path / f"a.{ending}"
    arrow_csv.write_csv(table, path) if ending == "csv" else pq.write_table(table, path)
    source = checkpoint(tmp_path, path)
    wanted = written(source, tmp_path / "out", kind, None)
    assert written(source, tmp_path / "out", kind, Spread(processes, tmp_path / "units")) == wanted
    assert isinstance(wanted, bytes)


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


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("died", [1, 4, 8])
def test_a_killed_export_goes_on(kind: str, died: int, tmp_path: Path) -> None:
    if kind == "jsonl":
        pq.write_table(pa.Table.from_pylist(FLAT * 3), tmp_path / "a.parquet")
        source = checkpoint(tmp_path, tmp_path / "a.parquet")
    else:
        source = lines(tmp_path, FLAT * 3)
    wanted = written(source, tmp_path / "out", kind, None)
    with pytest.raises(Killed):
        written(source, tmp_path / "out", kind, Spread(DyingPool(died), tmp_path / "units"))
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "units").iterdir()}
    assert len(made) > died
    damaged = min(made)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert written(source, tmp_path / "out", kind, Spread(InlinePool(), tmp_path / "units")) == wanted
    assert [path for path in made if path.stat().st_mtime_ns != made[path]] == [damaged]
