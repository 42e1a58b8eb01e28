"""Same template, other fact: what is kept apart, what the run says of it, and what it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entropyguard.core.report.same_template import guard_lines
from entropyguard.core.report.text_diff import shown_beside
from tests.conftest import TEXTS, Workspace
from tests.made_once import MadeOnce

pytestmark = pytest.mark.pipeline

TEMPLATE = " ".join([*TEXTS[5:10], "with {} students"])
FACTS = [*TEXTS, *(TEMPLATE.format(number) for number in (7, 8, 9, 10, 11))]


@pytest.fixture
def logs(made_once: MadeOnce, model: Path, tmp_path: Path) -> Workspace:
    """A finished run on five rows of one template, of which the numbers differ, among others."""

    def build(folder: Path) -> None:
        made = Workspace(folder, model)
        made.write_rows(FACTS)
        assert made.run().code == 0

    return Workspace(made_once("logs", build), model).copied(tmp_path)


def test_rows_of_one_template_stay_unless_told_otherwise_and_the_switch_is_named(logs: Workspace) -> None:
    page, audit = logs.folder / "page.html", logs.folder / "audit.jsonl"
    ended = logs.run("--resume", report=page, json=str(logs.folder / "summary.json"))
    assert ended.code == 0, ended.stderr
    said = ended.stderr.splitlines()
    assert (
        "10 pairs of one template but other facts were kept apart (numbers 10): 4 rows more would go with --no-protect"
        in said
    )
    assert (
        "That is more than went. Where a template counts as one text, as in logs, use "
        "--protect negation,names,frame (semantic.protect)." in said
    )
    assert len(logs.kept()) == 12
    guard = json.loads((logs.folder / "summary.json").read_text())["guard"]
    assert (guard["apart"]["numbers"], guard["dropped_otherwise"]) == (10, 6)
    html = page.read_text()
    assert "4 rows more would be dropped" in html
    for text in (shown_beside(FACTS[10], FACTS[11]), shown_beside(FACTS[11], FACTS[10])):
        assert text in html

    ended = logs.run("--resume", protect="frame,names,negation", report=page, audit_log=audit, audit_text="full")
    assert ended.ran == ["semantic_dedup", "export"]
    assert len(logs.kept()) == 8
    assert "pairs of one template" not in ended.stderr
    records = {row["row_id"]: row for row in map(json.loads, audit.read_text().splitlines())}
    assert (records[14]["numbers"], records[14]["keeper_numbers"], records[14]["keeper_row_id"]) == ("11", "7", 10)
    assert (records[14]["extra_words"], records[14]["missing_words"]) == ("11", "7")
    assert "Nothing keeps such pairs apart" not in page.read_text()

    ended = logs.run("--resume", "--no-protect", report=page)
    assert ended.ran == ["semantic_dedup", "export"]
    assert (
        "10 pairs of one template but other facts were not kept apart (numbers 10): "
        "4 rows fewer would go without --no-protect" in ended.stderr
    )
    assert "Nothing keeps such pairs apart in this run" in page.read_text()


def test_kinds_are_one_setting_in_whatever_order_and_numbers_can_be_added(logs: Workspace) -> None:
    assert logs.run("--resume", protect="numbers,negation").code == 0
    assert logs.run("--resume", protect="negation, numbers").ran == []
    assert logs.run("--resume", "--protect-numbers", protect="negation").ran == ["near_dedup", "export"]
    assert logs.run("--resume", "--no-protect").ran == ["near_dedup", "semantic_dedup", "export"]
    assert "protect_numbers: true" not in (logs.checkpoints / "params.yaml").read_text()


def test_checkpoints_that_protected_numbers_in_the_old_way_are_resumed_with_all_of_it(logs: Workspace) -> None:
    assert logs.run("--resume", "--no-protect").code == 0
    params = logs.checkpoints / "params.yaml"
    now = params.read_text()
    old = now.replace("  protect: []", "  protect_numbers: true")
    assert old != now
    params.write_text(old)
    ended = logs.run("--resume")
    assert ended.code == 0, ended.stderr
    assert "embed" not in ended.ran
    assert len(logs.kept()) == 12


def test_a_sweep_says_what_is_protected_and_what_that_keeps_at_each_threshold(logs: Workspace) -> None:
    here = ("--checkpoint-dir", logs.checkpoints)
    ended = logs.call("sweep", "--from", "0.95", "--step", "0.04", *here)
    assert (
        "protected: other numbers, a negation or an opposite, other names, another passage (--protect" in ended.stdout
    )
    (marked,) = [line for line in ended.stdout.splitlines() if "*" in line.split()]
    assert marked.split()[-2:] == ["4", "10"]
    found = json.loads(logs.call("sweep", "--json", "-", *here).stdout)
    assert found["settings"]["protect"] == ["numbers", "negation", "names", "frame"]
    (step,) = [step for step in found["thresholds"] if step["in_params"]]
    assert step["kept_apart"] == {"numbers": 10, "negation": 0, "names": 0, "frame": 0}
    assert (step["dropped"], step["dropped_unguarded"]) == (2, 6)
    ended = logs.call("sweep", "--stage", "near", *here)
    assert "protected: replaced words (near.changed_words)" in ended.stdout
    assert logs.run("--resume", "--no-protect").code == 0
    ended = logs.call("sweep", *here)
    assert "protected: nothing (--no-protect)" in ended.stdout
    assert "guard keeps" not in ended.stdout


def test_nothing_is_said_where_nothing_is_kept_apart(finished: Workspace, tmp_path: Path) -> None:
    ended = finished.run("--resume", report=tmp_path / "page.html")
    assert "template" not in ended.stderr
    assert "Same template, other facts" in (tmp_path / "page.html").read_text()
    ended = finished.run("--no-semantic", "--resume", report=tmp_path / "page.html")
    assert (ended.code, "template" in ended.stderr) == (0, False)
    assert "Same template, other facts" not in (tmp_path / "page.html").read_text()


def test_the_switch_that_is_named_is_one_kind_only_where_it_makes_nearly_all() -> None:
    def said(**apart: int) -> str:
        guard = {"protect": ["numbers", "negation"], "apart": apart, "dropped_otherwise": 99}
        return guard_lines({"guard": guard, "rows": {"dropped": {"semantic": 3}}})[-1]

    assert "use --protect negation (semantic.protect)" in said(numbers=95, negation=5)
    assert "use --no-protect (semantic.protect)" in said(numbers=5, negation=5)
