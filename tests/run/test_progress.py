"""The line that says how far a run is: what it says, how wide it gets, and what it leaves on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from entropyguard.core.params import Params
from entropyguard.core.storage.files import write_json
from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project
from entropyguard.project.records import Output, Record, write_record
from entropyguard.run.progress import file_progress
from entropyguard.run.progress_line import Line, progress_text, time_left_text
from entropyguard.run.settings import default_params
from entropyguard.run.time_left import Rate
from entropyguard.run.watch_run import RunWatch
from tests.conftest import Workspace

RUN = "this run"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0, "less than 1 min left"),
        (44, "less than 1 min left"),
        (46, "about 1 min left"),
        (200, "about 3 min left"),
        (11 * 60, "about 10 min left"),
        (43 * 60, "about 45 min left"),
        (58 * 60, "about 1 h left"),
        (100 * 60, "about 1.5 h left"),
        (26 * 3600, "about 26 h left"),
        (100 * 3600, "about 4 days left"),
    ],
)
def test_the_time_left_is_no_more_exact_than_it_is_known(seconds: float | None, said: str) -> None:
    assert time_left_text(seconds) == said


def going(done: int, total: int | None, seconds: float) -> Rate:
    """A stage that began at 0 and has done so much after these seconds."""
    rate = Rate(0.0)
    rate.hear(0, total, 0.0)
    rate.hear(done, total, seconds)
    return rate


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (79, "stage 4 of 7: embed, 12,400 of 20,000 rows, 310 rows/s, about 3 min left"),
        (72, "stage 4 of 7: embed, 62 %, 310 rows/s, about 3 min left"),
        (50, "stage 4 of 7: embed, 62 %, about 3 min left"),
        (42, "stage 4 of 7: embed, about 3 min left"),
        (30, "stage 4 of 7: embed"),
        (9, "stage 4 o"),
    ],
)
def test_what_does_not_fit_is_left_out_by_how_little_it_says(width: int, said: str) -> None:
    assert progress_text("embed", "stage 4 of 7: ", going(12_400, 20_000, 40.0), 40.0, 180.0, width) == said


def test_the_line_keeps_its_form_while_its_numbers_grow() -> None:
    for width in range(20, 110):
        lines = [
            progress_text("embed", "stage 4 of 7: ", going(done, 20_000, done / 310), done / 310, left, width)
            for done, left in ((1_000, None), (9_990, 200.0), (19_999, 5.0))
        ]
        assert len({(" of 20" in line, "%" in line) for line in lines}) == 1
        assert max(map(len, lines)) <= width


def test_of_a_search_only_the_share_is_said() -> None:
    text = progress_text("similar_pairs", "", going(66, 78, 40.0), 40.0, None, 100)
    assert text == "similar_pairs, 84 %"


def test_of_a_stage_that_says_nothing_its_name_is_shown() -> None:
    assert progress_text("export", "stage 7 of 7: ", Rate(0.0), 5.0, None, 100) == "stage 7 of 7: export"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkpoint dir in which nothing was built."""
    project = Project(tmp_path)
    project.paths.ours.mkdir()
    return project


def watched(project: Project, ahead: list[str], *, resume: bool = False, params: Params | None = None) -> RunWatch:
    return RunWatch(Project(project.root), RUN, ahead, params or default_params(), resume=resume)


def start(project: Project, stage: str, done: int | None = None, total: int | None = None) -> None:
    """What a stage leaves at its start, and as it goes on."""
    write_json(project.paths.running, {"stage": stage, "pid": 1})
    project.paths.progress.unlink(missing_ok=True)
    if done is not None:
        with file_progress(project.paths.progress, stage) as note:
            note(done, total)
            os.link(project.paths.progress, project.paths.ours / "kept")
        (project.paths.ours / "kept").rename(project.paths.progress)


def finish(project: Project, stage: str, rows: int, seconds: float, run: str = RUN, **counts: int) -> None:
    """What a stage leaves at its end."""
    name = {"ingest": "ingested.parquet"}.get(stage, f"after_{stage}.parquet")
    outputs = {name: Output("digest", 2_000_000, rows, {})}
    record = Record(stage, 1, run, 0.0, seconds, 0, "model", counts, {}, outputs)
    write_record(project.paths.record(stage), record)
    project.paths.running.unlink(missing_ok=True)
    project.paths.progress.unlink(missing_ok=True)


