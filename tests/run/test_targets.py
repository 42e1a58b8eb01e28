"""Where results may be written: never onto the input, another result, or a project's file, however it is spelled."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.checkpoint import CheckpointManager
from entropyguard.core.errors import OutputError, UsageError
from entropyguard.project.pipeline import packaged_files
from entropyguard.run.publish import publish, whole_file
from entropyguard.run.streams import descriptor_of
from entropyguard.run.targets import Target, check_input, check_targets
from tests.conftest import Workspace

FLAGS = ("--input", "--output", "--audit-log", "--report", "--json", "--plot")
NAME = "data/Rows.jsonl"


def same_path(folder: Path) -> str:
    return str(folder / NAME)


def relative_path(folder: Path) -> str:
    return os.path.relpath(folder / NAME)


def path_with_dots(folder: Path) -> str:
    return f"{folder}/data/../data/./Rows.jsonl"


def path_with_two_slashes(folder: Path) -> str:
    return f"{folder}//data//Rows.jsonl"


def link(folder: Path) -> str:
    (folder / "link.jsonl").symlink_to(NAME)
    return str(folder / "link.jsonl")


def link_to_a_link(folder: Path) -> str:
    (folder / "second.jsonl").symlink_to(link(folder))
    return str(folder / "second.jsonl")


def hard_link(folder: Path) -> str:
    (folder / "hard.jsonl").hardlink_to(folder / NAME)
    return str(folder / "hard.jsonl")


def linked_folder(folder: Path) -> str:
    (folder / "elsewhere").symlink_to("data")
    return str(folder / "elsewhere" / "Rows.jsonl")


def dots_behind_a_link(folder: Path) -> str:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "jump").symlink_to(folder / "data")
    return f"{folder}/jump/../{NAME}"


def other_case(folder: Path) -> str:
    return str(folder / "data" / "rows.jsonl")


def other_folder(folder: Path) -> str:
    return str(folder / "Rows.jsonl")


def copy(folder: Path) -> str:
    (folder / "copy.jsonl").write_bytes((folder / NAME).read_bytes())
    return str(folder / "copy.jsonl")


SAME: list[Callable[[Path], str]] = [
    *(same_path, relative_path, path_with_dots, path_with_two_slashes, dots_behind_a_link),
    *(link, link_to_a_link, linked_folder),
]
OTHER: tuple[Callable[[Path], str], ...] = (other_case, other_folder)


def check(first: Target, second: Target) -> None:
    """What a run or a sweep with these two flags checks."""
    wanted = [target for target in (first, second) if target.flag != "--input"]
    check_targets(wanted)
    for target in (first, second):
        if target.flag == "--input":
            check_input(wanted, target.path, [Path(target.path)])


CASES = [(spelling, exists) for spelling in (*SAME, *OTHER) for exists in (True, False)]
CASES += [(hard_link, True), (copy, True)]  # of what is there


@pytest.mark.parametrize(("spelling", "exists"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_two_flags_never_name_one_file(spelling: Callable[[Path], str], tmp_path: Path, *, exists: bool) -> None:
    (tmp_path / "data").mkdir()
    if exists:
        (tmp_path / NAME).write_text("the user's\n")
    other = spelling(tmp_path)
    for flags in permutations(FLAGS, 2):
        if "--input" in flags and not exists:
            continue  # an input is there
        first, second = Target(flags[0], same_path(tmp_path)), Target(flags[1], other)
        if spelling in (*OTHER, copy):
            check(first, second)
            continue
        with pytest.raises(UsageError) as refused:
            check(first, second)
        assert all(flag in str(refused.value) for flag in flags)
    if exists:
        assert (tmp_path / NAME).read_text() == "the user's\n"


@given(
    way=st.lists(st.sampled_from(["data", "..", ".", "elsewhere", "jump"]), max_size=8),
    flags=st.sampled_from(list(permutations(FLAGS, 2))),
)
def test_any_way_through_the_folders_is_told_by_where_it_leads(
    way: list[str], flags: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("ways")
    (root / "data" / "data").mkdir(parents=True)
    for name, to in (("elsewhere", "data"), ("jump", "data/data")):
        (root / name).symlink_to(to)
        (root / "data" / name).symlink_to(root)
    (root / NAME).write_text("the user's\n")
    folder = root.joinpath(*way)
    if not folder.is_dir() or not folder.resolve().is_relative_to(root):
        return
    wanted = Target(flags[0], str(root / NAME)), Target(flags[1], f"{'/'.join([str(root), *way])}/Rows.jsonl")
    if folder.resolve() == root / "data":
        with pytest.raises(UsageError, match=f"{flags[0]} .*{flags[1]} |{flags[1]} .*{flags[0]} "):
            check(*wanted)
    else:
        if flags[1] == "--input":
            (folder / "Rows.jsonl").write_text("another\n")
        check(*wanted)


def test_in_a_folder_that_ignores_case_names_are_compared_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entropyguard.run.targets._ignores_case", lambda folder: True)
    with pytest.raises(UsageError, match=r"--json .*É\.jsonl and --output .*é\.JSONL are the same file"):
        check_targets([Target("--output", f"{tmp_path}/é.JSONL"), Target("--json", f"{tmp_path}/É.jsonl")])


# Streams


def test_the_null_device_takes_any_number_of_results_and_stdout_one() -> None:
    check_targets([Target(flag, "/dev/null") for flag in FLAGS[1:]])
    check_targets([Target("--output", "-"), Target("--json", "/dev/stderr"), Target("--report", "/dev/null")])
    for other in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with pytest.raises(UsageError, match=r"--json .* and --output - "):
            check_targets([Target("--output", "-"), Target("--json", other)])


def test_a_descriptor_is_known_through_links(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/stderr")
    (tmp_path / "own").symlink_to("log")
    (tmp_path / "loop").symlink_to("loop")
    assert [descriptor_of(tmp_path / name) for name in ("log", "own", "loop", "file")] == [2, 2, None, None]
    with pytest.raises(OutputError, match=r"--json .*loop cannot be written"):
        check_targets([Target("--json", str(tmp_path / "loop"))])


def test_a_descriptor_that_is_closed_or_for_reading_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    refused = pytest.raises(OutputError, match=r"--report /dev/fd/\d+ is open for reading only")
    with (tmp_path / "a").open() as file, refused:
        check_targets([Target("--report", f"/dev/fd/{file.fileno()}")])
    with pytest.raises(OutputError, match="--report /dev/fd/999 cannot be written"):
        check_targets([Target("--report", "/dev/fd/999")])


def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with whole_file(pipe, "--audit-log") as temporary:
        temporary.write_bytes(b"rows")
    reader.join()
    assert got == [b"rows"]
    assert pipe.is_fifo()


def test_an_open_descriptor_goes_on_where_it_was(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb", buffering=0) as file:
        file.write(b"before\n")
        with whole_file(f"/dev/fd/{file.fileno()}", "--json") as temporary:
            temporary.write_bytes(b"{}\n")
        file.write(b"after\n")
    assert log.read_bytes() == b"before\n{}\nafter\n"


def test_a_device_that_is_full_and_a_reader_that_has_gone_name_the_flag(tmp_path: Path) -> None:
    built = tmp_path / "built"
    built.write_bytes(b"x" * 1000)
    with pytest.raises(OutputError, match="--report /dev/full could not be written"):
        publish(built, "/dev/full", "--report")
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(OutputError, match=r"--json /dev/fd/\d+: its reader has gone"):
        publish(built, f"/dev/fd/{writer}", "--json")
    os.close(writer)


# Files


def test_a_copy_that_ends_too_early_is_an_error_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, output = tmp_path / "built", tmp_path / "out.jsonl"
    built.write_bytes(b"x" * 1000)
    output.write_text("old\n")
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    with pytest.raises(OutputError, match=r"--output .*ended 1,000 bytes too early.*what was there before stays"):
        publish(built, str(output))
    assert output.read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "out.jsonl"]


def test_a_hard_link_elsewhere_keeps_its_bytes_and_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("old")
    (tmp_path / "hard").hardlink_to(tmp_path / "mine")
    (tmp_path / "link").symlink_to("mine")
    with whole_file(tmp_path / "link", "--report") as temporary:
        temporary.write_text("new")
    texts = [(tmp_path / name).read_text() for name in ("mine", "hard", "link")]
    assert texts == ["new", "old", "new"]
    assert (tmp_path / "link").is_symlink()


# Projects


@pytest.fixture
def data_repo(tmp_path: Path) -> Path:
    """A folder with our pipeline in it."""
    for name, packaged in packaged_files().items():
        (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / name).write_bytes(packaged.read_bytes())
    return tmp_path / "repo"


def test_what_a_projects_own_files_are(data_repo: Path) -> None:
    ours = [
        *("dvc.yaml", "params.yaml", "dvc.lock", "stages/embed.py", ".dvc/config", ".entropyguard/x", ".gitignore"),
        *("report.json", "cleaned.csv", "dropped/exact.parquet", "plots/rows.svg", "../repo/stages/../dvc.yaml"),
    ]
    (data_repo / ".entropyguard").mkdir()
    (data_repo.parent / "link").symlink_to(data_repo)
    for name in ours:
        for root in (data_repo, data_repo.parent / "link"):
            with pytest.raises(UsageError, match=r"is a file of the entropyguard project in .*repo"):
                check_targets([Target("--json", str(root / name))])
    (data_repo / "stages").joinpath("mine.py").touch()
    check_targets([Target("--json", str(data_repo / name)) for name in ("a.json", "stages/mine.py", "data.jsonl")])


def test_the_files_of_saved_checkpoints_are_a_projects_own(tmp_path: Path) -> None:
    import polars as pl

    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    CheckpointManager(tmp_path).save_checkpoint("train", pl.DataFrame({"a": [1]}), tmp_path / "data.jsonl", {})
    for name in ("train.parquet", "checkpoint_metadata.json", ".entropyguard/metadata.lock"):
        with pytest.raises(UsageError, match="is a file of the entropyguard project"):
            check_targets([Target("--audit-log", str(tmp_path / name))])
    check_targets([Target("--output", str(tmp_path / "test.parquet"))])


@pytest.mark.parametrize(
    ("spec", "inside", "outside"),
    [
        ("data", ["data/new.jsonl", "data/deep/new.csv", "link/new.jsonl"], ["data/summary.json", "new.jsonl"]),
        ("data/*.jsonl", ["data/new.jsonl", "link/new.jsonl"], ["data/new.csv", "data/deep/new.jsonl"]),
        ("data/**/*.jsonl", ["data/new.jsonl", "data/deep/new.jsonl"], ["new.jsonl"]),
        ("*/n?w.jsonl", ["data/new.jsonl"], ["data/deep/new.jsonl", "new.jsonl"]),
    ],
)
def test_what_the_next_run_would_read_is_no_place_for_a_result(
    spec: str, inside: list[str], outside: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path)
    for root in ("", f"{tmp_path}/"):
        for name in inside:
            with pytest.raises(UsageError, match=rf"--json .*{name} would be read as part of --input "):
                check_input([Target("--json", name)], root + spec, [])
        check_input([Target("--json", name) for name in outside], root + spec, [])


# The command line


@pytest.mark.pipeline
def test_no_flag_of_the_command_line_overwrites_a_file_of_the_users(finished: Workspace) -> None:
    finished.run("--resume", "--json", "summary.json")
    folder = finished.folder
    for name, to in (("link.jsonl", "data.jsonl"), ("report.html", "data.jsonl"), ("away", ".")):
        (folder / name).symlink_to(to)
    (folder / "hard.jsonl").hardlink_to(finished.input)
    (folder / "plot.svg").symlink_to("hard.jsonl")
    (folder / "copy.jsonl").symlink_to("cleaned.jsonl")
    runs = [
        ({"json": "data.jsonl"}, "--input"),
        ({"json": "away/data.jsonl"}, "--input"),
        ({"audit_log": "hard.jsonl"}, "--input"),
        ({"report": "report.html"}, "--input"),
        ({"output": "./link.jsonl"}, "--input"),
        ({"json": "cleaned.jsonl"}, "--output"),
        ({"audit_log": "copy.jsonl"}, "--output"),
        ({"audit_log": "new.jsonl", "json": "away/./new.jsonl"}, "--audit-log"),
        ({"audit_log": "checkpoints/a.jsonl"}, "--checkpoint-dir"),
        ({"json": "away/checkpoints/params.yaml"}, "--checkpoint-dir"),
        ({"report": "checkpoints/report.html", "checkpoint_dir": "new"}, "project in"),
    ]
    before = everything(folder)
    for flags, other in runs:
        ended = finished.answer(*finished.flags("--resume", **flags))
        assert (ended.code, ended.stdout) == (2, ""), ended.stderr
        assert other in ended.stderr
        assert f"--{next(iter(flags)).replace('_', '-')} " in ended.stderr
    for flag, path in (("--json", "data.jsonl"), ("--plot", "plot.svg"), ("--json", "checkpoints/report.json")):
        ended = finished.answer("sweep", "--checkpoint-dir", finished.checkpoints, flag, path)
        assert ended.code == 2, ended.stderr
        assert flag in ended.stderr
    with (folder / "data.jsonl").open("rb") as stdin:
        ended_with_stdin = subprocess.run(
            finished.command("--input", "-", "--output", "data.jsonl"),
            cwd=folder,
            env=finished.env(),
            stdin=stdin,
            capture_output=True,
            check=False,
        )
    assert ended_with_stdin.returncode == 2
    assert b"--output data.jsonl is a file of --input -" in ended_with_stdin.stderr
    assert everything(folder) == before


def everything(folder: Path) -> dict[str, bytes]:
    """All files below a folder, but for the locks in a checkpoint dir."""
    files = (path for path in folder.rglob("*") if path.is_file() and "lock" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.pipeline
def test_results_are_written_through_pipes_and_descriptors(finished: Workspace) -> None:
    command = " ".join(finished.command("--input", "data.jsonl", "--output", "cleaned.jsonl", "--quiet"))
    command += f" --model-name '{finished.model}' --checkpoint-dir checkpoints --resume"
    command += " --json /dev/stderr --report /dev/null --audit-log >(gzip >audit.gz) 2>log"
    command += "; for _ in {1..100}; do [ -s audit.gz ] && break; sleep 0.1; done"
    done = subprocess.run(
        ["bash", "-c", command], cwd=finished.folder, env=finished.env(), capture_output=True, check=False
    )
    log = (finished.folder / "log").read_text()
    assert done.returncode == 0
    assert json.loads(log)["rows"]["in"] == 10
    audit = subprocess.run(["gzip", "-dc", finished.folder / "audit.gz"], capture_output=True, check=True).stdout
    assert [json.loads(line)["stage"] for line in audit.splitlines()] == ["exact_dedup", *["semantic_dedup"] * 2]
