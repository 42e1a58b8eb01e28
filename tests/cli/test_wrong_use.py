"""Wrong use gets a clear answer, the documented exit code, and loses nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from entropyguard.cli.app import app
from tests.conftest import Workspace

OLD = "the user's previous output\n"


@dataclass(frozen=True)
class Wrong:
    """A wrong call: what to do to the workspace, which flags, and the exit code and message that must come back."""

    code: int
    says: str
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
    "missing input": Wrong(65, "nowhere.jsonl is missing. Check the path.", {"input": "nowhere.jsonl"}),
    "empty input": Wrong(
        65,
        "void.jsonl is empty. Name a file that holds rows.",
        {"input": "void.jsonl"},
        lambda workspace: (workspace.folder / "void.jsonl").touch(),
    ),
    "folder without data": Wrong(
        65,
        "void holds no data files (.jsonl .ndjson .json .csv .tsv, also with .gz",
        {"input": "void"},
        lambda workspace: (workspace.folder / "void").mkdir(),
    ),
    "Ray's address for clients": Wrong(2, "ray://a:10001, Ray's address for clients. Run", {"ray": "ray://a:10001"}),
    "processes here and nodes there": Wrong(2, "--workers is for this machine", {"ray": "auto", "workers": "2"}),
    "glob without matches": Wrong(65, "*.parquet holds no data files (.jsonl", {"input": "*.parquet"}),
    "unknown ending": Wrong(
        65,
        "a.docx has no ending of a data file. Known are .jsonl",
        {"input": "a.docx"},
        lambda workspace: (workspace.folder / "a.docx").write_text("x"),
    ),
    "missing column": Wrong(64, "No row has a column 'body'; there are: id, text.", {"text_column": "body"}),
    "non-text column": Wrong(
        64, "Column 'id' never holds text. Name a column of text with --text-column: text.", {"text_column": "id"}
    ),
    "missing column in CSV": Wrong(
        64,
        "a.csv has no column 'body'; it has: n, words.",
        {"input": "a.csv", "text_column": "body"},
        lambda workspace: (workspace.folder / "a.csv").write_text("n,words\n1,hello\n"),
    ),
    "no Parquet": Wrong(
        65,
        "a.parquet cannot be read as Parquet (",
        {"input": "a.parquet"},
        lambda workspace: (workspace.folder / "a.parquet").write_text("no"),
    ),
    "output folder missing": Wrong(
        66,
        "--output no/such/cleaned.jsonl: the folder no/such does not exist. Make it first.",
        {"output": "no/such/cleaned.jsonl"},
    ),
    "output is a folder": Wrong(
        66,
        "--output out.jsonl is a folder. Name a file in it.",
        {"output": "out.jsonl"},
        lambda workspace: (workspace.folder / "out.jsonl").mkdir(),
    ),
    "unknown output ending": Wrong(
        2, "--output cleaned.xlsx: the ending tells the format; known are .jsonl,", {"output": "cleaned.xlsx"}
    ),
    "output is the input": Wrong(2, "--output data.jsonl is a file of --input ", {"output": "data.jsonl"}),
    "output in the input folder": Wrong(
        2,
        "--output cleaned.jsonl is a file of --input . ",
        {"input": ".", "output": "cleaned.jsonl"},
    ),
    "output matched by the input glob": Wrong(
        2,
        "--output cleaned.jsonl is a file of --input *.jsonl ",
        {"input": "*.jsonl", "output": "cleaned.jsonl"},
    ),
    "output in the checkpoint dir": Wrong(
        2, "--output checkpoints/cleaned.jsonl lies in --checkpoint-dir ", {"output": "checkpoints/cleaned.jsonl"}
    ),
    "checkpoint dir is a file": Wrong(
        2, "--checkpoint-dir data.jsonl: data.jsonl is a file.", {"checkpoint_dir": "data.jsonl"}
    ),
    "checkpoint dir inside a file": Wrong(
        2, "--checkpoint-dir data.jsonl/x: data.jsonl is a file.", {"checkpoint_dir": "data.jsonl/x"}
    ),
    "checkpoint dir of somebody": Wrong(
        2,
        "--checkpoint-dir photos is not empty and was not made by entropyguard (it holds cat.jpg).",
        {"checkpoint_dir": "photos"},
        foreign_dir,
    ),
    "checkpoint dir is a data repo": Wrong(
        2,
        "--checkpoint-dir repo is not empty and was not made by entropyguard (it holds dvc.yaml).",
        {"checkpoint_dir": "repo"},
        data_repo,
    ),
    "checkpoint dir with a brace": Wrong(
        2, "--checkpoint-dir a{b}: a path with { or } cannot be used by DVC.", {"checkpoint_dir": "a{b}"}
    ),
    "threshold of zero": Wrong(
        2, "--dedup-threshold is 0.0; it must be a cosine above 0 and at most 1.", {"dedup_threshold": "0"}
    ),
    "threshold above one": Wrong(
        2, "--dedup-threshold is 1.5; it must be a cosine above 0 and at most 1.", {"dedup_threshold": "1.5"}
    ),
    "threshold that is no number": Wrong(
        2, "--dedup-threshold is nan; it must be a cosine above 0 and at most 1.", {"dedup_threshold": "nan"}
    ),
    "negative length": Wrong(2, "--min-length is -1; it must be 0 or more.", {"min_length": "-1"}),
    "unknown model": Wrong(
        2,
        "The model nobody/nothing is neither packaged nor a folder here. Add --allow-download",
        {"model_name": "nobody/nothing"},
    ),
    "unknown keep policy": Wrong(
        2, "--keep is 'newest'; it must be first, longest, shortest, column:NAME", {"keep": "newest"}
    ),
    "memory that is no size": Wrong(
        2, "--max-memory is 'lots'; it must be a size above 0 such as 8GB", {"max_memory": "lots"}
    ),
    "malformed line under --strict": Wrong(
        64,
        "data.jsonl, line 2: malformed JSON: Unterminated string",
        {},
        lambda workspace: workspace.input.write_text('{"text": "fine"}\n{"text": "cut of\n'),
        ("--strict",),
    ),
    "audit log with an unknown ending": Wrong(
        2, "--audit-log audit.txt: the ending tells the format; known are .jsonl,", {"audit_log": "audit.txt"}
    ),
    "audit log is the output": Wrong(2, "--audit-log cleaned.jsonl and --output ", {"audit_log": "cleaned.jsonl"}),
    "source priority without a column": Wrong(
        2, "--source-column is ''; it must be the column --source-priority is about.", {"source_priority": "a,b"}
    ),
    "overlap without chunks": Wrong(
        2, "--chunk-overlap is 5; it must be 0 to 0, below --chunk-size.", {"chunk_overlap": "5"}
    ),
    "loss above all": Wrong(2, "--max-loss is 2.0; it must be a share from 0 to 1", {"max_loss": "2"}),
    "output with a name that is too long": Wrong(
        66, f"--output {'o' * 300}.jsonl cannot be written (File name too long).", {"output": "o" * 300 + ".jsonl"}
    ),
    "checkpoint dir with a name that is too long": Wrong(
        66, f"--checkpoint-dir {'c' * 300} cannot be used (File name too long).", {"checkpoint_dir": "c" * 300}
    ),
    "input with a name that is too long": Wrong(
        65, f"{'i' * 300}.jsonl cannot be read (File name too long).", {"input": "i" * 300 + ".jsonl"}
    ),
    "nested values for CSV": Wrong(
        64,
        "Column 'n' is nested (lists); CSV has no place for that. Write JSONL.",
        {"output": "cleaned.csv"},
        lambda workspace: workspace.input.write_text('{"text": "a", "n": [1]}\n'),
    ),
    "values of several kinds for Parquet": Wrong(
        64,
        "line 2: column 'n' holds text here and whole numbers before. Write JSONL",
        {"output": "cleaned.parquet"},
        lambda workspace: workspace.input.write_text('{"text": "a", "n": 1}\n{"text": "b", "n": "x"}\n'),
    ),
    "unknown kind of protection": Wrong(
        2,
        "--protect is 'numbers,colours'; it must be one or more of numbers, negation, names, frame, with commas",
        {"protect": "numbers,colours"},
    ),
    "no kind of protection": Wrong(2, "For none of them there is --no-protect.", {"protect": ","}),
    "protection and none": Wrong(
        2,
        "--no-protect and --protect say the opposite of each other.",
        {"protect": "numbers"},
        switches=("--no-protect",),
    ),
    "audit texts of no length": Wrong(
        2,
        "--audit-text is '0'; it must be a number of characters above 0, or full.",
        {"audit_text": "0", "audit_log": "audit.csv"},
    ),
    "audit texts without an audit": Wrong(
        2, "--audit-text says how much of each text --audit-log has.", {"audit_text": "9"}
    ),
    "json and data both on stdout": Wrong(
        2, "--json - and --output - would mix on stdout.", {"json": "-", "output": "-"}
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_answered_and_loses_nothing(name: str, workspace: Workspace) -> None:
    wrong = WRONG[name]
    workspace.output.write_text(OLD)
    wrong.prepare(workspace)
    before = snapshot(workspace.folder)
    ended = workspace.answer(*workspace.flags(*wrong.switches, **wrong.flags))
    assert ended.code == wrong.code, ended.stderr
    assert wrong.says in ended.stderr
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
    ended = workspace.answer("--input", "data.jsonl", "--output", "cleaned.jsonl", "--resume")
    assert ended.code == 2
    assert "--resume needs --checkpoint-dir" in ended.stderr


@pytest.mark.parametrize("flag", ["--json", "--separators", "--audit-log", "--output"])
def test_a_flag_without_its_value_does_not_take_the_next_flag_for_it(flag: str, workspace: Workspace) -> None:
    ended = workspace.answer("--input", "data.jsonl", "--output", "cleaned.jsonl", flag, "--dry-run")
    assert ended.code == 2
    assert ended.stderr.startswith(f"entropyguard: {flag} needs a value, and --dry-run is a flag.")
    assert not workspace.output.exists()


def test_no_flag_takes_a_value_in_one_command_and_none_in_another() -> None:
    group = typer.main.get_group(app)
    options = [one for command in (group, *group.commands.values()) for one in command.params if one.opts[0][0] == "-"]
    valued = {name for one in options if not one.is_flag for name in one.opts}  # type: ignore[attr-defined]
    assert {"--input", "--json", "--from"} <= valued
    assert valued.isdisjoint(name for one in options if one.is_flag for name in one.opts)  # type: ignore[attr-defined]


def test_escapes_in_names_and_data_do_not_reach_the_terminal(workspace: Workspace) -> None:
    name = "e\x1b[31mvil.jsonl"
    (workspace.folder / name).write_text('bad\n{"text": "a"}\n')
    ended = workspace.run("--strict", input=name)
    assert ended.code == 64
    assert r"e\x1b[31mvil.jsonl" in ended.stderr
    assert "\x1b" not in ended.stderr


def test_missing_flags_are_named(workspace: Workspace) -> None:
    ended = workspace.answer()
    assert ended.code == 2
    assert "--input and --output" in ended.stderr


def test_several_text_columns_are_listed(workspace: Workspace) -> None:
    workspace.input.write_text('{"title": "a", "body": "b"}\n')
    ended = workspace.answer(*workspace.flags())
    assert ended.code == 64
    assert "title, body" in ended.stderr


def test_the_only_text_column_is_found(workspace: Workspace) -> None:
    workspace.input.write_text('{"n": 1, "body": "b"}\n{"n": 2, "body": "B"}\n')
    assert workspace.run().code == 0
    assert workspace.kept() == [{"n": 1, "body": "b"}]


def test_a_read_only_output_folder_is_refused(workspace: Workspace) -> None:
    folder = workspace.folder / "locked"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.geteuid() == 0:  # root may write anywhere, but not without this capability
        workspace.launcher = ["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override"]
    ended = workspace.run(output=folder / "cleaned.jsonl")
    assert ended.code == 66
    assert f"cleaned.jsonl cannot be written: {folder} or the file is read-only." in ended.stderr
    assert list(folder.iterdir()) == []


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
