"""Ingest in units: whatever their size and whoever does them, the bytes of one reading from beginning to end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
import zstandard

from entropyguard.core.errors import DataFormatError, EntropyguardError
from entropyguard.core.ingest.ingest import IngestCounts, ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.ingest.lines import read_pieces, read_range
from entropyguard.core.ingest.unit_rows import Pieces, Reading, read_unit
from entropyguard.core.ingest.units import units_of
from entropyguard.core.params import ChunkParams, IngestParams
from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import InlinePool, Pool
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import silent
from tests.ingest.test_ingest import params

SIZES = (60, 400)  # bytes: a line and a half, and a dozen lines

Outcome = tuple[IngestCounts, bytes, bytes] | str


def outcome(
    spec: Path,
    folder: Path,
    size: int | None,
    given: IngestParams,
    chunks: ChunkParams | None = None,
    pool: Pool | None = None,
) -> Outcome:
    """What ingest wrote, or why it refused; in units of so many bytes, or read as one."""
    out, rejected = folder / "ingested.parquet", folder / "rejected.jsonl"
    spread = None if size is None else Spread(pool or InlinePool(), folder / f"units-{size}")
    try:
        counts = ingest(find_sources(str(spec)), out, rejected, given, silent, chunks, 5, spread, unit_bytes=size or 1)
    except EntropyguardError as error:
        return f"{type(error).__name__}: {error}"
    return counts, out.read_bytes(), rejected.read_bytes()


def check_units(spec: Path, tmp_path: Path, given: IngestParams | None = None, **more: Any) -> Outcome:
    whole = outcome(spec, tmp_path, None, given or params(), **more)
    for size in SIZES:
        assert outcome(spec, tmp_path, size, given or params(), **more) == whole, size
    return whole


def row(text: str, **more: Any) -> bytes:
    return json.dumps({"text": text, **more}, ensure_ascii=False).encode()


PLAIN = [row(f"text {at % 7}", n=at) for at in range(20)]
AWKWARD = {
    "lines": b"\n".join(PLAIN) + b"\n",
    "no final newline": b"\n".join(PLAIN),
    "CRLF": b"\r\n".join(PLAIN) + b"\r\n",
    "CR at the very end": b"\n".join(PLAIN) + b"\r",
    "byte order mark": b"\xef\xbb\xbf" + b"\n".join(PLAIN),
    "byte order mark and a line end": b"\xef\xbb\xbf\n" + b"\n".join(PLAIN),
    "blank lines": b"\n\n \n" + b"\n\n".join(PLAIN) + b"\n\n\n",
    "a line longer than units": b"\n".join([*PLAIN[:3], row("long " * 400), *PLAIN[3:]]),
    "one line": row("alone"),
    "an over-long line": b"\n".join([*PLAIN[:3], row("over " * 1_500), *PLAIN[3:], row("over " * 1_500)]),
    "rejected everywhere": b"\n".join(b for at in range(20) for b in (PLAIN[at], b"{", b"[1]", b'{"text": 1}')),
    "no UTF-8": b"\n".join([PLAIN[0], b'{"text": "\xff"}', b"\xfe\xff", *PLAIN[1:]]),
    "characters of several bytes": b"\n".join(row("漢字😀" * at) for at in range(12)),
    "blank lines alone": b"\n \n\n",
    "no object": b"1\n2\n3\n",
    "no text": b'{"a": 1}\n{"b": {"c": "x"}}\n',
    "never text": b'{"text": 1}\n{"text": null}\n{"body": "x", "text": [2]}\n',
}


@pytest.mark.parametrize("name", AWKWARD)
def test_lines_cut_anywhere_are_the_same_rows(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(AWKWARD[name])
    check_units(tmp_path / "a.jsonl", tmp_path, params(max_line_bytes=3_000))


@pytest.mark.parametrize("name", AWKWARD)
def test_ranges_of_a_file_are_the_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(AWKWARD[name])
    (source,) = find_sources(str(tmp_path / "a.jsonl"))
    whole = b"".join(read_pieces(source))
    for size in range(1, 60):
        cuts = [*range(0, len(AWKWARD[name]), size), None]
        ranges = [b"".join(read_range(source, cuts[at] or 0, cuts[at + 1])) for at in range(len(cuts) - 1)]
        assert b"".join(ranges) == whole
        assert all(piece.endswith(b"\n") for piece in ranges[:-1] if piece and not whole.endswith(piece))


def test_the_first_rejected_row_is_the_one_that_strict_names(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*PLAIN[:15], b"{", *PLAIN[15:], b"[]"]))
    said = check_units(tmp_path / "a.jsonl", tmp_path, params(strict=True))
    assert "line 16" in str(said)


def test_several_files_of_every_size_empty_ones_among_them(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for at in range(12):
        lines = PLAIN[at % 5 :: 3] if at % 4 else []
        (folder / f"{at:02}.jsonl").write_bytes(b"\n".join([*lines, b"{"] if at == 5 else lines))
    (folder / "20.jsonl.gz").write_bytes(gzip.compress(AWKWARD["no final newline"]))
    (folder / "21.jsonl.zst").write_bytes(zstandard.compress(AWKWARD["CRLF"]))
    (folder / "22.json").write_bytes(b"[" + b",\n".join(PLAIN) + b"]")
    (folder / "23.jsonl").write_bytes(b"[" + b",\n".join(PLAIN) + b"]")
    (folder / "24.jsonl").write_bytes(AWKWARD["blank lines"])
    check_units(folder, tmp_path)


def test_a_column_is_looked_for_in_all_units(tmp_path: Path) -> None:
    given = params(("text", "body"))
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*PLAIN, row("x", body="y"), *PLAIN]))
    check_units(tmp_path / "a.jsonl", tmp_path, given)
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(PLAIN))
    assert "'body'" in str(check_units(tmp_path / "a.jsonl", tmp_path, given))


def test_required_columns_and_paths_into_lists(tmp_path: Path) -> None:
    chat = [json.dumps({"messages": [{"content": f"said {at}"}] * (at % 3), "id": at or None}) for at in range(30)]
    (tmp_path / "a.jsonl").write_text("\n".join(chat))
    check_units(tmp_path / "a.jsonl", tmp_path, params("messages[].content", required=["id"]))


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_split_texts(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    texts = ["word " * (at % 9) + "end." for at in range(20)]
    if ending == "jsonl":
        path.write_bytes(b"\n".join([*map(row, texts), b"{"]))
    else:
        pq.write_table(pa.table({"text": texts}), path, row_group_size=3)
    chunks = ChunkParams(20, 5, ("\n", " "))
    whole = check_units(path, tmp_path, chunks=chunks)
    assert not isinstance(whole, str)
    assert whole[0].split > 5


def tables() -> pa.Table:
    texts = [None if at % 9 == 4 else f"text {at % 7}" for at in range(50)]
    return pa.table(
        {
            "text": pa.array(texts),
            "kind": pa.array([f"k{at % 3}" for at in range(50)]).dictionary_encode(),
            "when": pa.array(range(50), pa.timestamp("s", "UTC")),
            "deep": [{"a": [at, None], "b": {"c": str(at)}} for at in range(50)],
        }
    )


def write_csv(table: pa.Table, path: Path) -> None:
    arrow_csv.write_csv(table.select(["text"]).append_column("quoted", pa.array(['a\n"b"'] * len(table))), path)


def write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=9)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    "parquet": lambda table, path: pq.write_table(table, path, row_group_size=4),
    "csv": write_csv,
    "arrow": write_arrow,
}


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("files", [1, 3])
def test_rows_of_columns(ending: str, files: int, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for at in range(files):
        WRITERS[ending](tables().slice(at, 50 - 7 * at), folder / f"{at}.{ending}")
    check_units(folder, tmp_path)


def test_a_damaged_row_group_is_named_behind_what_is_wrong_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [str(at) * 9 for at in range(999)]}), path, row_group_size=100, compression="none")
    data = bytearray(path.read_bytes())
    at = data.index(b"555555555")
    data[at : at + 3] = b"\xff\xff\xff"
    path.write_bytes(data)
    assert "a.parquet" in str(check_units(path, tmp_path))


def test_what_the_units_are_is_decided_by_bytes(tmp_path: Path) -> None:
    for name, size in (("a", 30), ("b", 30), ("c", 250), ("d", 10)):
        (tmp_path / f"{name}.jsonl").write_bytes((b"{}" + b" " * (size - 3)) + b"\n")
    spans = [
        [(Path(piece.source.path.name).stem, piece.start, piece.end) for piece in unit]
        for unit in units_of(find_sources(str(tmp_path)), 100)
    ]
    assert spans == [
        [("a", 0, None), ("b", 0, None)],
        [("c", 0, 100)],
        [("c", 100, 200)],
        [("c", 200, None)],
        [("d", 0, None)],
    ]


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalPool]:
    with closing(LocalPool(2)) as pool:
        yield pool


@pytest.mark.parametrize("ending", ["jsonl", *WRITERS])
def test_two_processes_read_as_one(ending: str, tmp_path: Path, processes: LocalPool) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for at in range(2):
        if ending == "jsonl":
            (folder / f"{at}.jsonl").write_bytes(AWKWARD["rejected everywhere"])
            (folder / f"{at}-gz.jsonl.gz").write_bytes(gzip.compress(AWKWARD["an over-long line"]))
        else:
            WRITERS[ending](tables().slice(at), folder / f"{at}.{ending}")
    whole = outcome(folder, tmp_path, None, params())
    assert outcome(folder, tmp_path, 200, params(), pool=processes) == whole
    assert not isinstance(whole, str)


def test_what_is_wrong_in_another_process_is_said_here(tmp_path: Path, processes: LocalPool) -> None:
    given = params(strict=True)
    (tmp_path / "a.jsonl").write_bytes(AWKWARD["rejected everywhere"])
    whole = outcome(tmp_path / "a.jsonl", tmp_path, None, given)
    assert outcome(tmp_path / "a.jsonl", tmp_path, 50, given, pool=processes) == whole
    assert "line 2" in str(whole)


class Killed(BaseException):
    pass


class DyingPool(InlinePool):
    """A pool whose process dies when it has done some units."""

    def __init__(self, units: int) -> None:
        self._units = units

    def map(self, work: Any, units: Sequence[Any], *args: Any, **more: Any) -> Generator[Any]:
        for at, result in enumerate(super().map(work, units, *args, **more)):
            if at == self._units:
                raise Killed
            yield result


def test_a_killed_run_goes_on_from_the_units_that_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = tmp_path / "a.jsonl", tmp_path / "units"
    path.write_bytes(AWKWARD["rejected everywhere"])
    whole = outcome(path, tmp_path, None, params())
    read: list[str] = []

    def counted(reading: Reading, pieces: Pieces, part: Path) -> None:
        read.append(str(pieces))
        read_unit(reading, pieces, part)

    monkeypatch.setattr("entropyguard.core.ingest.ingest.read_unit", counted)

    def run(spread: Spread) -> Outcome:
        out, rejected = tmp_path / "ingested.parquet", tmp_path / "rejected.jsonl"
        counts = ingest(find_sources(str(path)), out, rejected, params(), silent, None, 5, spread, unit_bytes=200)
        return counts, out.read_bytes(), rejected.read_bytes()

    with pytest.raises(Killed):
        run(Spread(DyingPool(3), folder))
    first = list(read)
    assert len(first) == 4
    damaged = sorted(folder.glob("*.arrow"))[1]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert run(Spread(InlinePool(), folder)) == whole
    assert len(read) == len(set(read)) + 1  # the damaged one
    path.write_bytes(path.read_bytes().replace(b"text 1", b"text 0"))
    before = len(read)
    assert run(Spread(InlinePool(), folder)) == outcome(path, tmp_path, None, params())
    assert len(read) - before == len(set(read))  # another file, though of the same size


def test_unsound_input_is_refused_whatever_units_find_first(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\n".join([*PLAIN, b"{"]))
    (folder / "b.json").write_bytes(b'{"not": "rows"}' * 3)
    said = check_units(folder, tmp_path, params(strict=True))
    assert str(said).startswith(DataFormatError.__name__)
    assert "a.jsonl, line 21" in str(said)


def test_a_file_at_a_url_is_read_by_ranges(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(AWKWARD["rejected everywhere"])
    fsspec.filesystem("memory").pipe("/units/a.jsonl", AWKWARD["rejected everywhere"])
    there = "memory://units/a.jsonl"
    spans = [len(units_of(find_sources(spec), 400)) for spec in (there, str(tmp_path / "a.jsonl"))]
    assert spans[0] == spans[1] > 2
    out, rejected = tmp_path / "ingested.parquet", tmp_path / "rejected.jsonl"
    spread = Spread(InlinePool(), tmp_path / "units")
    counts = ingest(find_sources(there), out, rejected, params(), silent, None, 5, spread, unit_bytes=400)
    assert (counts, out.read_bytes(), rejected.read_bytes()) == outcome(tmp_path / "a.jsonl", tmp_path, None, params())
