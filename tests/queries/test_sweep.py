"""sweep: what other thresholds would drop, from stored pairs; below the floor from a further search."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from entropyguard.cli.printing_sweep import check_sweep_targets
from entropyguard.core.decisions.greedy import KEPT
from entropyguard.core.errors import OutputError, UsageError
from entropyguard.core.near import near_dedup
from entropyguard.core.params import KeepParams, SemanticParams
from entropyguard.core.report import sweep as core_sweep
from entropyguard.core.report.lineage import Row
from entropyguard.core.report.pair_stats import Pair
from entropyguard.core.report.sweep import TEXT_CHARS, Example, near_steps, sweep_steps, thresholds_between
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.visible import visible
from entropyguard.project.project import Project
from entropyguard.queries.further_search import known_pairs, search_further
from entropyguard.queries.sweep import SweepRequest, check_range
from entropyguard.run.settings import default_params
from tests.conftest import TEXTS, Workspace, stage_outputs
from tests.data_repo import Repo
from tests.made_near import write_near
from tests.made_once import MadeOnce
from tests.semantic.test_semantic import BIG, dedup, write_pairs, write_rows
from tests.static_model import WORDS

CHAIN = {(0, 1): 0.97, (1, 2): 0.96, (0, 2): 0.91, (2, 3): 0.92, (0, 4): 0.9, (3, 4): 0.99}
"""0-1-2 is a chain: 2 is near 1 and, less so, 0."""

GRID = [0.9, 0.91, 0.92, 0.93, 0.95, 0.96, 0.97, 0.98, 1.0]


def graded_texts() -> list[str]:
    """Pairs of rows that have all but one of their 4 to 16 words in common: of similarities between 0.7 and 0.95."""
    words = WORDS.split()
    texts = []
    for at, length in enumerate(range(4, 17)):
        common = " ".join(words[at * 30 : at * 30 + length - 1])
        texts += [f"{common} {words[at * 30 + 20]}", f"{common} {words[at * 30 + 21]}"]
    return texts


@pytest.mark.parametrize("cluster", ["stars", "components"])
@pytest.mark.parametrize("scores", [None, [1, 2, 5, 4, 3]])
def test_each_step_drops_what_a_run_at_that_threshold_drops(
    tmp_path: Path, cluster: str, scores: list[int] | None
) -> None:
    rows, pairs = write_rows(tmp_path / "a.parquet", list(range(5)), scores or [0] * 5), tmp_path / "p.parquet"
    write_pairs(pairs, CHAIN)
    keep = KeepParams("column:score" if scores else "first", "", ())
    semantic = SemanticParams(enabled=True, dedup_threshold=0.95, cluster=cluster, protect=())
    steps = sweep_steps(
        [(threshold, Checkpoint(pairs)) for threshold in GRID], Checkpoint(rows), semantic, keep, 0, BIG
    )
    for step in steps:
        _, dropped, _ = dedup(tmp_path, list(range(5)), CHAIN, step.threshold, scores, cluster=cluster)
        assert (step.rows, step.dropped) == (5, len(dropped))


@pytest.mark.parametrize("scores", [None, [1, 2, 5, 4, 3]])
def test_each_step_of_near_dedup_drops_what_a_run_at_that_threshold_drops(
    tmp_path: Path, scores: list[int] | None
) -> None:
    rows = Checkpoint(write_rows(tmp_path / "after_exact_dedup.parquet", list(range(5)), scores or [0] * 5))
    pairs = tmp_path / "near_pairs.parquet"
    (tmp_path / "dropped").mkdir()
    write_near(tmp_path, [(a, b, similarity) for (a, b), similarity in CHAIN.items()])
    near, keep = default_params().near, KeepParams("column:score" if scores else "first", "", ())
    steps = list(near_steps(GRID, rows, Checkpoint(pairs), near, keep, 2, BIG))
    for threshold, step in zip(GRID, steps, strict=True):
        decisions = near_dedup.decide(rows, Checkpoint(pairs), replace(near, threshold=threshold), keep, BIG)
        assert (step.threshold, step.rows, step.dropped) == (threshold, 5, (decisions.keeper != KEPT).sum())
    assert steps[0].dropped > steps[-2].dropped > steps[-1].dropped == 0
    if scores is None:
        assert steps[1].borderline == (Pair(0.91, 2, 0),)  # 3 stays without it, and 4 is nearer to 3 than to 0


def test_rows_that_differ_in_numbers_stay_where_they_are_protected(tmp_path: Path) -> None:
    texts = ["version 1", "version 2", "another text"]
    rows, pairs = write_rows(tmp_path / "a.parquet", [0, 1, 2], [0] * 3, texts), tmp_path / "p.parquet"
    write_pairs(pairs, {(0, 1): 0.98, (0, 2): 0.96})
    semantic, keep = (
        SemanticParams(enabled=True, dedup_threshold=0.95, cluster="stars", protect=("numbers",)),
        KeepParams("first", "", ()),
    )
    (step,) = sweep_steps([(0.95, Checkpoint(pairs))], Checkpoint(rows), semantic, keep, 5, BIG)
    assert (step.dropped, step.unguarded, step.apart) == (1, 2, {"numbers": 1})
    assert step.borderline == (Pair(0.96, 2, 0),)


def test_borderline_pairs_lie_between_two_thresholds_one_for_each_keeper(tmp_path: Path) -> None:
    pairs = {(0, 1): 0.93, (0, 2): 0.92, (3, 4): 0.924, (5, 6): 0.921, (5, 7): 0.95}
    rows = write_rows(tmp_path / "a.parquet", list(range(8)), [0] * 8)
    semantic, keep = (
        SemanticParams(enabled=True, dedup_threshold=0.95, cluster="stars", protect=()),
        KeepParams("first", "", ()),
    )
    chosen = [(threshold, Checkpoint(write_pairs(tmp_path / "p.parquet", pairs))) for threshold in (0.9, 0.93)]
    low, high = sweep_steps(chosen, Checkpoint(rows), semantic, keep, 2, BIG)
    assert len({pair.other for pair in low.borderline}) == 2
    assert set(low.borderline) < {Pair(0.92, 2, 0), Pair(0.924, 4, 3), Pair(0.921, 6, 5)}
    assert high.borderline == (Pair(0.93, 1, 0), Pair(0.95, 7, 5))


def test_borderline_pairs_are_drawn_from_the_whole_band_and_always_the_same(tmp_path: Path) -> None:
    pairs = {(2 * at, 2 * at + 1): 0.9 + at / 2_000 for at in range(20)}
    rows = Checkpoint(write_rows(tmp_path / "a.parquet", list(range(40)), [0] * 40))
    stored = Checkpoint(write_pairs(tmp_path / "p.parquet", pairs))
    semantic = SemanticParams(enabled=True, dedup_threshold=0.95, cluster="stars", protect=())
    drawn = [
        next(sweep_steps([(0.9, stored), (0.92, stored)], rows, semantic, KeepParams("first", "", ()), count, BIG))
        for count in (6, 6, 99)
    ]
    assert drawn[0] == drawn[1]
    similarities = [pair.similarity for pair in drawn[0].borderline]
    assert similarities == sorted(similarities)
    assert len(similarities) == 6
    assert similarities[0] < 0.905 < similarities[-1]
    assert len(drawn[2].borderline) == 20


def test_thresholds_are_decimal_and_hold_the_one_in_params() -> None:
    assert thresholds_between(0.9, 0.99, 0.01, 0.95) == [
        0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99
    ]  # fmt: skip
    assert thresholds_between(0.9, 0.95, 0.02, 0.93) == [0.9, 0.92, 0.93, 0.94]
    assert thresholds_between(0.9, 0.95, 0.02, 0.8) == [0.9, 0.92, 0.94]
    assert thresholds_between(1.0, 1.0, 0.5, 0.8) == [1.0]


def example(one: str, other: str) -> Example:
    return core_sweep._example(Pair(0.9, 1, 0), Row(1, "a", 2, one), Row(0, "a", 1, other))


def test_long_texts_are_cut_to_where_they_begin_to_differ() -> None:
    same = "x" * 10_000
    shown = example(same + "one" + same, same + "other" + same)
    for row, own in ((shown.row, "one"), (shown.keeper, "other")):
        assert own in row.text
        assert len(row.text) == TEXT_CHARS + 2
        assert row.text[0] == row.text[-1] == "…"
    short = example("a text", "a text, longer")
    assert (short.row.text, short.keeper.text) == ("a text", "a text, longer")
    assert example("y" * 500, "z").row.text == "y" * TEXT_CHARS + "…"


def test_what_a_terminal_would_obey_is_shown_as_escapes() -> None:
    assert visible("a\x1b[31mb\nc\u202ed\x07é日", keep="") == r"a\x1b[31mb\nc\u202ed\x07é日"


@pytest.fixture
def finished(made_once: MadeOnce, model: Path, tmp_path: Path) -> Workspace:
    """A workspace after its first run, on graded texts, too."""

    def build(folder: Path) -> None:
        made = Workspace(folder, model)
        made.write_rows([*TEXTS, *graded_texts()])
        assert made.run().code == 0

    return Workspace(made_once("graded", build), model).copied(tmp_path)


def swept(workspace: Workspace, *arguments: str) -> dict[str, Any]:
    """The JSON of a sweep."""
    ended = workspace.call("sweep", "--checkpoint-dir", workspace.checkpoints, *arguments, "--json", "-")
    assert ended.code == 0, ended.stderr
    content: dict[str, Any] = json.loads(ended.stdout)
    return content


def dropped_by_runs(workspace: Workspace, thresholds: Sequence[float]) -> list[int]:
    """How many semantic duplicates runs at these thresholds drop."""
    counts = []
    for threshold in thresholds:
        assert workspace.run("--resume", dedup_threshold=str(threshold)).code == 0
        report = json.loads((workspace.checkpoints / "report.json").read_text())
        counts.append(report["rows"]["dropped"]["semantic"])
    return counts


@pytest.mark.pipeline
def test_a_sweep_tells_what_runs_drop_and_changes_nothing(finished: Workspace) -> None:
    before = stage_outputs(finished.checkpoints)
    found = swept(finished, "--from", "0.9", "--to", "0.96", "--step", "0.02", "--examples", "1")
    assert stage_outputs(finished.checkpoints) == before
    assert found["rows"] == len(TEXTS) - 1 + len(graded_texts())
    thresholds = found["thresholds"]
    assert [step["threshold"] for step in thresholds] == [0.9, 0.92, 0.94, 0.95, 0.96]
    assert [step["in_params"] for step in thresholds] == [False, False, False, True, False]
    dropped = [step["dropped"] for step in thresholds]
    assert len(set(dropped)) >= 3
    assert [step["change"] for step in thresholds] == [None, *(b - a for a, b in pairwise(dropped))]
    assert dropped[::4] == dropped_by_runs(finished, [0.9, 0.96])
    (shown,) = thresholds[0]["examples"]
    assert 0.9 <= shown["similarity"] < 0.92
    texts = [*TEXTS, *graded_texts()]
    for row in (shown["row"], shown["keeper"]):
        assert row["text"] == texts[row["row_id"]]


@pytest.mark.pipeline
def test_below_the_floor_the_cost_is_told_and_nothing_is_searched(finished: Workspace) -> None:
    ended = finished.call("sweep", "--from", "0.8", "--checkpoint-dir", finished.checkpoints)
    assert ended.code == 2
    assert "search.floor 0.9" in ended.stderr
    assert f"--extend searches the stored vectors of {len(TEXTS) - 1 + len(graded_texts())} rows" in ended.stderr
    assert " s of the stored search" in ended.stderr
    assert ended.stdout == ""
    assert not (finished.checkpoints / ".entropyguard" / "sweep").exists()


@pytest.mark.pipeline
def test_extend_finds_what_a_run_with_that_floor_finds(finished: Workspace) -> None:
    flags = ("--from", "0.75", "--to", "0.9", "--step", "0.05")
    found = swept(finished, *flags, "--extend")
    again = swept(finished, *flags)  # from the search that lies there
    assert again == found
    dropped = [step["dropped"] for step in found["thresholds"]]
    further = finished.checkpoints / ".entropyguard" / "sweep" / "pairs.parquet"
    pairs = pl.read_parquet(further)
    assert len(set(dropped)) >= 3
    assert dropped[2::-2] == dropped_by_runs(finished, [0.85, 0.75])
    assert pl.read_parquet(finished.checkpoints / "similar_pairs.parquet").equals(pairs)


@pytest.mark.pipeline
def test_a_search_that_is_not_of_these_vectors_and_floor_is_not_used(finished: Workspace) -> None:
    def known(floor: float) -> Path | None:
        found = known_pairs(Project(finished.checkpoints), floor)
        return None if found is None else found.path

    pairs = search_further(Project(finished.checkpoints), 0.8).path
    whole, params = pairs.read_bytes(), finished.checkpoints / "params.yaml"
    assert known(0.8) == known(0.85) == pairs
    assert known(0.79) is None
    text = params.read_text()
    params.write_text(text.replace("target_recall: 0.995", "target_recall: 0.9"))
    assert known(0.8) is None
    params.write_text(text)
    pairs.write_bytes(whole[:-1] + b"\0")
    assert known(0.8) is None
    pairs.write_bytes(whole)
    finished.write_rows([*TEXTS, *graded_texts(), "a new row about ships and the sea"])
    assert finished.run("--resume").code == 0
    assert known(0.8) is None
    search_further(Project(finished.checkpoints), 0.8)
    assert known(0.8) == pairs
    pairs.with_suffix(".json").unlink()
    assert known(0.8) is None


@pytest.mark.pipeline
def test_a_repo_stays_clean_and_clean_removes_the_further_search(repo: Repo) -> None:
    assert "ingest is not up to date" in repo.sh("entropyguard sweep", code=1)
    repo.sh("dvc repro && git add -A && git commit -qm all")
    shown = repo.sh("entropyguard sweep --from 0.8 --to 0.9 --step 0.05 --extend")
    assert "9 rows come into semantic dedup" in shown
    assert "row 8: music and dance" in shown
    assert repo.sh("dvc status -q; git status --porcelain") == ""
    assert (repo.folder / ".entropyguard" / "sweep" / "pairs.parquet").exists()
    repo.sh("entropyguard clean")
    assert not (repo.folder / ".entropyguard" / "sweep").exists()


@pytest.mark.pipeline
def test_the_plot_is_a_picture_and_the_table_marks_the_threshold(finished: Workspace) -> None:
    for name in ("sweep.png", "sweep.svg"):
        ended = finished.call(
            "sweep", "--plot", name, "--json", f"{name}.json", "--checkpoint-dir", finished.checkpoints
        )
        assert ended.code == 0, ended.stderr
        assert json.loads((finished.folder / f"{name}.json").read_text())["floor"] == 0.9
        (marked,) = [line for line in ended.stdout.splitlines() if "*" in line.split()]
        assert marked.split()[:2] == ["0.95", "*"]
    assert (finished.folder / "sweep.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    root = ElementTree.parse(finished.folder / "sweep.svg").getroot()  # noqa: S314  our own file
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "in params: 0.95" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("first", "last", "step", "says"),
    [
        (None, 1.5, 0.01, "--to is 1.5"),
        (float("nan"), 0.99, 0.01, "--from is nan"),
        (-0.5, 0.99, 0.01, "--from is -0.5"),
        (0.95, 0.92, 0.01, "--from 0.95 is above --to 0.92"),
        (0.9, 0.99, 0.0, "--step is 0"),
        (0.9, 0.99, float("nan"), "--step is nan"),
    ],
)
def test_values_that_make_no_sweep_are_named(first: float | None, last: float, step: float, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        check_range(SweepRequest(first, last, step, extend=False, examples=0))


def test_a_stage_without_thresholds_or_vectors_is_named() -> None:
    with pytest.raises(UsageError, match="--stage is 'exact'; it must be semantic or near"):
        check_range(SweepRequest(0.9, 0.99, 0.01, extend=False, examples=0, stage="exact"))
    with pytest.raises(UsageError, match="--extend searches vectors again: it goes with --stage semantic"):
        check_range(SweepRequest(0.5, 0.99, 0.01, extend=True, examples=0, stage="near"))


@pytest.mark.pipeline
def test_near_thresholds_are_swept_without_a_model_from_where_pairs_are_stored(workspace: Workspace) -> None:
    text = "seven students walk across the long bridge near the castle every morning before lunch"
    workspace.write_rows([*TEXTS, text, *(text.split(" ", less)[less] for less in (1, 2, 3))])
    assert workspace.run("--no-semantic").code == 0
    before = stage_outputs(workspace.checkpoints)
    found = swept(workspace, "--stage", "near", "--to", "0.99", "--step", "0.04", "--examples", "1")
    assert stage_outputs(workspace.checkpoints) == before
    assert (found["stage"], found["rows"], found["floor"]) == ("near", len(TEXTS) + 3, 0.75)
    assert found["settings"]["changed_words"] == "protect"
    steps = {step["threshold"]: step for step in found["thresholds"]}
    assert [at for at, step in steps.items() if step["in_params"]] == [0.85]
    assert len({step["dropped"] for step in steps.values()}) >= 3
    for threshold in (0.75, 0.95):
        assert workspace.run("--resume", "--no-semantic", near_threshold=str(threshold)).code == 0
        report = json.loads((workspace.checkpoints / "report.json").read_text())
        assert report["rows"]["dropped"]["near"] == steps[threshold]["dropped"]
    here = ("--checkpoint-dir", workspace.checkpoints)
    ended = workspace.call("sweep", "--stage", "near", *here)
    assert "13 rows come into near_dedup; it would drop (* is the threshold in params)" in ended.stdout
    assert "row 11: students walk across" in ended.stdout
    ended = workspace.call("sweep", "--stage", "near", "--from", "0.5", *here)
    assert (ended.code, ended.stdout) == (2, "")
    assert (
        "0.5 is below 0.75, from where near_dedup stored pairs. A run with --resume --near-threshold 0.5"
        in ended.stderr
    )
    assert workspace.run("--resume", "--no-semantic", near_threshold="0").code == 0
    ended = workspace.call("sweep", "--stage", "near", *here)
    assert (ended.code, ended.stdout) == (1, "")
    assert "near_dedup is off (near.threshold: 0), so there are no pairs to sweep" in ended.stderr


def test_files_that_cannot_be_written_are_named_before_any_work(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with pytest.raises(UsageError, match=r"--plot .*plot\.pdf: .*\.png and \.svg"):
        check_sweep_targets(project, None, tmp_path / "plot.pdf")
    with pytest.raises(OutputError, match=r"--plot .*no/plot\.svg"):
        check_sweep_targets(project, None, tmp_path / "no" / "plot.svg")
    with pytest.raises(OutputError, match=r"--json .*no/sweep\.json"):
        check_sweep_targets(project, str(tmp_path / "no" / "sweep.json"), None)


def test_a_folder_without_a_pipeline_is_told(workspace: Workspace) -> None:
    ended = workspace.answer("sweep")
    assert (ended.code, ended.stdout) == (2, "")
    assert "holds no entropyguard pipeline" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.pipeline
def test_checkpoints_that_are_out_of_date_or_missing_are_refused(finished: Workspace) -> None:
    command = ("sweep", "--checkpoint-dir", finished.checkpoints)
    finished.write_rows(TEXTS)
    ended = finished.call(*command)
    assert (ended.code, ended.stdout) == (1, "")
    assert "ingest is not up to date (input changed)" in ended.stderr
    assert finished.run("--resume").code == 0
    (finished.checkpoints / "similar_pairs.parquet").unlink()
    ended = finished.call(*command)
    assert (ended.code, ended.stdout) == (1, "")
    assert "similar_pairs.parquet is missing" in ended.stderr
