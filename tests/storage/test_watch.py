"""Files that are watched while they are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entropyguard.core.storage.watch import Watched


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text("one\n")
    return path


@pytest.fixture
def watched(file: Path) -> Watched:
    made = Watched()
    made.add(file)
    return made


def test_a_touched_file_has_not_changed(file: Path, watched: Watched) -> None:
    os.utime(file, (1, 1))
    assert watched.changed() is None


def test_a_copy_in_its_place_has_not_changed(file: Path, watched: Watched) -> None:
    file.with_name("copy").write_text("one\n")
    file.with_name("copy").replace(file)
    assert watched.changed() is None


def test_other_content_has_changed_though_size_and_mtime_are_set_back(file: Path, watched: Watched) -> None:
    stat = file.stat()
    file.write_text("two\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert watched.changed() == file


def test_a_file_that_is_gone_has_changed(file: Path, watched: Watched) -> None:
    file.unlink()
    assert watched.changed() == file
    assert watched.look_again() == (True, file)


def test_a_second_look_finds_only_what_was_touched_since_the_first(file: Path, watched: Watched) -> None:
    assert watched.look_again() == (False, None)
    os.utime(file, (1, 1))
    assert watched.look_again() == (True, None)
    assert watched.look_again() == (False, None)
    file.write_text("two\n")
    assert watched.look_again() == (True, file)


def test_an_untouched_file_is_not_read(file: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entropyguard.core.storage.watch.content_digest", None)
    assert watched.changed() is None
