"""Temporary folders: removed where their makers were killed, and only with what these put there."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from entropyguard.core.storage.temporary import this_machine
from entropyguard.core.storage.temporary_folder import remove_abandoned_folders, temporary_folder

DAY = 86_400


def left_behind(parent: Path, *names: str, machine: str | None = None, age: float = 0) -> Path:
    """What a killed maker leaves, of this machine or another."""
    folder = parent / f".entropyguard-{machine or this_machine()}-{os.urandom(8).hex()}.folder.tmp"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("half")
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def remove(parent: Path) -> None:
    remove_abandoned_folders(parent, lambda name: name == "data")


def test_a_folder_is_there_while_it_is_filled_and_gone_unless_renamed(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as first, temporary_folder(tmp_path) as second:
        (first / "data").write_text("done")
        (second / "data").write_text("half")
        first.rename(tmp_path / "done")
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_only_what_a_killed_maker_of_this_machine_left_is_removed(tmp_path: Path) -> None:
    dead = [left_behind(tmp_path), left_behind(tmp_path, "data"), left_behind(tmp_path, machine="0" * 8, age=2 * DAY)]
    others = [
        left_behind(tmp_path, "data", machine="0" * 8, age=DAY / 2),
        left_behind(tmp_path, "data", "notes.txt"),
        left_behind(tmp_path, machine="notes"),
        tmp_path / f".entropyguard-{this_machine()}-{1:016x}.folder.tmp",
        tmp_path / f".entropyguard-{this_machine()}-{2:016x}.folder.tmp",
    ]
    others[-2].write_text("no folder")
    (tmp_path / "target").mkdir()
    others[-1].symlink_to("target")
    inner = left_behind(tmp_path)
    (inner / "data").mkdir()
    with temporary_folder(tmp_path) as living:
        remove(tmp_path)
        assert [path.exists() for path in dead] == [False, False, False]
        assert all(path.exists() for path in [living, inner, *others])


def test_a_living_maker_in_another_process_loses_nothing(tmp_path: Path) -> None:
    maker = (
        "import sys, pathlib; from entropyguard.core.storage.temporary_folder import temporary_folder\n"
        "with temporary_folder(pathlib.Path(sys.argv[1])) as path: print(path, flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", maker, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    path = Path(process.stdout.readline().strip())
    remove(tmp_path)
    assert path.exists()
    process.kill()
    process.communicate()
    remove(tmp_path)
    assert not path.exists()


def test_a_folder_taken_away_before_it_was_locked_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, seen = fcntl.flock, list[Path]()

    def remove_first(descriptor: int, how: int) -> None:
        if not seen:
            (only,) = tmp_path.iterdir()
            seen.append(only)
            only.rmdir()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with temporary_folder(tmp_path) as path:
        assert path.exists()
        assert path not in seen


def test_without_locks_folders_are_made_and_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    dead = left_behind(tmp_path, "data")
    with temporary_folder(tmp_path) as path:
        remove(tmp_path)
        assert path.exists()
        assert dead.exists()
