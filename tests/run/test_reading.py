"""What a run says of its reading, and what becomes of the rows that could not be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import TEXTS, Workspace

pytestmark = pytest.mark.pipeline

LATIN = b'{"text":"caf\xe9"}\n'


def test_rejected_rows_are_warned_of_with_the_cure_and_kept_beside_the_output(workspace: Workspace) -> None:
    workspace.input.write_bytes(workspace.input.read_bytes() + LATIN + b"{broken\n")
    users = workspace.folder / "cleaned.jsonl.rejected.jsonl"
    users.write_text("the user's own")
    flags = ("--input", workspace.input, "--output", "cleaned.jsonl", "--model-name", workspace.model)
    for _ in range(2):  # what is there already is not written again
        ended = workspace.call(*flags)
        assert ended.code == 0, ended.stderr
        warning, where = ended.stderr.splitlines()[-2:]
        assert warning.startswith("Warning: 2 of 12 rows (17 %) could not be read and were rejected. The first: ")
        assert "data.jsonl, line 11: invalid UTF-8 at byte 13" in warning
        assert "It looks like cp1252 (Western Windows; cp1250 for Central Europe): read it with --encoding" in warning
        assert where == "all rejected rows stand in cleaned.jsonl.rejected-2.jsonl"
    assert users.read_text() == "the user's own"
    kept = (workspace.folder / "cleaned.jsonl.rejected-2.jsonl").read_text().splitlines()
    rows = list(map(json.loads, kept))
    assert [(Path(row["file"]).name, row["line"], row["raw"]) for row in rows] == [
        ("data.jsonl", 11, '{"text":"caf\\xe9"}'),
        ("data.jsonl", 12, "{broken"),
    ]
    assert not list(workspace.folder.glob("*rejected-3*"))


def test_with_a_checkpoint_dir_they_stand_there_and_json_says_so(workspace: Workspace) -> None:
    folder = workspace.folder / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(workspace.input.read_bytes() * 20)
    (folder / "b.jsonl").write_bytes(b'{"text": "the river"}\n' + LATIN)
    (folder / "notes.txt").write_text("no data")
    ended = workspace.run("--json", "summary.json", input=folder)
    assert ended.code == 0, ended.stderr
    line, where = ended.stderr.splitlines()[-2:]
    assert line.startswith("1 of 202 rows (0.5 %) could not be read")
    assert "b.jsonl, line 2: invalid UTF-8" in line
    assert where == f"all rejected rows stand in {workspace.checkpoints / 'rejected.jsonl'}"
    assert "2 files read; skipped: " in ended.stderr
    told = json.loads((workspace.folder / "summary.json").read_text())["reading"]
    assert told["files"] == 2
    assert [Path(one["path"]).name for one in told["skipped"]] == ["notes.txt"]
    assert told["rejected_rows"] == str(workspace.checkpoints / "rejected.jsonl")


def test_rejected_rows_are_lost_rows_for_the_guard(workspace: Workspace) -> None:
    workspace.input.write_bytes(workspace.input.read_bytes() + LATIN * 10)
    ended = workspace.run("--max-loss", "0.5", "--dedup-threshold", "1")
    assert ended.code == 1
    assert "11 of 20 rows (55 %, 10 of them rejected) would not come out, more than --max-loss 0.5" in ended.stderr
    assert "line 11: invalid UTF-8" in ended.stderr
    assert not workspace.output.exists()


def test_text_is_the_column_wherever_it_first_appears(workspace: Workspace) -> None:
    empty = "".join(json.dumps({"id": at, "text": None}) + "\n" for at in range(1_500))
    workspace.input.write_text(empty + workspace.input.read_text())
    assert workspace.run().code == 0
    assert len(workspace.kept()) == 7


def test_random_explanations_of_nothing_say_so(workspace: Workspace) -> None:
    workspace.write_rows([TEXTS[3], TEXTS[5]])
    assert workspace.run().code == 0
    ended = workspace.call("explain", "--random", "5", "--checkpoint-dir", workspace.checkpoints)
    assert (ended.code, ended.stdout) == (0, "No row was dropped, so there is none to show.\n")


def test_a_glob_that_holds_the_checkpoint_dir_resumes(workspace: Workspace) -> None:
    inside = workspace.folder / "inside"
    inside.mkdir()
    workspace.input.rename(inside / "data.jsonl")
    spec, checkpoints = str(inside / "**/*.jsonl"), inside / "checkpoints"
    assert workspace.run(input=spec, checkpoint_dir=checkpoints).code == 0
    before = workspace.output.read_bytes()
    ended = workspace.run("--resume", input=spec, checkpoint_dir=checkpoints)
    assert (ended.code, ended.ran) == (0, [])
    assert workspace.output.read_bytes() == before
    assert f"1 file read; skipped: {checkpoints} (a checkpoint dir" in ended.stderr


def test_another_encoding_is_named_with_the_cure_and_read_with_it(workspace: Workspace) -> None:
    rows = "".join(f'{at},"{text}"\n' for at, text in enumerate(TEXTS))
    source, output = workspace.folder / "a.csv", workspace.folder / "out.jsonl"
    source.write_bytes(f"id,text\n{rows}".encode("utf-16"))
    ended = workspace.run(input=source, output=output)
    assert ended.code == 64
    assert "a.csv is UTF-16 text (as PowerShell's `>` writes it). Read it with --encoding utf-16.\n" in ended.stderr
    ended = workspace.run("--no-semantic", input=source, output=output, encoding="utf-16")
    assert ended.code == 0, ended.stderr
    assert output.read_text().startswith('{"id": "0", "text": "the black cat')
    ended = workspace.run("--no-semantic", "--resume", input=source, output=output, encoding="utf-16")
    assert (ended.code, ended.ran) == (0, []), ended.stderr
