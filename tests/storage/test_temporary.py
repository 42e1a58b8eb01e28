"""Temporary files: no two writers share one, and nobody removes another's."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from entropyguard.core.storage import temporary as module
from entropyguard.core.storage.files import write_whole
from entropyguard.core.storage.temporary import is_temporary, remove_abandoned, temporary_file

DAY = 86_400


def left_behind(folder: Path, *, machine: str | None = None, age: float = 0) -> Path:
    """What a killed writer leaves, of this machine or another."""
    path = folder / f".entropyguard-{machine or module.this_machine()}-{os.urandom(8).hex()}.tmp"
    path.write_text("half")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_file_is_there_while_it_is_written_and_gone_unless_renamed(tmp_path: Path) -> None:
    with temporary_file(tmp_path) as first, temporary_file(tmp_path) as second:
        assert first != second
        first.write_text("done")
        first.replace(tmp_path / "done")
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_only_what_a_killed_writer_of_this_machine_left_is_removed(tmp_path: Path) -> None:
    dead = [left_behind(tmp_path), left_behind(tmp_path, machine="0" * 8, age=2 * DAY)]
    others = [left_behind(tmp_path, machine="0" * 8, age=DAY / 2)]
    names = (".entropyguard-17.tmp", ".entropyguard-notes.tmp", ".entropyguard-0123456-0123456789abcdef.tmp", ".a.tmp")
    for name in names:
        others.append(tmp_path / name)
        others[-1].write_text("somebody's")
        os.utime(others[-1], (1, 1))
    (tmp_path / "target").write_text("somebody's")
    link = tmp_path / f".entropyguard-{module.this_machine()}-{1:016x}.tmp"
    link.symlink_to("target")
    folder = tmp_path / f".entropyguard-{module.this_machine()}-{2:016x}.tmp"
    folder.mkdir()
    with temporary_file(tmp_path) as living:
        remove_abandoned(tmp_path)
        assert [path.exists() for path in dead] == [False, False]
        assert all(path.exists() for path in [living, link, folder, *others])


def test_a_living_writer_in_another_process_loses_nothing(tmp_path: Path) -> None:
    writer = (
        "import sys, pathlib; from entropyguard.core.storage.temporary import temporary_file\n"
        "with temporary_file(pathlib.Path(sys.argv[1])) as path: print(path, flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", writer, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    path = Path(process.stdout.readline().strip())
    remove_abandoned(tmp_path)
    assert path.exists()
    process.kill()
    process.communicate()
    remove_abandoned(tmp_path)
    assert not path.exists()


def test_a_file_taken_away_before_it_was_locked_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock, seen = fcntl.flock, list[Path]()

    def remove_first(descriptor: int, how: int) -> None:
        if not seen:
            (only,) = tmp_path.iterdir()
            seen.append(only)
            only.unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with temporary_file(tmp_path) as path:
        assert path.exists()
        assert path not in seen


def test_without_locks_files_are_written_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    dead = left_behind(tmp_path)
    write_whole(tmp_path / "note", b"whole")
    remove_abandoned(tmp_path)
    assert (tmp_path / "note").read_bytes() == b"whole"
    assert dead.exists()


def test_modes_are_those_of_any_new_file_or_private(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with temporary_file(tmp_path) as shared, temporary_file(tmp_path, private=True) as own:
            assert (shared.stat().st_mode & 0o777, own.stat().st_mode & 0o777) == (0o640, 0o600)
            assert is_temporary(shared.name)
    finally:
        os.umask(before)
