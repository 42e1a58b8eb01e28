"""What DVC 3.67 does that a build must not: each of the traps that were found has a test that fails without its cure.

1 input or parameters changed during a run: `test_changes`. 2 an output outside the project: `test_limits`.
3 a byte flipped, size and mtime kept; 4 damage in a hardlinked cache: `test_damage`. 5 orphaned stages: `test_kills`.
6 braces in a path: `test_wrong_use`. 7 a lock written in place: `test_kills`, a reused process id in rwlock:
`test_damage`. 8 commands in a name: `test_hostile`. 10 what killed commits leave: `test_damage`. Here: 9 and 11.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import Workspace

pytestmark = pytest.mark.pipeline


def test_a_pipe_as_input_is_refused_at_once(workspace: Workspace) -> None:
    pipe = workspace.folder / "pipe.jsonl"
    os.mkfifo(pipe)
    ended = workspace.run(input=pipe)
    assert ended.code == 65
    assert f"{pipe} is no regular file." in ended.stderr
    assert not workspace.checkpoints.exists()


def test_a_checkpoint_dir_in_a_dvc_repo_keeps_to_itself(workspace: Workspace) -> None:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=workspace.folder, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=workspace.folder, check=True)
    before = git("status", "--porcelain", "--untracked-files=all")
    outer = {path: path.read_bytes() for path in (workspace.folder / ".dvc").rglob("*") if path.is_file()}
    assert workspace.run().code == 0
    after = git("status", "--porcelain", "--untracked-files=all")
    assert set(after.splitlines()) - set(before.splitlines()) == {"?? cleaned.jsonl"}
    assert {path: path.read_bytes() for path in (workspace.folder / ".dvc").rglob("*") if path.is_file()} == outer
    assert (workspace.checkpoints / "dvc.lock").is_file()
