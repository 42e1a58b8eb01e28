"""Which files an input names."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.rows.source import Source

ROW = '{"text": "a"}\n'


def make(folder: Path, *names: str, content: str = ROW) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def names_in(folder: Path, spec: str) -> list[str]:
    return [str(Path(str(source)).relative_to(folder)) for source in find_sources(spec)]


@pytest.mark.parametrize(
    ("name", "kind", "compression"),
    [
        ("a.jsonl", "jsonl", ""),
        ("a.NDJSON", "jsonl", ""),
        ("a.b.jsonl.gz", "jsonl", "gz"),
        ("a.ndjson.zst", "jsonl", "zst"),
        ("a.json", "json", ""),
        ("a.json.gz", "json", "gz"),
        ("a.csv", "csv", ""),
        ("a.csv.gz", "csv", "gz"),
        ("a.TSV", "tsv", ""),
        ("a.tsv.zst", "tsv", "zst"),
        ("a.parquet", "parquet", ""),
    ],
)
def test_the_ending_tells_the_kind(tmp_path: Path, name: str, kind: str, compression: str) -> None:
    make(tmp_path, name)
    assert find_sources(str(tmp_path / name)) == [Source(tmp_path / name, kind, compression)]


def test_a_folder_is_read_by_name_all_the_way_down(tmp_path: Path) -> None:
    make(tmp_path, "b.jsonl", "a/z.jsonl", "B.jsonl", "é.jsonl", "readme.md", ".hidden.jsonl", ".git/x.jsonl")
    assert names_in(tmp_path, str(tmp_path)) == ["B.jsonl", "a/z.jsonl", "b.jsonl", "é.jsonl"]


def test_links_to_files_are_followed_and_named_by_their_target(tmp_path: Path) -> None:
    make(tmp_path, "real/data.jsonl")
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "0000.jsonl").symlink_to(tmp_path / "real" / "data.jsonl")
    [source] = find_sources(str(tmp_path / "inputs"))
    assert source.path.name == "0000.jsonl"
    assert str(source) == str(tmp_path / "real" / "data.jsonl")


def test_a_checkpoint_dir_below_the_data_is_no_data(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "checkpoints/ingested.parquet", "checkpoints/.entropyguard/ingest.json")
    assert names_in(tmp_path, str(tmp_path)) == ["a.jsonl"]


def test_an_empty_file_among_others_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl")
    make(tmp_path, "b.jsonl", content="")
    assert names_in(tmp_path, str(tmp_path)) == ["a.jsonl"]


def test_a_glob_names_its_matches_in_order(tmp_path: Path) -> None:
    make(tmp_path, "x-2.jsonl", "x-10.jsonl", "y.jsonl", "x-3.txt")
    assert names_in(tmp_path, str(tmp_path / "x-*")) == ["x-10.jsonl", "x-2.jsonl"]


def test_an_existing_path_is_no_glob(tmp_path: Path) -> None:
    make(tmp_path, "a[1].jsonl", "a1.jsonl", "b[1]/c.jsonl")
    assert names_in(tmp_path, str(tmp_path / "a[1].jsonl")) == ["a[1].jsonl"]
    assert names_in(tmp_path, str(tmp_path / "b[1]")) == ["b[1]/c.jsonl"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nowhere.jsonl", "nowhere.jsonl is missing"),
        ("broken.jsonl", "gone.jsonl is missing"),
        ("void.jsonl", "void.jsonl is empty"),
        ("text.docx", r"text.docx has no ending.*\.jsonl \.ndjson \.json \.csv \.tsv"),
        ("a.parquet.gz", "a.parquet.gz has no ending"),
        ("noending", "noending has no ending"),
        ("folder", r"holds no data files \(\.jsonl"),
        ("*.parquet", r"\*\.parquet holds no data files"),
        ("void*", "every data file in it is empty"),
    ],
)
def test_what_is_no_input_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "text.docx", "folder/readme.md", "a.parquet.gz", "noending")
    make(tmp_path, "void.jsonl", content="")
    (tmp_path / "broken.jsonl").symlink_to("gone.jsonl")
    with pytest.raises(InputError, match=says):
        find_sources(spec)


def test_files_of_several_kinds_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl", "b.csv")
    with pytest.raises(DataFormatError, match=r"jsonl \(a.jsonl\) and csv \(b.csv\)"):
        find_sources(str(tmp_path))
