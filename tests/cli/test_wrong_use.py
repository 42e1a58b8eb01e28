"""Wrong use gets a clear answer, the documented exit code, and loses nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Workspace

OLD = "the user's previous output\n"


@dataclass(frozen=True)
class Wrong:
    """A wrong call: what to do to the workspace, which flags, and what must come back."""

    code: int
    says: list[str]
    flags: dict[str, str]
    prepare: Callable[[Workspace], object] = lambda workspace: None
    switches: tuple[str, ...] = ()


def foreign_dir(workspace: Workspace) -> None:
    (workspace.folder / "photos").mkdir(mode=0o755)
    (workspace.folder / "photos" / "cat.jpg").write_text("meow")


def data_repo(workspace: Workspace) -> None:
    (workspace.folder / "repo" / ".dvc").mkdir(parents=True)
    (workspace.folder / "repo" / "dvc.yaml").write_text("stages: {}\n")


WRONG = {
    "missing input": Wrong(65, ["nowhere.jsonl"], {"input": "nowhere.jsonl"}),
    "empty input": Wrong(
        65, ["void.jsonl"], {"input": "void.jsonl"}, lambda workspace: (workspace.folder / "void.jsonl").touch()
    ),
    "folder without data": Wrong(
        65, ["void", ".jsonl"], {"input": "void"}, lambda workspace: (workspace.folder / "void").mkdir()
    ),
    "glob without matches": Wrong(65, ["*.parquet"], {"input": "*.parquet"}),
    "unknown ending": Wrong(
        65, [".docx", ".jsonl"], {"input": "a.docx"}, lambda workspace: (workspace.folder / "a.docx").write_text("x")
    ),
    "missing column": Wrong(64, ["body", "id", "text"], {"text_column": "body"}),
    "non-text column": Wrong(64, ["id"], {"text_column": "id"}),
    "missing column in CSV": Wrong(
        64,
        ["body", "words"],
        {"input": "a.csv", "text_column": "body"},
        lambda workspace: (workspace.folder / "a.csv").write_text("n,words\n1,hello\n"),
    ),
    "no Parquet": Wrong(
        65, ["a.parquet"], {"input": "a.parquet"}, lambda workspace: (workspace.folder / "a.parquet").write_text("no")
    ),
    "output folder missing": Wrong(66, ["no/such"], {"output": "no/such/cleaned.jsonl"}),
    "output is a folder": Wrong(
        66, ["is a folder"], {"output": "out.jsonl"}, lambda workspace: (workspace.folder / "out.jsonl").mkdir()
    ),
    "unknown output ending": Wrong(2, [".xlsx", ".jsonl"], {"output": "cleaned.xlsx"}),
    "output is the input": Wrong(2, ["data.jsonl"], {"output": "data.jsonl"}),
    "output in the input folder": Wrong(2, ["cleaned.jsonl"], {"input": ".", "output": "cleaned.jsonl"}),
    "output matched by the input glob": Wrong(2, ["cleaned.jsonl"], {"input": "*.jsonl", "output": "cleaned.jsonl"}),
    "output in the checkpoint dir": Wrong(2, ["checkpoint dir"], {"output": "checkpoints/cleaned.jsonl"}),
    "checkpoint dir is a file": Wrong(2, ["data.jsonl is a file"], {"checkpoint_dir": "data.jsonl"}),
    "checkpoint dir inside a file": Wrong(2, ["data.jsonl is a file"], {"checkpoint_dir": "data.jsonl/x"}),
    "checkpoint dir of somebody": Wrong(2, ["cat.jpg"], {"checkpoint_dir": "photos"}, foreign_dir),
    "checkpoint dir is a data repo": Wrong(2, ["not empty"], {"checkpoint_dir": "repo"}, data_repo),
    "checkpoint dir with a brace": Wrong(2, ["{"], {"checkpoint_dir": "a{b}"}),
    "threshold of zero": Wrong(2, ["0", "cosine"], {"dedup_threshold": "0"}),
    "threshold above one": Wrong(2, ["1.5", "cosine"], {"dedup_threshold": "1.5"}),
    "threshold that is no number": Wrong(2, ["nan", "cosine"], {"dedup_threshold": "nan"}),
    "negative length": Wrong(2, ["min_length"], {"min_length": "-1"}),
    "unknown model": Wrong(2, ["--allow-download"], {"model_name": "nobody/nothing"}),
    "unknown keep policy": Wrong(2, ["newest", "longest"], {"keep": "newest"}),
    "memory that is no size": Wrong(2, ["lots"], {"max_memory": "lots"}),
    "malformed line under --strict": Wrong(
        64,
        ["data.jsonl", "2"],
        {},
        lambda workspace: workspace.input.write_text('{"text": "fine"}\n{"text": "cut of\n'),
        ("--strict",),
    ),
    "audit log with an unknown ending": Wrong(2, [".txt"], {"audit_log": "audit.txt"}),
    "audit log is the output": Wrong(2, ["same file"], {"audit_log": "cleaned.jsonl"}),
    "json and data both on stdout": Wrong(2, ["stdout"], {"json": "-", "output": "-"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_answered_and_loses_nothing(name: str, workspace: Workspace) -> None:
    wrong = WRONG[name]
    workspace.output.write_text(OLD)
    wrong.prepare(workspace)
    before = snapshot(workspace.folder)
    ended = workspace.run(*wrong.switches, **wrong.flags)
    assert ended.code == wrong.code, ended.stderr
    for words in wrong.says:
        assert words in ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 3, ended.stderr
    after = snapshot(workspace.folder)
    assert {name: state for name, state in after.items() if not name.startswith("checkpoints")} == before


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of everything below a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if not path.is_relative_to(folder / "checkpoints")
    }


def test_resume_without_a_checkpoint_dir_is_refused(workspace: Workspace) -> None:
    ended = workspace.call("--input", "data.jsonl", "--output", "cleaned.jsonl", "--resume")
    assert ended.code == 2
    assert "--resume needs --checkpoint-dir" in ended.stderr


def test_missing_flags_are_named(workspace: Workspace) -> None:
    ended = workspace.call()
    assert ended.code == 2
    assert "--input and --output" in ended.stderr


def test_several_text_columns_are_listed(workspace: Workspace) -> None:
    workspace.input.write_text('{"title": "a", "body": "b"}\n')
    ended = workspace.run()
    assert ended.code == 64
    assert "title, body" in ended.stderr


def test_the_only_text_column_is_found(workspace: Workspace) -> None:
    workspace.input.write_text('{"n": 1, "body": "b"}\n{"n": 2, "body": "B"}\n')
    assert workspace.run().code == 0
    assert workspace.kept() == [{"n": 1, "body": "b"}]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_output_folder_is_refused(workspace: Workspace) -> None:
    folder = workspace.folder / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    ended = workspace.run(output=folder / "cleaned.jsonl")
    assert ended.code == 66
    assert "read-only" in ended.stderr


@pytest.mark.pipeline
def test_a_column_called_like_one_of_ours_works(workspace: Workspace) -> None:
    lines = [
        '{"row_id": "x", "record": 1, "line": null, "file": [], "text": "the cat sat", "keeper_row_id": 5}',
        '{"row_id": "y", "record": 2, "line": true, "file": {}, "text": "The cat  sat", "similarity": 9}',
    ]
    workspace.input.write_text("\n".join(lines) + "\n")
    assert workspace.run().code == 0
    assert workspace.output.read_text() == lines[0] + "\n"


@pytest.mark.pipeline
def test_a_malformed_line_is_set_aside_and_counted(workspace: Workspace) -> None:
    workspace.input.write_text('{"text": "fine"}\n{"text": "cut of\n{"text": "also fine"}\n')
    ended = workspace.run()
    assert ended.code == 0
    assert "3 rows in: 2 kept" in ended.stderr
    assert "1 rejected" in ended.stderr
    assert '"line": 2' in (workspace.checkpoints / "rejected.jsonl").read_text()
