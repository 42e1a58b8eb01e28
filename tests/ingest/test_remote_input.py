"""Inputs behind URLs of a filesystem without ETags: what is found, what is read, what is noticed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entropyguard.core.errors import EntropyguardError, InputError
from entropyguard.core.ingest.inputs import find_input, find_sources
from entropyguard.core.ingest.objects_note import note_of, objects_change
from entropyguard.core.rows.source import OBJECTS, Source
from entropyguard.core.storage import remote_reading
from entropyguard.core.storage.remote_path import RemotePath
from entropyguard.project.linked_input import link, linked_input
from entropyguard.project.project import Project
from entropyguard.run.at_rest import check_input
from tests.ingest.test_every_source import SOURCES
from tests.ingest.test_ingest import read

_NUMBERS = itertools.count()
LINES = SOURCES["a.jsonl"]()


class Memory:
    """A folder of fsspec's memory filesystem."""

    def __init__(self) -> None:
        import fsspec

        self.fs: Any = fsspec.filesystem("memory")
        self.url = f"memory:///{next(_NUMBERS)}"

    def write(self, name: str, content: bytes = LINES) -> str:
        self.fs.pipe_file(f"{self.url}/{name}", content)
        return f"{self.url}/{name}"

    def found(self, spec: str) -> list[str]:
        return [str(one).removeprefix(f"{self.url}/") for one in find_sources(f"{self.url}/{spec}")]


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory()
    yield made
    if made.fs.exists(made.url):
        made.fs.rm(made.url, recursive=True)


@pytest.mark.parametrize("name", ["a.jsonl.zst", "indented.jsonl", "a.csv.gz", "a.parquet", "b.arrow", "a.feather"])
def test_formats(memory: Memory, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(SOURCES[name]())
    there = read(memory.write(name, SOURCES[name]()))
    here = read(tmp_path / name)
    assert (there.records, there.rejected) == (here.records, here.rejected)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", ["a.jsonl", "sub/b.jsonl", "sub/deep/c.jsonl"]),
        ("sub", ["sub/b.jsonl", "sub/deep/c.jsonl"]),
        ("sub/", ["sub/b.jsonl", "sub/deep/c.jsonl"]),
        ("*.jsonl", ["a.jsonl"]),
        ("*/?.jsonl", ["sub/b.jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "sub/b.jsonl", "sub/deep/c.jsonl"]),
        ("sub/**", ["sub/b.jsonl", "sub/deep/c.jsonl"]),
        ("_notes/*.jsonl", ["_notes/d.jsonl"]),
        ("_*/*.jsonl", ["_notes/d.jsonl"]),
        ("a.jsonl", ["a.jsonl"]),
        ("odd/[a].jsonl", ["odd/[a].jsonl"]),
    ],
)
def test_what_a_url_names(memory: Memory, spec: str, expected: list[str]) -> None:
    for name in ("a.jsonl", "sub/b.jsonl", "sub/deep/c.jsonl", "_notes/d.jsonl", ".e.jsonl", "kept/.entropyguard/x"):
        memory.write(name)
    memory.write("kept/f.jsonl")
    if spec.startswith("odd"):
        memory.write("odd/[a].jsonl")
    assert memory.found(spec) == expected


def test_names_are_read_in_the_order_of_their_bytes(memory: Memory) -> None:
    for name in ("b.jsonl", "a/x.jsonl", "a.jsonl", "é.jsonl", "Z.jsonl"):
        memory.write(name)
    assert memory.found("") == ["Z.jsonl", "a.jsonl", "a/x.jsonl", "b.jsonl", "é.jsonl"]


def test_the_note_gives_the_sources_back(memory: Memory, tmp_path: Path) -> None:
    for year in (2023, 2024):
        memory.write(f"year={year}/a b.parquet", SOURCES["a.parquet"]())
    sources = find_sources(memory.url)
    assert [one.partitions for one in sources] == [("year=2023",), ("year=2024",)]
    link(sources, tmp_path)
    again = find_input(str(tmp_path / OBJECTS))
    assert (again.sources, again.partitions) == (sources, ["year=2023"])


def test_a_note_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / OBJECTS).write_text("{}\n")
    with pytest.raises(InputError, match="is not as entropyguard wrote it"):
        find_sources(str(tmp_path / OBJECTS))


