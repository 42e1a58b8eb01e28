"""`--mark` on the command line: only export runs again, and nothing else says anything else."""

from __future__ import annotations

import json

import pytest

from tests.conftest import TEXTS, Workspace

pytestmark = pytest.mark.pipeline


def test_all_rows_come_out_with_what_became_of_them(workspace: Workspace) -> None:
    workspace.write_rows([*TEXTS, TEXTS[2].upper()])  # an exact duplicate of a row that goes as a semantic one
    workspace.run("--max-loss", "0.5")
    plain, report = workspace.output.read_bytes(), (workspace.checkpoints / "report.json").read_bytes()
    ended = workspace.run("--resume", "--mark", "--max-loss", "0.5")
    assert (ended.code, ended.ran) == (0, ["export"])
    assert "all 11 rows that could be read were written, with marks" in ended.stderr
    assert "11 rows in: 7 kept, 2 exact duplicates" in ended.stderr
    assert (workspace.checkpoints / "report.json").read_bytes() == report
    lines = workspace.output.read_text(encoding="utf-8").splitlines()
    marks = [json.loads(line)["entropyguard"] for line in lines]
    assert [mark["row_id"] for mark in marks] == list(range(11))
    assert [mark["cluster"] for mark in marks] == [0, 0, 0, 3, 4, 5, 6, 7, 7, 9, 0]
    gone = {mark["row_id"]: (mark["stage"], mark["keeper_row_id"]) for mark in marks if not mark["keep"]}
    exact, semantic = "exact_dedup", "semantic_dedup"
    assert gone == {1: (exact, 0), 2: (semantic, 0), 8: (semantic, 7), 10: (exact, 2)}
    assert marks[1]["similarity"] is None
    assert marks[2]["similarity"] >= 0.95
    kept = [line for line, mark in zip(lines, marks, strict=True) if mark["keep"]]
    assert "".join(line.partition(', "entropyguard"')[0] + "}\n" for line in kept).encode() == plain


def test_a_column_that_marks_would_hide_is_refused_before_the_run(workspace: Workspace) -> None:
    workspace.input.write_text('{"text": "a", "entropyguard": 1}\n')
    ended = workspace.run("--mark")
    assert ended.code == 64
    assert "there is a column 'entropyguard' already, which --mark writes. Rename it, or leave out --mark." in (
        ended.stderr
    )
    assert not workspace.checkpoints.exists()