def test_a_run_is_one_line_from_its_first_stage_to_its_last(project: Project) -> None:
    watch = watched(project, list(STAGES))
    assert watch.look(0.0, 200) is None
    start(project, "ingest")
    assert watch.look(1.0, 200) == "stage 1 of 7: ingest"
    start(project, "ingest", 5_000)
    assert watch.look(2.0, 200) == "stage 1 of 7: ingest, 5,000 rows"
    finish(project, "ingest", 20_000, 3.0)
    assert "stage 1 of 7: ingest" in str(watch.look(3.0, 200))  # until the next one is at work
    start(project, "exact_dedup")
    assert watch.look(4.0, 200) == "stage 2 of 7: exact_dedup"  # nobody knows yet what the model takes
    finish(project, "exact_dedup", 19_000, 0.5)
    start(project, "embed", 0, 19_000)
    watch.look(10.0, 200)
    start(project, "embed", 1_900, 19_000)
    assert watch.look(30.0, 200) == "stage 4 of 7: embed, 1,900 of 19,000 rows, 95 rows/s, about 3 min left"
    finish(project, "embed", 19_000, 200.0)
    start(project, "export")
    assert watch.look(210.0, 200) == "stage 7 of 7: export, less than 1 min left"


def test_what_a_run_that_was_killed_left_is_not_this_runs_progress(project: Project) -> None:
    start(project, "embed", 7, 10)
    assert watched(project, list(STAGES)).look(0.0, 200) is None


def test_a_run_that_goes_on_knows_the_time_from_the_earlier_one(project: Project) -> None:
    for stage, seconds in {"ingest": 3.0, "exact_dedup": 1.0, "near_dedup": 9.0, "export": 600.0}.items():
        finish(project, stage, 20_000, seconds, run="earlier")
    watch = watched(project, ["export"], resume=True)
    start(project, "export")
    assert watch.look(0.0, 200) == "stage 7 of 7: export, about 10 min left"


def test_no_model_is_waited_for_where_none_is_used(project: Project) -> None:
    params = default_params().as_dict()
    params["semantic"]["enabled"] = False
    watch = watched(project, list(STAGES), params=Params.from_dict(params))
    start(project, "ingest")
    watch.look(0.0, 200)
    finish(project, "ingest", 1_000_000, 7.0)
    start(project, "exact_dedup")
    assert watch.look(8.0, 200) == "stage 2 of 7: exact_dedup, about 4 min left"


def test_elsewhere_than_on_a_terminal_a_line_comes_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    line = Line()
    for second in range(100):
        now = float(second)
        line.show(f"at {second}")
    line.clear()
    assert capsys.readouterr().err == "at 30\nat 60\nat 90\n"


def on_terminal(command: Sequence[str], env: dict[str, str], cwd: Path) -> str:
    """What a command leaves on a terminal of 70 columns."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["sh", "-c", 'stty cols 70; exec "$@"', "sh", *command],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**env, "TERM": "xterm"}, cwd=cwd, start_new_session=True,
    ):  # fmt: skip
        os.close(theirs)
        said = b""
        while True:
            try:
                said += (part := os.read(ours, 1 << 16))
            except OSError:  # nobody has it open any more
                break
            if not part:
                break
    os.close(ours)
    return said.decode()


@pytest.mark.pipeline
def test_on_a_terminal_the_line_is_rewritten_and_gone_at_the_end(workspace: Workspace) -> None:
    flags = {
        "--input": workspace.input,
        "--output": workspace.output,
        "--checkpoint-dir": workspace.checkpoints,
        "--model-name": workspace.model,
    }
    command = workspace.command(*(part for flag in flags.items() for part in flag))
    said = on_terminal(command, workspace.env(), workspace.folder)
    head, lines = said.split("\r\x1b[K", 1)  # cleared, and only then the summary
    states = head.split("\r")[1:]
    assert states
    assert all(state.startswith("stage ") and state.endswith("\x1b[K") and len(state) < 73 for state in states)
    places = [int(state.split()[1]) for state in states]
    assert places == sorted(places)
    assert places[-1] == 7
    assert lines.startswith("ingest          ran")
    assert "stage " not in lines


@pytest.mark.pipeline
def test_a_stage_of_plain_dvc_shows_itself(tmp_path: Path) -> None:
    script = (
        "from entropyguard.run.progress import terminal_progress\n"
        "with terminal_progress('embed') as progress: progress(10, 20)\n"
    )
    said = on_terminal([sys.executable, "-c", script], dict(os.environ), tmp_path)
    assert said == "\rembed, 10 of 20 rows\x1b[K\r\x1b[K"