def test_links_and_a_note_take_each_others_place(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_bytes(LINES)
    remote, local = find_sources(memory.write("a.jsonl")), find_sources(str(tmp_path / "data.jsonl"))
    folder = tmp_path / "inputs"
    for sources, names in ((remote, [OBJECTS]), (local, ["000000.jsonl"]), (remote, [OBJECTS])):
        link(sources, folder)
        assert [path.name for path in folder.iterdir()] == names
        assert linked_input(sources).param == f"inputs/{names[0]}"


def test_changes_are_named(memory: Memory) -> None:
    files = [RemotePath(f"s3://b/{name}", 1, etag) for name, etag in (("a", "1"), ("b", "2"), ("c", "3"))]
    before = {one.url: one.state for one in files}
    now = [RemotePath("s3://b/a", 1, "9"), files[2], RemotePath("s3://b/d", 1, "4")]
    assert objects_change(before, files) is None
    assert objects_change(before, now) == "s3://b/a was replaced, s3://b/d was added, s3://b/b is gone"
    assert objects_change(before, now, added=False) == "s3://b/a was replaced, s3://b/b is gone"
    many = [RemotePath(f"s3://b/x{at}", 1) for at in range(5)]
    assert (objects_change(before, [*files, *many]) or "").endswith("s3://b/x2 was added, and 2 more changed")


def test_another_file_of_that_name_is_not_read(memory: Memory) -> None:
    (source,) = find_sources(memory.write("a.jsonl"))
    memory.write("a.jsonl", LINES.replace(b"ships", b"boats"))
    for opened in (source.stream, source.arrow_stream, source.arrow_file):
        with pytest.raises(InputError, match="was replaced by someone else meanwhile"):
            opened()


def test_a_file_that_is_replaced_while_it_is_read_is_noticed_at_its_end(memory: Memory) -> None:
    (source,) = find_sources(memory.write("a.jsonl", LINES * 20_000))
    with source.stream() as stream:
        stream.read(10)
        memory.write("a.jsonl")
        with pytest.raises(InputError, match="was replaced by someone else meanwhile"):
            list(iter(lambda: stream.read(1 << 20), b""))


def test_a_file_that_is_replaced_or_gone_when_the_run_ends(memory: Memory, tmp_path: Path) -> None:
    memory.write("c.jsonl")
    sources = find_sources(memory.write("a.jsonl"))
    check_input(Project(tmp_path), memory.url, sources, {})
    memory.write("b.jsonl")  # the next run reads it
    check_input(Project(tmp_path), memory.url, sources, {})
    memory.write("a.jsonl", b"{}")
    with pytest.raises(InputError, match=r"a.jsonl was replaced during the run; nothing was published"):
        check_input(Project(tmp_path), memory.url, sources, {})
    memory.fs.rm(f"{memory.url}/a.jsonl")
    with pytest.raises(InputError, match=r"a.jsonl is gone during the run"):
        check_input(Project(tmp_path), memory.url, sources, {})


def test_the_digest_of_what_passed_is_known_only_of_all_of_it(memory: Memory, tmp_path: Path) -> None:
    from entropyguard.core.storage.files import content_digest

    (tmp_path / "a").write_bytes(LINES * 20_000)
    (source,) = find_sources(memory.write("a.jsonl", LINES * 20_000))
    assert isinstance(source.path, RemotePath)
    with source.stream() as stream:
        stream.read(10)
    assert source.path.digests == []
    with source.stream() as stream:
        assert b"".join(iter(lambda: stream.read(1 << 20), b"")) == LINES * 20_000
    assert source.path.digests == [content_digest(tmp_path / "a")]


def breaking(monkeypatch: pytest.MonkeyPatch, breaks: Callable[[int, int], bool]) -> list[tuple[int, int]]:
    """Have reads break off by where they begin and how many bytes are asked for; what was asked for."""
    asked: list[tuple[int, int]] = []
    whole = remote_reading._RemoteFile._read

    def read_or_break(self: Any, start: int, size: int) -> bytes:
        asked.append((start, size))
        if breaks(start, size):
            raise ConnectionResetError
        return whole(self, start, size)

    monkeypatch.setattr(remote_reading._RemoteFile, "_read", read_or_break)
    monkeypatch.setattr(remote_reading, "_WAITS", (0, 0, 0, 0))
    return asked


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_connection_that_breaks_at_more_than_so_much(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    content = LINES * 5_000 if name == "a.jsonl" else SOURCES[name]()
    (tmp_path / name).write_bytes(content)
    spec = memory.write(name, content)
    asked = breaking(monkeypatch, lambda start, size: size > 100_000 or len(asked) % 3 == 1)
    assert read(spec).records == read(tmp_path / name).records
    assert len(asked) > 2


def test_a_connection_that_stays_broken_is_given_up(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = memory.write("a.jsonl", LINES)
    asked = breaking(monkeypatch, lambda start, size: True)
    with pytest.raises(InputError, match="the connection broke off"):
        read(spec)
    assert len(asked) == 5


def test_of_a_saved_data_set_the_files_it_names_are_read(memory: Memory) -> None:
    memory.write("ds/state.json", json.dumps({"_data_files": [{"filename": "data-0.arrow"}]}).encode())
    memory.write("ds/dataset_info.json", b"{}")
    memory.write("ds/data-0.arrow", SOURCES["b.arrow"]())
    memory.write("ds/cache-1.arrow", b"of no account")
    found = find_input(f"{memory.url}/ds")
    assert [str(one) for one in found.sources] == [f"{memory.url}/ds/data-0.arrow"]
    assert [one.path for one in found.skipped] == [f"{memory.url}/ds/cache-1.arrow"]
    memory.write("splits/dataset_dict.json", b'{"splits": ["train", "test"]}')
    with pytest.raises(EntropyguardError, match=rf"Name one of them: {memory.url}/splits/train"):
        find_input(f"{memory.url}/splits")


def test_a_note_holds_what_tells_a_file_from_another() -> None:
    path = RemotePath.of("s3://b/a.jsonl", {"size": 5, "ETag": '"ab"', "VersionId": "v1", "LastModified": "now"})
    assert json.loads(note_of([Source(path, "jsonl")])) == {
        "url": "s3://b/a.jsonl",
        "size": 5,
        "etag": "ab",
        "version": "v1",
    }
