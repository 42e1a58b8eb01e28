"""The report page and its plots: what they show, and that they load nothing, run nothing and never vary."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.exact.exact import drop_exact_duplicates
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.pairs.similar_pairs import PAIRS
from entropyguard.core.params import PROTECTED
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.progress import silent
from entropyguard.core.report.clusters import Cluster, final_keepers, largest_clusters
from entropyguard.core.report.examples import Examples, find_examples
from entropyguard.core.report.lineage import Lineage
from entropyguard.core.report.page import render_page, row_steps
from entropyguard.core.report.pair_stats import Histogram, Pair, count_pairs, least_similar_dropped, most_similar_kept
from entropyguard.core.report.plots import rows_plot, similarity_plot
from entropyguard.core.report.report import build_report, nothing_to_compare_lines, reading_warnings
from entropyguard.core.report.text_diff import shown, shown_beside, visible
from entropyguard.core.semantic.semantic import drop_semantic_duplicates
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.project.pipeline import STAGES
from entropyguard.run.settings import default_params
from tests.conftest import Workspace
from tests.data_repo import Repo
from tests.made_near import write_near

ABOUT = {"rows": 0, "unreadable": 0, "over_long": 0, "search": {"floor": 0.9, "method": "exact", "recall": 1.0}}

ROWS = [
    "a cat sat",  # 0
    "A  cat sat",  # 1: exact duplicate of 0
    "the cat sat",  # 2: semantic duplicate of 0
    "THE cat sat",  # 3: exact duplicate of 2
    "a dog ran",  # 4
    "a dog runs",  # 5: near 4, kept
    "one dog ran",  # 6: semantic duplicate of 4
    "the small cat sat",  # 7: near-duplicate of 2
    "THE small cat sat",  # 8: exact duplicate of 7
    "a dog ran away",  # 9: near 4 by its words, kept
]
NEAR = [(2, 7, 0.9), (4, 9, 0.8)]
SIMILAR = [(0, 2, 0.97), (4, 5, 0.93), (4, 6, 0.96), (5, 6, 0.91)]


@dataclass(frozen=True)
class Project:
    """A folder with the checkpoints of a finished run, and its report."""

    folder: Path
    report: dict[str, Any]

    @property
    def dropped(self) -> list[Checkpoint]:
        return list(lineage_of(self.folder).dropped.values())

    def find(self) -> Examples:
        near_pairs, pairs = (Checkpoint(self.folder / f"{name}_pairs.parquet") for name in ("near", "similar"))
        return find_examples(lineage_of(self.folder), near_pairs, pairs, self.report)

    def page(self) -> str:
        return render_page(self.report, self.find())


def run(
    folder: Path,
    lines: str,
    similar: Sequence[tuple[int, int, float]],
    near: Sequence[tuple[int, int, float]] = (),
    source_column: str = "",
    min_length: int = 0,
    unreadable: Sequence[int] = (),
    protect: Sequence[str] = PROTECTED,
) -> Project:
    """Run all but the model and the word diff: `similar` and `near` are the pairs that would have been found.

    `unreadable` are row ids.
    """
    (folder / "dropped").mkdir(parents=True)
    (folder / "data.jsonl").write_text(lines, encoding="utf-8")
    base = default_params()
    params = replace(
        base,
        keep=replace(base.keep, source_column=source_column),
        exact=replace(base.exact, min_length=min_length),
        semantic=replace(base.semantic, protect=tuple(protect)),
    )
    ingested, rejected = folder / "ingested.parquet", folder / "rejected.jsonl"
    after_exact, pairs = folder / "after_exact_dedup.parquet", folder / "similar_pairs.parquet"
    embeddings = folder / "embeddings.parquet"
    kept, exact, semantic = (
        folder / name for name in ("after_semantic_dedup.parquet", "dropped/exact.parquet", "dropped/semantic.parquet")
    )
    ingest(find_sources(str(folder / "data.jsonl")), ingested, rejected, params.ingest, silent)
    drop_exact_duplicates(Checkpoint(ingested), after_exact, exact, params.exact, params.keep, silent)
    after_near = write_near(folder, near, params.near.threshold)
    write_embeddings(embeddings, pq.read_table(after_near)["row_id"].to_pylist(), unreadable)
    with TableWriter(pairs, PAIRS, ABOUT) as writer:
        columns = [list(column) for column in zip(*sorted(similar, key=lambda pair: pair[1::-1]), strict=True)]
        writer.write(pa.table(columns or [[], [], []], schema=PAIRS))
    policies = params.semantic, params.keep
    drop_semantic_duplicates(
        Checkpoint(after_near), Checkpoint(pairs), kept, semantic, *policies, 1 << 30, silent, InlinePool()
    )
    return Project(folder, build_report(lineage_of(folder), Checkpoint(embeddings), params))


def lineage_of(folder: Path) -> Lineage:
    stages = ("exact", "near", "semantic")
    dropped = {f"{name}_dedup": Checkpoint(folder / "dropped" / f"{name}.parquet") for name in stages}
    ingested, kept = (Checkpoint(folder / f"{name}.parquet") for name in ("ingested", "after_semantic_dedup"))
    return Lineage(ingested, folder / "rejected.jsonl", dropped, kept, [])


def write_embeddings(path: Path, row_ids: Sequence[int], unreadable: Sequence[int]) -> None:
    """What export reads of embeddings.parquet: each readable row has two windows."""
    lines = [(row, window) for row in row_ids for window in ((0,) if row in unreadable else (0, 1))]
    skipped = ["unreadable" if row in unreadable else None for row, _ in lines]
    columns = {
        "row_id": pa.array([row for row, _ in lines], pa.int64()),
        "window": pa.array([window for _, window in lines], pa.int32()),
        "skipped": pa.array(skipped, pa.string()),
    }
    table = pa.table(columns)
    with TableWriter(path, table.schema) as writer:
        writer.write(table)


def as_lines(texts: Sequence[str], **more: str) -> str:
    return "".join(json.dumps({"text": text, **more}) + "\n" for text in texts)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The run on `ROWS`."""
    return run(tmp_path / "project", as_lines(ROWS), SIMILAR, NEAR)


