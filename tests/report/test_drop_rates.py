"""The loss guard, and what it counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.errors import LossError
from entropyguard.core.report.drop_rates import (
    REASONS,
    DropRates,
    Drops,
    check_drop_rates,
    count_drops,
    drop_warnings,
    for_report,
)
from entropyguard.core.report.lineage import Lineage
from entropyguard.core.rows.schemas import DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.project.project import Project
from entropyguard.project.repro import dvc_environment
from tests.conftest import TEXTS, Workspace, finished_stages

ROWS = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])
WEB_AND_BOOK = DropRates(
    Drops(123, semantic=34),
    {"web": Drops(100, semantic=20), "book": Drops(20, exact=1, semantic=10), "note": Drops(3, min_length=3)},
)


def write_ingested(path: Path, rows: list[tuple[int, dict[str, Any]]]) -> Path:
    """JSONL rows by row id, three in a row group."""
    with TableWriter(path, ROWS, {"format": "jsonl", "text_column": "text"}) as writer:
        for start in range(0, len(rows), 3):
            some = rows[start : start + 3]
            ids = [row_id for row_id, _ in some]
            writer.write(pa.table([ids, [0] * len(ids), ids, [json.dumps(row) for _, row in some]], schema=ROWS))
            writer._flush()
    return path


def write_dropped(path: Path, reasons: dict[int, str]) -> Path:
    with TableWriter(path, DROPPED) as writer:
        columns = [list(reasons), list(reasons.values()), [None] * len(reasons), [None] * len(reasons)]
        writer.write(pa.table(columns, schema=DROPPED))
    return path


def count(folder: Path, rows: list[tuple[int, dict[str, Any]]], reasons: dict[int, str], column: str) -> DropRates:
    stages = {"exact": ("min_length", "exact"), "near": ("near",), "semantic": ("semantic",)}
    dropped = {
        f"{stage}_dedup": Checkpoint(
            write_dropped(folder / f"{stage}.parquet", {row: why for row, why in reasons.items() if why in whys})
        )
        for stage, whys in stages.items()
    }
    ingested = Checkpoint(write_ingested(folder / "ingested.parquet", rows))
    return count_drops(Lineage(ingested, folder / "rejected.jsonl", dropped, ingested, []), column)


def test_losses_are_told_of_all_rows_and_of_each_source_the_largest_first(tmp_path: Path) -> None:
    rows: list[tuple[int, dict[str, Any]]] = [
        (0, {"text": "a", "from": "web"}),
        (2, {"text": "b", "from": 7}),  # row 1 was rejected
        (3, {"text": "c", "from": "web"}),
        (4, {"text": "d"}),
        (9, {"text": "e", "from": "7"}),  # the same text as the number
        (10, {"text": "f", "from": None}),
        (12, {"text": "g"}),
    ]
    found = count(tmp_path, rows, {2: "min_length", 3: "exact", 4: "near", 10: "semantic"}, "from")
    assert found.overall == Drops(7, min_length=1, exact=1, near=1, semantic=1)
    assert list(found.sources.items()) == [
        ("(none)", Drops(3, near=1, semantic=1)),
        ("7", Drops(2, min_length=1)),
        ("web", Drops(2, exact=1)),
    ]


def test_without_a_source_column_there_are_no_sources(tmp_path: Path) -> None:
    assert count(tmp_path, [(0, {"text": "a"})], {}, "") == DropRates(Drops(1), {})
    assert count(tmp_path, [], {}, "from") == DropRates(Drops(0), {})


SOURCES = st.none() | st.sampled_from(["a", "b", "(none)", "(other)"]) | st.integers(0, 2) | st.text(max_size=2)


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(SOURCES, st.sampled_from([None, *REASONS])), max_size=20))
def test_the_sources_sum_up_to_all_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, str | None]]
) -> None:
    ingested = [(at, {"text": "x", "from": source}) for at, (source, _) in enumerate(rows)]
    reasons = {at: reason for at, (_, reason) in enumerate(rows) if reason}
    found = count(tmp_path_factory.mktemp("losses"), ingested, reasons, "from")
    assert sum(found.sources.values(), Drops(0)) == found.overall
    assert (found.overall.rows, found.overall.dropped) == (len(rows), len(reasons))
    told = for_report(found)["sources"].values()
    assert sum(one["rows"] for one in told) == len(rows)
    assert all(one["rows"] == one["kept"] + one["dropped"] for one in told)


def test_a_source_that_loses_more_than_allowed_stops_the_run_and_is_named() -> None:
    message = r"^source book: 11 of 20 rows \(55 %\) would be dropped, more than --max-loss 0\.5; nothing was published"
    with pytest.raises(LossError, match=message) as stopped:
        check_drop_rates(WEB_AND_BOOK, 0.5)
    assert stopped.value.exit_code == 1


def test_all_rows_count_as_well_as_each_source() -> None:
    with pytest.raises(LossError, match=r"^all rows: 34 of 123 rows \(28 %\); source book: 11 of 20"):
        check_drop_rates(WEB_AND_BOOK, 0.25)


def test_a_source_of_a_few_rows_stops_no_run() -> None:
    check_drop_rates(WEB_AND_BOOK, 0.55)


@pytest.mark.parametrize(("rows", "dropped"), [(100, 29), (100, 58), (10, 7), (1_000_000, 290_000)])
def test_just_as_much_as_allowed_is_not_more(rows: int, dropped: int) -> None:
    at_the_limit = DropRates(Drops(rows, exact=dropped), {})
    check_drop_rates(at_the_limit, dropped / rows)
    with pytest.raises(LossError):
        check_drop_rates(DropRates(Drops(rows, exact=dropped + 1), {}), dropped / rows)


def test_without_a_limit_everything_may_go() -> None:
    check_drop_rates(DropRates(Drops(30, exact=30), {"a": Drops(30, exact=30)}), 1.0)


def test_of_many_sources_some_are_named_on_one_line() -> None:
    sources = {f"line\n{at}" + "x" * 99: Drops(20, exact=15) for at in range(1_009)}
    with pytest.raises(LossError, match=r"source 'line\\n0x+…': 15 of 20 rows .* and 1,004 more would") as stopped:
        check_drop_rates(DropRates(Drops(10**6), sources), 0.5)
    assert "\n" not in str(stopped.value)
    assert len(str(stopped.value)) < 1_000


def report(losses: DropRates, max_loss: float = 1.0) -> dict[str, Any]:
    """The parts of a report that warnings are made of."""
    dropped = {reason: getattr(losses.overall, reason) for reason in REASONS}
    rows = {"in": losses.overall.rows + 2, "rejected": 2, "dropped": dropped}
    return {"rows": rows, "losses": for_report(losses), "settings": {"max_loss": max_loss}}


def test_where_nothing_guards_more_than_half_is_warned_of() -> None:
    (line,) = drop_warnings(report(WEB_AND_BOOK))
    assert line.startswith("Warning: more than half of a source is dropped: book: 11 of 20 rows (55 %).")
    (line,) = drop_warnings(report(DropRates(Drops(10_001, exact=5_001), {})))
    assert line.startswith(
        "Warning: more than half of all rows are dropped or rejected: 5,003 of 10,003 rows (50 %, 2 of them rejected)."
    )
    assert drop_warnings(report(DropRates(Drops(12, exact=5), {}))) == []
    assert drop_warnings(report(WEB_AND_BOOK, max_loss=0.9)) == []


def test_the_report_names_the_largest_sources_and_sums_up_the_others() -> None:
    sources = {str(at): Drops(2, exact=1) for at in range(102)}
    told = for_report(DropRates(Drops(207, exact=104), {"(other)": Drops(3, semantic=2), **sources}))
    assert told["share"] == 0.5024
    assert len(told["sources"]) == 100
    # A source of the user's that goes by that name is among them.
    assert told["sources"]["(other)"] == Drops(9, exact=3, semantic=2).as_dict()


@pytest.mark.pipeline
def test_the_guard_stops_before_publishing_and_a_higher_limit_goes_on_from_there(workspace: Workspace) -> None:
    rows = [{"text": text, "from": "a" if at < 8 else None} for at, text in enumerate(TEXTS)]
    workspace.input.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    workspace.output.write_text("what was there before", encoding="utf-8")

    stopped = workspace.run("--resume", max_loss="0.2", source_column="from")
    assert stopped.code == 1
    assert "all rows: 3 of 10 rows (30 %) would be dropped, more than --max-loss 0.2" in stopped.stderr
    assert workspace.output.read_text() == "what was there before"
    looked_at = workspace.call("explain", "--random", "20", "--checkpoint-dir", workspace.checkpoints)
    assert (looked_at.code, looked_at.stdout.count("dropped by")) == (0, 3)

    ended = workspace.run("--resume", max_loss="0.3", source_column="from", json="summary.json")
    assert (ended.code, ended.ran) == (0, ["export"])
    losses = json.loads((workspace.folder / "summary.json").read_text())["losses"]
    assert losses == {
        "share": 0.3,
        "sources": {
            "a": Drops(8, exact=1, semantic=1).as_dict(),
            "(none)": Drops(2, semantic=1).as_dict(),
        },
    }
    published = workspace.output.read_bytes()
    assert workspace.run("--resume", max_loss="0.1", source_column="from").code == 1
    assert workspace.output.read_bytes() == published


@pytest.mark.pipeline
def test_the_guard_and_the_warning_hold_under_plain_dvc_too(workspace: Workspace) -> None:
    workspace.write_rows([TEXTS[0]] * 3 + [TEXTS[5]])  # one of three goes twice
    ended = workspace.run()
    assert ended.code == 0
    assert "more than half" not in ended.stderr  # just half
    workspace.write_rows([TEXTS[0]] * 5)
    warned = workspace.run("--resume")
    assert "Warning: more than half of all rows are dropped: 4 of 5 rows (80 %)." in warned.stderr

    params = workspace.checkpoints / "params.yaml"
    for limit, told in (("0.79", "4 of 5 rows (80 %) would be dropped, more than --max-loss 0.79"), ("0.8", "")):
        params.write_text(
            "".join(
                f"  max_loss: {limit}\n" if "max_loss:" in line else line
                for line in params.read_text().splitlines(keepends=True)
            )
        )
        before = finished_stages(workspace.checkpoints)
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=workspace.checkpoints,
            env=dvc_environment(Project(workspace.checkpoints)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == (not told)
        assert told in done.stderr
        after = finished_stages(workspace.checkpoints)
        assert [stage for stage in after if after[stage] != before[stage]] == ([] if told else ["export"])
