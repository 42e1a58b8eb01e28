"""The audit and explain: every row that did not come out, why, and what stands for it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.cli.printing_tables import print_explanation
from entropyguard.core.errors import ProcessingError, UsageError
from entropyguard.core.exact.exact import drop_exact_duplicates
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.progress import silent
from entropyguard.core.report.audit import AUDIT_SCHEMA, audit_format, write_audit
from entropyguard.core.report.explain import explain, sample_dropped
from entropyguard.core.report.explanation import Explanation
from entropyguard.core.report.lineage import Lineage, Row
from entropyguard.core.semantic.semantic import drop_semantic_duplicates
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import write_json
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.project.project import Project
from entropyguard.run.settings import default_params
from tests.made_near import write_near

PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
SIMILAR = 0.97
ABOUT = {"rows": 0, "unreadable": 0, "over_long": 0, "search": {"floor": 0.9}}

LINES = [
    '{"text": "a cat sat"}',  # 0
    '{"text": "A  cat sat"}',  # 1: exact duplicate of 0
    "{broken",  # 2: rejected
    '{"text": "the cat sat"}',  # 3: semantic duplicate of 0
    '{"text": "THE cat sat"}',  # 4: exact duplicate of 3, which is dropped as well
    '{"text": "x"}',  # 5: too short
    '{"text": "a dog ran"}',  # 6
    '{"text": "the small cat sat"}',  # 7: near-duplicate of 3, which is dropped as well
    '{"text": "The small cat sat"}',  # 8: exact duplicate of 7, which is dropped as well
]


@dataclass(frozen=True)
class Run:
    """A folder with the checkpoints of a finished run, and the names of its input files."""

    folder: Path
    names: list[str]

    def write(self, name: str, text_chars: int | None = 1000, characters_at_once: int = 1 << 20) -> Path:
        """Write the audit in the format of the name."""
        out = self.folder / name
        write_audit(self.lineage(), out, audit_format(out), text_chars, characters_at_once)
        return out

    def lineage(self) -> Lineage:
        write_json(self.folder / ".entropyguard" / "inputs.json", {"names": self.names})
        return Project(self.folder).lineage()

    def records(self, text_chars: int | None = 1000) -> list[dict[str, Any]]:
        lines = self.write("audit.jsonl", text_chars).read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line]

    def explain(self, row_id: int) -> Explanation:
        return explain(self.lineage(), row_id)

    def kept(self) -> list[int]:
        return pl.read_parquet(self.folder / "after_semantic_dedup.parquet")["row_id"].to_list()


def as_lines(texts: Sequence[str]) -> str:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def run(
    folder: Path,
    files: dict[str, str],
    similar: Sequence[tuple[int, int]],
    keep: str = "first",
    cluster: str = "stars",
    group_rows: int = 1 << 16,
    near: Sequence[tuple[int, int, float]] = (),
) -> Run:
    """Run all but the model and the word diff: `similar` and `near` are the pairs of rows they would have found."""
    inputs = folder / "data"
    inputs.mkdir()
    (folder / "dropped").mkdir()
    (folder / ".entropyguard").mkdir()
    for name, text in files.items():
        (inputs / name).write_text(text, encoding="utf-8")
    params = default_params()
    exact, policy = replace(params.exact, min_length=3), replace(params.keep, policy=keep)
    sources = find_sources(str(inputs))
    ingested, rejected = folder / "ingested.parquet", folder / "rejected.jsonl"
    ingest(sources, ingested, rejected, params.ingest, silent, group_rows=group_rows)
    after_exact = folder / "after_exact_dedup.parquet"
    drop_exact_duplicates(Checkpoint(ingested), after_exact, folder / "dropped/exact.parquet", exact, policy, silent)
    left = set(pl.read_parquet(after_exact)["row_id"])
    after_near = write_near(folder, [(a, b, how) for a, b, how in near if a < b and {a, b} <= left])
    left = set(pl.read_parquet(after_near)["row_id"])
    pairs = sorted((b, a) for a, b in similar if a < b and {a, b} <= left)
    with TableWriter(folder / "similar_pairs.parquet", PAIRS, ABOUT) as writer:
        columns = [[a for _, a in pairs], [b for b, _ in pairs], [SIMILAR] * len(pairs)]
        writer.write(pa.table(columns, schema=PAIRS))
    drop_semantic_duplicates(
        Checkpoint(after_near),
        Checkpoint(folder / "similar_pairs.parquet"),
        folder / "after_semantic_dedup.parquet",
        folder / "dropped/semantic.parquet",
        replace(params.semantic, cluster=cluster),
        policy,
        1 << 30,
        silent,
        InlinePool(),
    )
    return Run(folder, [str(Path(str(source)).relative_to(folder)) for source in sources])


@pytest.fixture
def project(tmp_path: Path) -> Run:
    """The run on `LINES`."""
    return run(tmp_path, {"a.jsonl": "\n".join(LINES) + "\n"}, [(0, 3)], near=[(3, 7, 0.9)])


def test_each_dropped_or_rejected_row_has_one_record_with_what_stands_for_it(project: Run) -> None:
    records = {record["row_id"]: record for record in project.records()}
    assert list(records) == [1, 2, 3, 4, 5, 7, 8]
    assert records[1] == {
        "row_id": 1,
        "file": "data/a.jsonl",
        "line": 2,
        "stage": "exact_dedup",
        "reason": "exact",
        "keeper_row_id": 0,
        "keeper_file": "data/a.jsonl",
        "keeper_line": 1,
        "final_keeper_row_id": 0,
        "similarity": None,
        "missing_words": None,
        "extra_words": None,
        "misspelt_words": None,
        "numbers": None,
        "keeper_numbers": None,
        "text": "A  cat sat",
        "keeper_text": "a cat sat",
    }
    assert records[2] == {**dict.fromkeys(records[1]), **records[2]}
    assert (records[2]["stage"], records[2]["line"], records[2]["text"]) == ("ingest", 3, "{broken")
    assert records[2]["reason"]
    assert records[2]["keeper_row_id"] is None
    assert (records[3]["stage"], records[3]["reason"], records[3]["similarity"]) == (
        "semantic_dedup",
        "semantic",
        SIMILAR,
    )
    assert (records[5]["reason"], records[5]["keeper_row_id"], records[5]["final_keeper_row_id"]) == (
        "min_length",
        None,
        None,
    )


def test_the_final_keeper_is_in_the_output_although_the_keeper_was_dropped_later(project: Run) -> None:
    records = {record["row_id"]: record for record in project.records()}
    keepers = {row: (record["keeper_row_id"], record["final_keeper_row_id"]) for row, record in records.items()}
    assert keepers == {1: (0, 0), 2: (None, None), 3: (0, 0), 4: (3, 0), 5: (None, None), 7: (3, 0), 8: (7, 0)}
    assert records[4]["keeper_text"] == "the cat sat"
    near = records[7]
    assert (near["stage"], near["reason"], near["similarity"]) == ("near_dedup", "near", 0.9)


def test_a_near_duplicate_names_the_words_of_the_whole_texts_in_which_it_differs(tmp_path: Path) -> None:
    keeper = "the guide to caseutils and the old notes"
    lines = [keeper, "The guide to case utils, and ntoes", "the end"]
    made = run(tmp_path, {"a.jsonl": as_lines(lines)}, [], near=[(0, 1, 0.9)])
    (record,) = made.records(text_chars=5)
    assert record["text"] == "The g…"
    assert record["missing_words"] == "the old"
    assert record["extra_words"] == ""
    assert record["misspelt_words"] == "case utils -> caseutils; ntoes -> notes"
    assert (record["numbers"], record["keeper_numbers"]) == ("", "")


def test_a_semantic_duplicate_names_words_and_numbers_as_the_guard_sees_them(tmp_path: Path) -> None:
    lines = ["they sold 1,200 boats in May", "In May they sold 1200 of the boats", "a third text with 3 words"]
    (record,) = run(tmp_path, {"a.jsonl": as_lines(lines)}, [(0, 1)]).records()
    assert (record["reason"], record["missing_words"], record["extra_words"]) == (
        *("semantic", "1,200", "1200 of the"),
    )
    assert (record["numbers"], record["keeper_numbers"]) == ("1200", "1200")


def test_long_texts_are_cut_where_they_first_differ_or_whole(tmp_path: Path) -> None:
    same, rest = "the same question about a garden " * 90, " and no more of it" * 200
    lines = [f"{same}tulips{rest}", f"{same}crocuses{rest}", f"{same}TULIPS{rest}"]
    made = run(tmp_path, {"a.jsonl": as_lines(lines)}, [(0, 1)])
    semantic, exact = made.records()
    assert (semantic["reason"], exact["reason"]) == ("semantic", "exact")
    for text, own in ((semantic["text"], "crocuses"), (semantic["keeper_text"], "tulips")):
        assert own in text
        assert len(text) == 1_002
        assert text[0] == text[-1] == "…"
    assert exact["text"] == exact["keeper_text"] == f"{same[:1_000]}…"
    assert [record["text"] for record in made.records(text_chars=None)] == lines[1:]
    assert [record["keeper_text"] for record in made.records(text_chars=None)] == [lines[0]] * 2


def test_every_format_holds_the_same_records(project: Run) -> None:
    expected = project.records()
    assert json.loads(project.write("audit.json").read_text(encoding="utf-8")) == expected
    assert pl.read_parquet(project.write("audit.parquet")).to_dicts() == expected
    with project.write("audit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    as_text = [{name: "" if value is None else str(value) for name, value in record.items()} for record in expected]
    assert rows == as_text


def test_line_breaks_quotes_and_other_scripts_survive_in_every_format(tmp_path: Path) -> None:
    text = 'line\nbreak, "quote" 漢字 \u2028 \U0001f600'
    lines = [json.dumps({"text": text}), json.dumps({"text": text}, ensure_ascii=False)]
    project = run(tmp_path, {"a.jsonl": "\n".join(lines)}, [])
    assert project.records()[0]["text"] == text
    assert json.loads(project.write("audit.json").read_text(encoding="utf-8"))[0]["keeper_text"] == text
    assert pl.read_parquet(project.write("audit.parquet"))["text"].to_list() == [text]
    with project.write("audit.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["text"] == text


@pytest.mark.parametrize(("ending", "content"), [("jsonl", ""), ("json", "[]\n")])
def test_an_audit_without_records_is_empty_but_whole(tmp_path: Path, ending: str, content: str) -> None:
    project = run(tmp_path, {"a.jsonl": '{"text": "alone"}\n'}, [])
    assert project.write(f"audit.{ending}").read_text() == content
    assert pl.read_csv(project.write("audit.csv")).shape == (0, 17)
    assert pl.read_parquet(project.write("audit.parquet")).schema == AUDIT_SCHEMA


def test_a_longer_text_is_cut_at_the_stated_number_of_characters(project: Run) -> None:
    records = project.records(text_chars=5)
    assert [record["text"] for record in records] == [
        *("A  ca…", "{brok…", "the c…", "THE c…", "x", "the s…", "The s…")
    ]
    assert records[0]["keeper_text"] == "a cat…"
    assert project.records(text_chars=10)[0]["text"] == "A  cat sat"


def test_files_go_by_the_names_given_and_lines_count_in_each(tmp_path: Path) -> None:
    project = run(tmp_path, {"a.jsonl": '{"text": "same"}\n', "b.jsonl": '{"text": "else"}\n{"text": "same"}\n'}, [])
    (record,) = project.records()
    assert (record["file"], record["line"]) == ("data/b.jsonl", 2)
    assert (record["keeper_file"], record["keeper_line"]) == ("data/a.jsonl", 1)


def test_a_file_name_that_is_no_text_is_escaped(project: Run) -> None:
    odd = replace(project, names=["caf\udce9.jsonl"])
    assert odd.records()[0]["file"] == "caf\\udce9.jsonl"
    assert odd.explain(0).row.file == "caf\\udce9.jsonl"


def test_small_slices_and_row_groups_give_the_same_bytes(tmp_path: Path) -> None:
    lines = [f'{{"text": "row {number % 7}"}}' if number % 5 else "{broken" for number in range(60)]
    similar = [(1, 2), (3, 6)]
    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole", {"a.jsonl": "\n".join(lines)}, similar, keep="longest")
    (tmp_path / "cut").mkdir()
    cut = run(tmp_path / "cut", {"a.jsonl": "\n".join(lines)}, similar, keep="longest", group_rows=4)
    assert len(Checkpoint(cut.folder / "ingested.parquet").group_rows) > len(
        Checkpoint(whole.folder / "ingested.parquet").group_rows
    )
    assert len(whole.records()) == 60 - len(whole.kept())
    for name in ("audit.jsonl", "audit.json", "audit.csv"):
        slices = cut.write(name, characters_at_once=6_000)  # of three records with 1,000 characters for each text
        assert slices.read_bytes() == whole.write(name).read_bytes()


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("a.b.json", "json"), ("a.csv", "csv"), ("a.parquet", "parquet")],
)
def test_the_ending_tells_the_format(name: str, format: str) -> None:  # noqa: A002  its name in audit
    assert audit_format(Path(name)) == format


@pytest.mark.parametrize("name", ["audit.txt", "audit", "audit.jsonl.gz"])
def test_an_unknown_ending_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"known are \.jsonl, .*\.parquet"):
        audit_format(Path(name))


def test_wrong_arguments_are_refused(project: Run) -> None:
    with pytest.raises(UsageError, match="text_chars is 0"):
        project.records(text_chars=0)
    with pytest.raises(UsageError, match="format of an audit is 'xml'"):
        write_audit(project.lineage(), project.folder / "out", "xml")
    with pytest.raises(ProcessingError, match="0 are known now"):
        replace(project, names=[]).records()


@pytest.mark.parametrize(
    "missing", ["ingested.parquet", "rejected.jsonl", "dropped/near.parquet", "dropped/semantic.parquet"]
)
def test_without_a_finished_run_there_is_nothing_to_tell(project: Run, missing: str) -> None:
    (project.folder / missing).unlink()
    for ask in (project.records, lambda: project.explain(0), lambda: sample_dropped(project.lineage(), 1, 0)):
        with pytest.raises(ProcessingError, match=f"no finished run: {missing} is missing"):
            ask()


def test_checkpoints_of_two_runs_are_not_taken_for_one(project: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = run(tmp_path / "other", {"a.jsonl": LINES[0]}, [])
    (other.folder / "after_semantic_dedup.parquet").replace(project.folder / "after_semantic_dedup.parquet")
    with pytest.raises(ProcessingError, match="no finished run: of 8 rows 1 are kept and 6 dropped"):
        project.records()


def test_a_keeper_that_was_never_read_is_reported(project: Run) -> None:
    dropped = project.folder / "dropped/semantic.parquet"
    pl.read_parquet(dropped).with_columns(keeper_row_id=pl.lit(99, pl.Int64)).write_parquet(dropped)
    with pytest.raises(ProcessingError, match="has no row 99"):
        project.records()


def test_a_rejected_row_that_cannot_be_read_is_reported_with_its_line(project: Run) -> None:
    with (project.folder / "rejected.jsonl").open("a") as file:
        file.write("[1]\n")
    with pytest.raises(ProcessingError, match=r"rejected\.jsonl, line 2"):
        project.records()


def test_a_dropped_row_is_explained_with_both_whole_texts(project: Run) -> None:
    found = project.explain(4)
    assert (found.outcome, found.stage, found.reason) == ("dropped", "exact_dedup", "exact")
    assert found.row == Row(4, "data/a.jsonl", 5, "THE cat sat")
    assert found.keeper == Row(3, "data/a.jsonl", 4, "the cat sat")
    assert found.final_keeper == Row(0, "data/a.jsonl", 1, "a cat sat")
    assert project.explain(3).similarity == SIMILAR


def test_a_near_duplicate_is_explained_as_one(project: Run, capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(project.explain(7))
    told = "dropped by near_dedup: near-duplicate at similarity 0.900000 to row 3 (data/a.jsonl, line 4)"
    first, words, *table = capsys.readouterr().out.splitlines()
    assert f"{told}, itself dropped for row 0" in first
    assert words == "extra: small"
    assert any(line.split() == ["the", "[-small-]", "cat", "sat", "the", "cat", "sat"] for line in table)
    assert project.explain(3).difference is None


@pytest.mark.parametrize("row", [0, 3, 5, 7])
def test_an_explanation_as_a_text_is_what_the_command_prints(
    project: Run, row: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = project.explain(row)
    print_explanation(found)
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert str(found).splitlines() == printed
    assert printed[0].startswith(f"row {row} (data/")
    assert found.row.text in str(found) or "[-small-]" in str(found)


def test_a_row_dropped_through_others_has_a_keeper_and_no_similarity_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f'{{"text": "row {letter}"}}\n' for letter in "abc")
    chain = run(tmp_path, {"a.jsonl": lines}, [(0, 1), (1, 2)], cluster="components")
    similarities = {record["row_id"]: record["similarity"] for record in chain.records()}
    assert similarities == {1: SIMILAR, 2: None}
    assert [record["final_keeper_row_id"] for record in chain.records()] == [0, 0]
    assert pl.read_parquet(chain.write("audit.parquet"))["similarity"].to_list() == [SIMILAR, None]
    with chain.write("audit.csv").open(encoding="utf-8", newline="") as file:
        assert [row["similarity"] for row in csv.DictReader(file)] == [str(SIMILAR), ""]
    print_explanation(chain.explain(2))
    assert "semantic duplicate through other rows, of row 0" in capsys.readouterr().out


def test_a_row_that_was_too_short_has_no_keeper(project: Run) -> None:
    found = project.explain(5)
    assert (found.reason, found.keeper, found.final_keeper, found.similarity) == ("min_length", None, None, None)


def test_a_rejected_row_is_explained_with_its_line(project: Run) -> None:
    found = project.explain(2)
    assert (found.outcome, found.stage, found.row) == ("rejected", "ingest", Row(2, "data/a.jsonl", 3, "{broken"))
    assert found.reason


def test_a_kept_row_names_the_rows_it_stands_for(project: Run) -> None:
    found = project.explain(0)
    assert (found.outcome, found.stage, found.stands_for) == ("kept", None, 5)
    assert [row.text for row in found.examples] == [
        *("A  cat sat", "the cat sat", "THE cat sat", "the small cat sat", "The small cat sat")
    ]
    assert project.explain(6).stands_for == 0


def test_of_many_rows_a_kept_one_shows_five(tmp_path: Path) -> None:
    found = run(tmp_path, {"a.jsonl": '{"text": "same"}\n' * 9}, []).explain(0)
    assert (found.stands_for, [row.row_id for row in found.examples]) == (8, [1, 2, 3, 4, 5])


@pytest.mark.parametrize("row_id", [-1, 9, 2**70])
def test_a_row_that_is_not_there_is_refused_with_the_range(project: Run, row_id: int) -> None:
    with pytest.raises(UsageError, match=f"no row {row_id}: the input has rows 0 to 8"):
        project.explain(row_id)


def test_a_sample_is_the_same_for_the_same_seed_and_has_dropped_rows_only(project: Run) -> None:
    assert sample_dropped(project.lineage(), 10, seed=0) == [1, 3, 4, 5, 7, 8]
    two = sample_dropped(project.lineage(), 2, seed=1)
    assert two == sample_dropped(project.lineage(), 2, seed=1)
    assert len(set(two)) == 2
    assert any(sample_dropped(project.lineage(), 2, seed=seed) != two for seed in range(2, 9))
    assert set(two) <= {1, 3, 4, 5, 7, 8}


WORDS = st.sampled_from(["aaa", "AAA ", "bbb", "b", "ccc", "ddd ddd", "ddd  DDD", "é"])
LINE = WORDS.map(lambda word: json.dumps({"text": word})) | st.sampled_from(["{bad", '{"text": 1}'])


@settings(max_examples=50)
@given(
    lines=st.lists(LINE, max_size=12),
    similar=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=10),
    near=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.8, 0.9, 0.95])), max_size=6),
    keep=st.sampled_from(["first", "longest"]),
)
def test_every_row_is_kept_or_has_a_record_and_every_final_keeper_is_kept(
    lines: list[str], similar: list[tuple[int, int]], near: list[tuple[int, int, float]], keep: str
) -> None:
    lines = [*lines, '{"text": "a sound row"}']
    with TemporaryDirectory() as folder:
        project = run(Path(folder), {"a.jsonl": "\n".join(lines)}, similar, keep, near=near)
        records, kept = project.records(), project.kept()
        assert sorted([record["row_id"] for record in records] + kept) == list(range(len(lines)))
        assert [record["row_id"] for record in records] == sorted(record["row_id"] for record in records)
        for record in records:
            assert record["line"] == record["row_id"] + 1
            with_keeper = record["reason"] in ("exact", "near", "semantic")
            assert (record["final_keeper_row_id"] in kept) == with_keeper
            assert (record["keeper_text"] is None) != with_keeper
            assert project.explain(record["row_id"]).outcome != "kept"
        dropped = [record for record in records if record["final_keeper_row_id"] is not None]
        assert sum(project.explain(row_id).stands_for for row_id in kept) == len(dropped)
