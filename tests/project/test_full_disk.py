"""A full disk that DVC meets, not a stage: told as one, with the way on."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import diskcache
import pytest

from entropyguard.core.errors import OutputError
from entropyguard.project import full_disk, repro
from entropyguard.project.full_disk import end_on_full_disk, is_full
from entropyguard.project.project import Project
from entropyguard.project.repro import StageError
from tests.conftest import Workspace


def no_room(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_is_full_where_a_little_more_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_full(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", no_room)
    assert is_full(tmp_path)
    assert not list(tmp_path.iterdir())


class FullDatabase:
    """A connection to a database on a full disk, of which no statement can be begun."""

    def __init__(self) -> None:
        self.tries = 0

    def execute(self, *_: object) -> None:
        self.tries += 1
        assert self.tries < 10, "tried again and again"
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error


@pytest.mark.parametrize(("full", "number"), [(True, errno.ENOSPC), (False, errno.EIO)])
def test_dvcs_notes_end_on_a_full_disk_and_are_not_tried_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool, number: int
) -> None:
    monkeypatch.setattr(diskcache.Cache, "_sql", diskcache.Cache._sql)  # put back afterwards
    monkeypatch.setattr(full_disk, "is_full", lambda _: full)
    end_on_full_disk()
    with diskcache.Cache(tmp_path) as cache:
        cache.set("key", "value", retry=True)
        assert cache["key"] == "value"
        database = FullDatabase()
        with monkeypatch.context() as patch:
            patch.setattr(diskcache.Cache, "_con", database)
            with pytest.raises(OSError, match=os.strerror(number)) as ended:
                cache.set("key", "value", retry=True)
    assert (ended.value.errno, database.tries) == (number, 1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project on a full disk, of which export was at work."""
    made = Project(tmp_path)
    made.paths.ours.mkdir()
    made.paths.running.write_text('{"stage": "export"}')
    monkeypatch.setattr(repro, "is_full", lambda _: True)
    return made


@pytest.mark.parametrize("log", ["", "ERROR: unexpected error", "failed: exited with 1"])
def test_an_end_without_a_word_is_told_as_the_full_disk_it_is(project: Project, log: str) -> None:
    failure = repro._failure(project, log)
    assert isinstance(failure, OutputError)
    assert "the disk is full. Free some space and run again with --resume." in str(failure)


def test_a_stage_that_was_killed_is_told_as_that_on_a_full_disk_too(project: Project) -> None:
    failure = repro._failure(project, f"failed: exited with {-signal.SIGKILL}")
    assert isinstance(failure, StageError)
    assert "export was killed by SIGKILL" in str(failure)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 KB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.pipeline
def test_a_run_on_a_small_disk_ends_with_66_and_goes_on_with_more_room(workspace: Workspace, small_disk: Path) -> None:
    drawn = random.Random(1)
    texts = [" ".join(str(drawn.random()) for _ in range(40)) for _ in range(300)]
    workspace.input.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    flags = ("--no-semantic", "--quiet")
    ended = workspace.run(*flags, checkpoint_dir=small_disk / "checkpoints")
    assert ended.code == 66, ended.stderr
    assert "the disk is full" in ended.stderr
    assert not workspace.output.exists()
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    ended = workspace.run(*flags, "--resume", checkpoint_dir=small_disk / "checkpoints")
    assert ended.code == 0, ended.stderr
    assert len(workspace.kept()) == len(texts)
