"""What a folder or a glob stands for, what is passed over and why, and that nothing is left out in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entropyguard.core.errors import InputError
from entropyguard.core.ingest.inputs import FoundInput, find_input
from entropyguard.core.ingest.reading_notes import reading_notes
from tests.ingest.test_inputs import make


def read_and_skipped(folder: Path, spec: str) -> tuple[list[str], dict[str, str]]:
    found = find_input(str(folder / spec))
    read = [str(Path(str(source)).relative_to(folder)) for source in found.sources]
    return read, {str(Path(one.path).relative_to(folder)): one.reason for one in found.skipped}


@pytest.mark.parametrize("spec", ["d", "d/**/*.jsonl", "d/**"])
def test_names_that_begin_with_an_underscore_are_no_data(tmp_path: Path, spec: str) -> None:
    make(tmp_path, "d/a.jsonl", "d/_temporary/0/b.jsonl", "d/_delta_log/0.jsonl", "d/_x.jsonl", "d/p/_y.jsonl")
    read, skipped = read_and_skipped(tmp_path, spec)
    assert read == ["d/a.jsonl"]
    assert set(skipped) == {"d/_temporary", "d/_delta_log", "d/_x.jsonl", "d/p/_y.jsonl"}
    assert "rows that it calls deleted" in skipped["d/_delta_log"]


def test_an_underscore_that_the_pattern_spells_is_meant(tmp_path: Path) -> None:
    make(tmp_path, "_a.jsonl", "_b/c.jsonl", "d.jsonl")
    assert read_and_skipped(tmp_path, "_*.jsonl")[0] == ["_a.jsonl"]
    assert read_and_skipped(tmp_path, "_b/*.jsonl")[0] == ["_b/c.jsonl"]


@pytest.mark.parametrize("spec", ["d", "d/**/*.jsonl", "d/*/*/*.jsonl", "d/**"])
def test_a_checkpoint_dir_is_skipped_whole_and_named(tmp_path: Path, spec: str) -> None:
    make(tmp_path, "d/x/y/a.jsonl", "d/ck/cleaned.jsonl", "d/ck/inputs/0.jsonl", "d/ck/.entropyguard/marker")
    read, skipped = read_and_skipped(tmp_path, spec)
    assert read == ["d/x/y/a.jsonl"]
    assert skipped == {"d/ck": "a checkpoint dir or data repo of entropyguard, which holds copies of data"}


def test_a_checkpoint_dir_itself_is_no_input(tmp_path: Path) -> None:
    make(tmp_path, "ck/cleaned.jsonl", "ck/.entropyguard/marker")
    with pytest.raises(InputError, match="ck is a checkpoint dir"):
        find_input(str(tmp_path / "ck"))


def test_everything_else_that_is_not_read_is_named_with_the_reason(tmp_path: Path) -> None:
    make(tmp_path, "d/a.jsonl", "d/notes.txt", "d/.DS_Store", "d/b.parquet.gz", "real/c.jsonl")
    make(tmp_path, "d/void.jsonl", content="")
    (tmp_path / "d" / "linked").symlink_to(tmp_path / "real")
    read, skipped = read_and_skipped(tmp_path, "d")
    assert read == ["d/a.jsonl"]
    reasons = {name: reason.split()[0] for name, reason in skipped.items()}
    expected = {"d/notes.txt": "of", "d/b.parquet.gz": "of", "d/.DS_Store": "hidden", "d/void.jsonl": "empty"}
    assert reasons == {**expected, "d/linked": "a"}


def test_json_beside_other_data_is_taken_for_notes(tmp_path: Path) -> None:
    make(tmp_path, "d/a.jsonl", "d/info.json", "d/array.json")
    read, skipped = read_and_skipped(tmp_path, "d")
    assert read == ["d/a.jsonl"]
    assert set(skipped) == {"d/info.json", "d/array.json"}
    assert all("taken for notes" in reason for reason in skipped.values())


def test_of_json_files_alone_those_with_rows_are_read(tmp_path: Path) -> None:
    make(tmp_path, "d/info.json", content='{\n "rows": 1\n}\n')
    with pytest.raises(InputError, match=r"d holds no rows: .*info\.json is one JSON object, not an array"):
        find_input(str(tmp_path / "d"))
    make(tmp_path, "d/a.json", content='[{"text": "a"}]')
    assert read_and_skipped(tmp_path, "d") == (["d/a.json"], {"d/info.json": "one JSON object, not an array of rows"})


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("*.jsonl", ["a.jsonl", "b[1].jsonl"]),
        ("?.jsonl", ["a.jsonl"]),
        ("b[[]1].*", ["b[1].jsonl"]),
        ("**/*.jsonl", ["a.jsonl", "b[1].jsonl", "x/c.jsonl", "x/y/d.jsonl"]),
        ("**/y/*", ["x/y/d.jsonl"]),
        ("*/*.jsonl", ["x/c.jsonl"]),
        ("x/**", ["x/c.jsonl", "x/y/d.jsonl"]),
        ("*/c.jsonl", ["x/c.jsonl"]),
        ("**/**/d.jsonl", ["x/y/d.jsonl"]),
        (".h*/*.jsonl", [".hid/e.jsonl"]),
    ],
)
def test_a_glob_means_what_it_means_elsewhere(tmp_path: Path, spec: str, names: list[str]) -> None:
    make(tmp_path, "a.jsonl", "b[1].jsonl", "x/c.jsonl", "x/y/d.jsonl", ".hid/e.jsonl")
    assert read_and_skipped(tmp_path, spec)[0] == names


def test_a_glob_follows_links_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path, "d/a.jsonl", "other/b.jsonl")
    (tmp_path / "d" / "again").symlink_to(tmp_path / "d")
    (tmp_path / "d" / "other").symlink_to(tmp_path / "other")
    assert read_and_skipped(tmp_path, "d/**/*.jsonl")[0] == ["d/a.jsonl", "d/other/b.jsonl"]


@pytest.mark.parametrize("spec", ["d", "d/**/*.jsonl", "d/*/*.jsonl", "d/closed/b.jsonl"])
def test_what_may_not_be_searched_is_an_error_and_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    make(tmp_path, "d/a.jsonl", "d/closed/b.jsonl")
    closed = str(tmp_path / "d" / "closed")
    real = os.stat

    def stat(path: object, *args: object, **named: object) -> os.stat_result:
        if str(path).startswith(closed + "/"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(InputError, match=r"closed.* cannot be read \(Permission denied\)") as stopped:
        find_input(str(tmp_path / spec))
    assert stopped.value.exit_code == 65


def test_a_name_that_is_too_long_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"):
        find_input(str(tmp_path / ("x" * 300 + ".jsonl")))


def notes(folder: Path, spec: str) -> list[str]:
    return reading_notes(find_input(str(folder / spec)))


@pytest.mark.parametrize("spec", ["d", "d/**/*.jsonl", "d/*/*/*"])
def test_partition_columns_are_told(tmp_path: Path, spec: str) -> None:
    make(tmp_path, "d/year=2024/_m=1/a.jsonl", "d/year=2025/_m=2/b.jsonl")
    (_, line) = notes(tmp_path, spec)
    assert line.startswith("Warning: partition columns (year, _m) stand in the names of folders (year=2024/_m=1/)")


def test_a_partition_that_was_named_itself_is_not_told_of(tmp_path: Path) -> None:
    make(tmp_path, "d/year=2024/a.jsonl")
    assert notes(tmp_path, "d/year=2024") == []


def test_a_single_file_needs_no_note_and_many_skipped_ones_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.jsonl")
    assert reading_notes(FoundInput(find_input(str(tmp_path / "a.jsonl")).sources, [], [])) == []
    make(tmp_path, *(f"{at}.txt" for at in range(9)))
    (line,) = notes(tmp_path, ".")
    assert line.startswith("1 file read; skipped: ")
    assert " and 6 more (of another ending than .jsonl" in line