@dataclass
class Parsed(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and its text."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " if tag in {"td", "th", "dt", "dd"} else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    @classmethod
    def of(cls, page: str) -> Parsed:
        parsed = cls()
        parsed.feed(page)
        return parsed

    def words(self) -> str:
        return " ".join(self.text.split())


def test_a_cluster_is_a_kept_row_and_all_that_went_for_it(project: Project) -> None:
    keepers = final_keepers(Checkpoint(project.folder / "ingested.parquet"), project.dropped)
    # 8 went for 7, which went for 2, which went for 0.
    assert keepers.tolist() == [-1, 0, 0, 0, -1, -1, 4, 0, 0, -1]
    assert largest_clusters(keepers, project.dropped, 9, 9) == [
        Cluster(keeper=0, exact=3, near=1, semantic=1, members=[(2, 0.97)], near_members=[(7, 0.9)]),
        Cluster(keeper=4, exact=0, near=0, semantic=1, members=[(6, 0.96)], near_members=[]),
    ]
    assert [cluster.keeper for cluster in largest_clusters(keepers, project.dropped, 1, 0)] == [0]


def test_of_equal_clusters_those_of_the_lowest_rows_are_shown_and_the_least_similar_members(tmp_path: Path) -> None:
    texts = ["a", "b", "b", "c", "c", "a", "da", "db", "dc", "dd"]
    similar = [(6, 7, 0.99), (6, 8, 0.95), (6, 9, 0.97)]
    made = run(tmp_path / "project", as_lines(texts), similar)
    keepers = final_keepers(Checkpoint(made.folder / "ingested.parquet"), made.dropped)
    found = largest_clusters(keepers, made.dropped, 3, 2)
    assert [(one.keeper, one.exact, one.semantic) for one in found] == [(6, 0, 3), (0, 1, 0), (1, 1, 0)]
    assert found[0].members == [(8, 0.95), (9, 0.97)]


def test_pairs_next_to_the_threshold_are_told_the_nearest_first_and_one_for_each_row(project: Project) -> None:
    keepers = final_keepers(Checkpoint(project.folder / "ingested.parquet"), project.dropped)
    assert least_similar_dropped(project.dropped[1], 0.85, 9) == [Pair(0.9, row=7, other=2)]
    near_pairs = Checkpoint(project.folder / "near_pairs.parquet")
    assert most_similar_kept(near_pairs, keepers, 0.85, 9) == [Pair(0.8, row=9, other=4)]
    above = least_similar_dropped(project.dropped[2], 0.95, 9)
    assert above == [Pair(0.96, row=6, other=4), Pair(0.97, row=2, other=0)]
    pairs = project.folder / "similar_pairs.parquet"
    assert most_similar_kept(Checkpoint(pairs), keepers, 0.95, 9) == [
        Pair(0.93, row=5, other=4)
    ]  # of 5 and 6 only one is kept
    assert most_similar_kept(Checkpoint(pairs), keepers, 0.93, 9) == []


def test_the_histogram_counts_every_stored_pair_once_on_its_side_of_the_threshold(tmp_path: Path) -> None:
    similar = [(0, 1, 0.9), (0, 2, 0.901999), (1, 2, 0.949999), (0, 3, 0.95), (1, 3, 0.951), (2, 3, 1.000001)]
    made = run(tmp_path / "project", as_lines(["a", "b", "c", "d"]), similar)
    counted = count_pairs(Checkpoint(made.folder / "similar_pairs.parquet"), 0.9, 0.95)
    assert {int(at): int(counted.below[at]) for at in counted.below.nonzero()[0]} == {0: 2, 24: 1}
    assert {int(at): int(counted.above[at]) for at in counted.above.nonzero()[0]} == {25: 2, 49: 1}
    inside = count_pairs(Checkpoint(made.folder / "similar_pairs.parquet"), 0.9, 0.9505)
    assert (inside.below[25], inside.above[25]) == (1, 1)


def test_the_page_loads_nothing_and_runs_nothing(project: Project) -> None:
    page = project.page()
    assert not re.search(r"//|@import|url\(|javascript:", page)
    parsed = Parsed.of(page)
    assert {tag for tag, _ in parsed.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form"})
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    policy = next(attributes["content"] for tag, attributes in parsed.tags if "http-equiv" in attributes)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror=alert(1)>',
    "</blockquote></style></svg><svg onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %} <!-- time and memory -->",
    "right-to-left \u202eevil\u2066 nul \x00 escape \x1b[31m tag \U000e0041",
]


def test_a_hostile_text_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    harmless = run(tmp_path / "harmless", as_lines(["x y"] * 2, source="web"), [], source_column="source")
    expected = {tag for tag, _ in Parsed.of(harmless.page()).tags}
    for at, text in enumerate(HOSTILE):
        made = run(tmp_path / str(at), as_lines([text, text.upper()], source=text), [], source_column="source")
        page = made.page()
        parsed = Parsed.of(page)
        assert {tag for tag, _ in parsed.tags} <= expected | {"i"}
        assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
        assert page.count("<!-- time and memory -->") == 1
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
        seen = {"\u202e": "U+202E", "\u2066": "U+2066", "\x00": "U+0000", "\x1b": "U+001B", "\U000e0041": "U+E0041"}
        plain = "".join(seen.get(character, character) for character in text)
        assert plain in parsed.text


def test_a_hostile_name_of_a_source_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    name = "<b onmouseover=alert(1)>" * 20
    made = run(tmp_path / "project", as_lines(["one", "two"], source=name), [], source_column="source")
    page = made.page()
    assert "<b onmouseover" not in page
    assert name[:40] + "…" in Parsed.of(page).text


def test_what_differs_is_marked_and_nothing_else() -> None:
    assert shown_beside("set the title now", "set a title now") == "set <mark>the</mark> title now"
    assert shown_beside("same", "same") == "same"
    assert shown_beside("one\ntwo <b>", "one") == "one\n<mark>two &lt;b&gt;</mark>"
    assert shown_beside("我爱北京", "我爱上海") == "我爱<mark>北京</mark>"


def test_long_texts_are_shown_from_where_they_differ() -> None:
    start = "word " * 300
    beside = shown_beside(start + "left end", start + "right end")
    assert beside.startswith("…")
    assert beside.endswith("<mark>left</mark> end")
    assert len(beside) < 200
    assert shown("x" * 1000) == "x" * 420 + "…"
    assert shown("a\n" * 50).count("\n") == 11


def test_invisible_characters_are_spelled_out_and_those_that_join_letters_are_not() -> None:
    assert visible("a\u200bb\r\nc\td") == "a<i>U+200B</i>b\nc\td"
    assert visible("👩‍👩‍👧 می‌خواهم") == "👩‍👩‍👧 می‌خواهم"


def test_the_numbers_on_the_page_are_those_of_the_report(tmp_path: Path) -> None:
    lines = as_lines(ROWS, source="web") + "{broken\n" + as_lines(["last"], source="book")
    made = run(tmp_path / "project", lines, SIMILAR, NEAR, source_column="source")
    rows = made.report["rows"]
    assert (rows["in"], rows["kept"], rows["rejected"]) == (12, 5, 1)
    assert rows["dropped"] == {"min_length": 0, "exact": 3, "near": 1, "semantic": 2}
    assert made.report["near"] == {"judged": 7, "capped_buckets": 0}
    words = Parsed.of(made.page()).words()
    assert "5 of 12 rows kept" in words
    for told in (
        "5 kept 41.7 %",
        "3 exact duplicates 25.0 %",
        "1 near-duplicates 8.3 %",
        "2 semantic duplicates 16.7 %",
    ):
        assert told in words
    assert (
        "rows in 12 ingest 11 1 rejected exact_dedup 8 3 exact duplicates near_dedup 7 1 near-duplicates "
        "semantic_dedup 5 2 semantic duplicates" in words
    )
    assert "web 10 4 6 60.0 % book 1 1 0 0 %" in words
    assert "0.900000 row 7 dropped for row 2 extra: small" in words
    assert "0.800000 row 9 kept beside row 4 extra: away" in words
    assert "the <mark>small</mark> cat sat" in made.page()
    assert "pairs compared word by word 7" in words
    assert "2 pairs below the threshold 2 pairs at or above it" in words
    assert "0.960000 row 6 dropped for row 4" in words
    assert "0.930000 row 5 kept beside row 4" in words
    assert "6 rows row 0 kept · 3 exact duplicates · 1 near-duplicate · 1 semantic duplicate" in words
    assert "Its near-duplicate 0.900000 row 7" in words


def test_what_a_later_version_reports_is_shown_too(project: Project) -> None:
    report = {
        **project.report,
        "scripts": {"Han": {"rows": 30, "unreadable": 28}},
        "search": {"method": "ivf", "recall": 0.9961, "recall_interval": [0.994, 0.998], "new_thing": 12345},
        "no_part_in_semantic_dedup": {"unreadable": 28, "over_long": 0},
    }
    words = Parsed.of(render_page(report, project.find())).words()
    for told in (
        "Han 30 28 93.3 %",
        "recall 0.9961",
        "0.994 – 0.998",
        "new thing 12,345",
        "28 rows the model cannot read",
    ):
        assert told in words


FACTS = [
    "the pump is enabled below 25 degrees",  # 0
    "the pump is enabled below 30 degrees",  # 1: another number than 0
    "the pump is disabled below 25 degrees",  # 2: the opposite of 0
    "A pump is enabled below 25 degrees",  # 3: semantic duplicate of 0
]
ALIKE = [(0, 1, 0.98), (0, 2, 0.97), (0, 3, 0.96)]


def test_pairs_of_one_template_are_counted_by_kind_and_shown_beside_each_other(tmp_path: Path) -> None:
    made = run(tmp_path / "project", as_lines(FACTS), ALIKE)
    guard = made.report["guard"]
    assert guard["apart"] == {"numbers": 1, "negation": 1, "names": 0, "frame": 0}
    assert (made.report["rows"]["dropped"]["semantic"], guard["dropped_otherwise"]) == (1, 3)
    words, page = Parsed.of(made.page()).words(), made.page()
    assert "These were 2; without that 2 rows more would be dropped." in words
    assert "--no-protect lets them" in words
    assert "1 with other numbers row 1 kept apart from row 0" in words
    assert "1 with a negation or an opposite row 2 kept apart from row 0" in words
    assert "below <mark>30</mark> degrees" in page
    assert "is <mark>disabled</mark> below" in page
    assert "other names, another passage are kept apart" in words


def test_where_nothing_is_protected_the_page_shows_what_the_guard_would_keep(tmp_path: Path) -> None:
    made = run(tmp_path / "project", as_lines(FACTS), ALIKE, protect=())
    words = Parsed.of(made.page()).words()
    assert "Nothing keeps such pairs apart in this run (--no-protect)." in words
    assert "The guard would keep 2 apart, and 2 rows fewer would be dropped." in words
    assert "row 1 not kept apart from row 0" in words


def test_long_texts_of_one_template_are_shown_where_they_differ(tmp_path: Path) -> None:
    same = "the same long question about the garden and the house " * 200
    made = run(tmp_path / "project", as_lines([f"{same} 25 degrees", f"{same} 30 degrees"]), [(0, 1, 0.99)])
    assert "<mark>30</mark> degrees" in made.page()


SCRIPTS = [
    "one cat",  # 0
    "два кота",  # 1: unreadable
    "ONE cat",  # 2: exact duplicate of 0
    "три dogs",  # 3: Latin by most of its letters
    "5 + 5 = 10",  # 4: no letters
    "四只猫",  # 5: unreadable
    "five cats",  # 6
]


def test_rows_are_counted_by_script_after_near_dedup(tmp_path: Path) -> None:
    made = run(tmp_path / "project", as_lines(SCRIPTS), [], unreadable=[1, 5])
    assert list(made.report["scripts"].items()) == [
        ("Latin", {"rows": 3, "unreadable": 0}),
        ("Cyrillic", {"rows": 1, "unreadable": 1}),
        ("Han", {"rows": 1, "unreadable": 1}),
        ("none", {"rows": 1, "unreadable": 0}),
    ]


def test_no_rows_have_no_scripts(tmp_path: Path) -> None:
    made = run(tmp_path / "project", as_lines(["short"]), [], min_length=99)
    assert made.report["scripts"] == {}
    assert reading_warnings(made.report) == []


def test_rows_with_nothing_to_compare_are_counted_and_named(tmp_path: Path) -> None:
    made = run(tmp_path / "project", as_lines(["", "one cat", "...", "", "one cat"]), [])
    assert (made.report["rows"]["nothing_to_compare"], made.report["rows"]["kept"]) == (3, 4)
    assert made.report["scripts"]["none"] == {"rows": 3, "unreadable": 0}
    told = "texts without a letter, digit or symbol: 3; their rows take no part and stay. --min-length 1 drops them"
    assert [line.startswith(told) for line in nothing_to_compare_lines(made.report)] == [True]
    assert "Texts without a letter, digit or symbol to compare: 3;" in made.page()
    dropping = run(tmp_path / "dropping", as_lines(["", "one cat", "..."]), [], min_length=1)
    assert (dropping.report["rows"]["nothing_to_compare"], dropping.report["rows"]["kept"]) == (0, 1)
    assert nothing_to_compare_lines(dropping.report) == []
    assert "symbol to compare" not in dropping.page()


def test_a_rejected_line_does_not_shift_the_scripts(tmp_path: Path) -> None:
    made = run(tmp_path / "project", "{broken\n" + as_lines(["два кота", "one cat"]), [], unreadable=[1])
    assert made.report["scripts"] == {"Cyrillic": {"rows": 1, "unreadable": 1}, "Latin": {"rows": 1, "unreadable": 0}}


@pytest.mark.parametrize(("readable", "warned"), [(2, True), (3, False)])
def test_a_third_of_unreadable_rows_is_warned_of(tmp_path: Path, readable: int, warned: bool) -> None:
    texts = ["два кота", *["one cat", "two cats", "three cats"][:readable]]
    made = run(tmp_path / "project", as_lines(texts), [], unreadable=[0])
    told = [reading_warnings(made.report), re.findall("The model cannot read 1 of 3 rows", made.page())]
    assert [bool(lines) for lines in told] == [warned, warned]
    if warned:
        line = told[0][0]
        assert line.startswith("Warning: the model cannot read 1 of 3 rows (33 %; Cyrillic), so they take no part")
        cure = re.search(r"--model-name \S+ --allow-download", line)
        assert cure is not None
        assert cure[0] in made.page()


def test_a_warning_names_the_scripts_of_most_unreadable_rows() -> None:
    unreadable = {"Latin": 1, "Cyrillic": 4, "Arabic": 3, "Thai": 2, "Han": 0}
    report = {"scripts": {name: {"rows": 5, "unreadable": rows} for name, rows in unreadable.items()}}
    assert "10 of 25 rows (40 %; Cyrillic, Arabic, Thai and others)" in reading_warnings(report)[0]


@pytest.mark.parametrize(
    ("texts", "min_length", "kept"),
    [(["one", "two"], 99, 0), (["one", "two"], 0, 2), (["same"] * 5, 0, 1)],
    ids=["nothing kept", "no duplicates", "nothing but duplicates"],
)
def test_a_run_with_little_to_show_has_a_page_too(texts: list[str], min_length: int, kept: int, tmp_path: Path) -> None:
    made = run(tmp_path / "project", as_lines(texts), [], min_length=min_length)
    words = Parsed.of(made.page()).words()
    assert f"{kept} of {len(texts)} rows kept" in words
    assert ("2 too short 100.0 %" in words) == (kept == 0)
    assert ("no row has a duplicate" in words) == (texts == ["one", "two"])
    assert "<svg" in rows_plot(row_steps(made.report["rows"]))


def test_equal_results_give_equal_bytes(project: Project, tmp_path: Path) -> None:
    def drawn(made: Project) -> tuple[str, str, str]:
        similarity = similarity_plot(made.find().histogram, 0.95)
        return made.page(), similarity, rows_plot(row_steps(made.report["rows"]))

    first = drawn(project)
    assert drawn(run(tmp_path / "other", as_lines(ROWS), SIMILAR, NEAR)) == first
    assert str(tmp_path) not in "".join(first)


def test_a_plot_is_an_svg_by_itself_and_in_the_page_takes_its_colours_and_has_no_ids(project: Project) -> None:
    histogram = project.find().histogram
    alone = ElementTree.fromstring(similarity_plot(histogram, 0.95))  # noqa: S314  our own
    assert alone.get("width") == "560"
    inside = similarity_plot(histogram, 0.95, in_page=True)
    assert "var(--semantic)" in inside
    assert "#" not in inside
    assert not re.search(r' id="|xmlns|<defs| width="560"', inside)


def test_a_bar_is_as_high_as_its_pairs_are_many_and_stands_on_those_below_the_threshold() -> None:
    histogram = Histogram(np.array([0, 500_000, 1_000_000]), np.array([40, 10]), np.array([0, 20]))
    drawn = similarity_plot(histogram, 0.5, 470, 274)  # 400 pixels wide, 200 high for 42 pairs
    assert _outlines(drawn) == [
        "M56.0 230V39.52H256.0V182.38H456.0V230H256.0V230H56.0Z",
        "M56.0 39.52V39.52H256.0V87.14H456.0V182.38H256.0V39.52H56.0Z",
    ]
    assert re.findall(r'dy=".35em">([^<]+)<', drawn) == ["0", "10", "20", "30", "40"]


def _outlines(svg: str) -> list[str]:
    return re.findall(r'd="(M[^"]+Z)"', svg)


@pytest.mark.pipeline
def test_the_published_copy_tells_time_and_memory_and_the_checkpoint_does_not(workspace: Workspace) -> None:
    published = workspace.folder / "report.html"
    assert workspace.run(report=published).code == 0
    own = (workspace.checkpoints / "report.html").read_text()
    copy = published.read_text()
    assert "7 of 10 rows kept" in Parsed.of(own).words()
    assert "Time and memory" not in own
    section = re.search(r'<section id="stages">.*?</section>', copy, re.DOTALL)
    assert section is not None
    assert copy.replace(section[0], "<!-- time and memory -->").split() == own.split()
    assert re.search(r"embed [\d.]+ [\d.]+ MB ran: never built", Parsed.of(section[0]).words())
    assert workspace.run("--resume", report=published).code == 0
    assert published.read_text().count("up to date") == len(STAGES)
    assert (workspace.checkpoints / "report.html").read_text() == own


@pytest.mark.pipeline
def test_what_the_model_cannot_read_is_kept_counted_and_warned_of(workspace: Workspace) -> None:
    texts = ["the cat sat", "a dog ran", "два кота", "Два  кота", "три кота", "cat 四只猫"]
    workspace.write_rows(texts)
    ended = workspace.run()
    assert [row["text"] for row in workspace.kept()] == [text for text in texts if text != "Два  кота"]
    report = json.loads((workspace.checkpoints / "report.json").read_text())
    assert report["no_part_in_semantic_dedup"]["unreadable"] == 3
    assert report["scripts"] == {
        "Latin": {"rows": 2, "unreadable": 0},
        "Cyrillic": {"rows": 2, "unreadable": 2},
        "Han": {"rows": 1, "unreadable": 1},
    }
    assert "Warning: the model cannot read 3 of 5 rows (60 %; Cyrillic, Han)" in ended.stderr


@pytest.mark.pipeline
def test_a_place_where_the_report_would_do_harm_is_refused(workspace: Workspace) -> None:
    inside, nowhere = workspace.checkpoints / "report.html", workspace.folder / "nowhere" / "report.html"
    for place, code, says in (
        (workspace.input, 2, f"--report {workspace.input} is a file of --input {workspace.input} and"),
        (workspace.output, 2, f"--report {workspace.output} and --output {workspace.output} are the same file."),
        (inside, 2, f"--report {inside} lies in --checkpoint-dir {workspace.checkpoints}."),
        (nowhere, 66, f"--report {nowhere}: the folder {nowhere.parent} does not exist."),
    ):
        ended = workspace.answer(*workspace.flags(report=place))
        assert ended.code == code
        assert says in ended.stderr


@pytest.mark.pipeline
def test_dvc_shows_plots_and_metrics_without_a_network(built_repo: Repo) -> None:
    folder = built_repo.folder
    assert "rows.kept" in built_repo.sh("dvc metrics show")
    built_repo.sh("dvc plots show")
    page = (folder / "dvc_plots/index.html").read_text()
    assert "//" not in page
    for name in ("rows", "similarity"):
        assert f"static/workspace_plots_{name}.svg" in page
        drawn = (folder / f"dvc_plots/static/workspace_plots_{name}.svg").read_bytes()
        assert drawn == (folder / f"plots/{name}.svg").read_bytes()
    assert not [path for path in folder.iterdir() if path.name in (".config", ".cache")]
