"""`entropyguard verify`: agrees with what DVC built, and names the stage when anything is not what it should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from entropyguard.core.embed.unit import embeddings_schema
from entropyguard.core.embed.vector_store import vectors_to_arrow
from entropyguard.core.errors import InputError, UsageError
from entropyguard.core.report.build_diff import Difference, decision_differences, vector_distance
from entropyguard.core.rows.schemas import DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import content_digest, md5_digest
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.project.pipeline import STAGE_VERSIONS, STAGES
from entropyguard.project.project import Project
from entropyguard.queries.verify import verify
from tests.conftest import Workspace
from tests.data_repo import Repo
from tests.static_model import write_static_model

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).parents[2]
EMBEDDINGS = "embeddings.parquet"


@pytest.fixture
def repo(built_repo: Repo) -> Repo:
    """A data repo after `dvc repro`, with everything committed."""
    built_repo.sh("git add -A && git commit -qm all")
    return built_repo


def replace(repo: Repo, name: str, old: str, new: str) -> None:
    text = (repo.folder / name).read_text()
    assert old in text
    (repo.folder / name).write_text(text.replace(old, new, 1))


def overwrite(path: Path, data: bytes) -> None:
    """Put other bytes at a path; what is linked to the old ones keeps them."""
    path.unlink()
    path.write_bytes(data)


def accept(repo: Repo, stage: str, out: str) -> None:
    """Write an output's present md5 into dvc.lock, wherever the file is named: as if a run had written it."""
    lock = yaml.safe_load((repo.folder / "dvc.lock").read_text())
    (before,) = [item["md5"] for item in lock["stages"][stage]["outs"] if item["path"] == out]
    text = (repo.folder / "dvc.lock").read_text()
    (repo.folder / "dvc.lock").write_text(text.replace(before, md5_digest(repo.folder / out)))


def reasons(repo: Repo) -> dict[str, str]:
    """What verify finds without a rebuild, by stage."""
    return {one.stage: one.reason for one in verify(Project(repo.folder), strict=False).differences}


def edit_lock(repo: Repo, change: Callable[[dict[str, dict[str, object]]], object]) -> None:
    content = yaml.safe_load((repo.folder / "dvc.lock").read_text())
    change(content["stages"])
    (repo.folder / "dvc.lock").write_text(yaml.safe_dump(content, sort_keys=False))


def test_a_finished_checkpoint_dir_is_verified_and_stays_untouched(finished: Workspace) -> None:
    before = snapshot(finished.folder)
    ended = finished.call("verify", "--strict", "--checkpoint-dir", finished.checkpoints)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == "verified: a rebuild gives every output to the bit\n"
    assert snapshot(finished.folder) == before


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    """Every path below a folder: inode, mode, mtime and content."""
    paths = [folder, *sorted(folder.rglob("*"))]
    stats = {path: path.lstat() for path in paths}
    return {
        str(path): (stat.st_ino, stat.st_mode, stat.st_mtime_ns, content_digest(path) if path.is_file() else "")
        for path, stat in stats.items()
    }


def test_a_finished_data_repo_agrees_in_one_line(repo: Repo) -> None:
    said = repo.sh("entropyguard verify")
    assert said.startswith("verified: ")
    assert "the input and 15 of 15 outputs are here and agree" in said
    assert said.count("\n") == 1


def test_without_any_data_the_lock_is_still_verified(repo: Repo) -> None:
    repo.sh("git clean -qdxf")
    assert not (repo.folder / EMBEDDINGS).exists()
    assert "no input and 0 of 15 outputs are here" in repo.sh("entropyguard verify")


def test_new_data_are_noticed_in_a_clone_that_has_none(repo: Repo) -> None:
    overwrite(repo.folder / "data.jsonl", b'{"text": "one row"}\n')
    repo.sh("dvc add -q data.jsonl && git add -A && git commit -qm data && git clean -qdxf")
    assert reasons(repo) == {"ingest": "data.jsonl.dvc names other data than dvc.lock"}


INGEST_VERSION = f"STAGE_VERSION = {STAGE_VERSIONS['ingest']}"


@pytest.mark.parametrize(
    ("file", "old", "new", "stage", "reason"),
    [
        ("params.yaml", "dedup_threshold: 0.95", "dedup_threshold: 0.92", "export", "dedup_threshold 0.95 -> 0.92"),
        ("params.yaml", "unicode: NFC", "unicode: NFKC", "exact_dedup", "unicode NFC -> NFKC"),
        ("stages/embed.py", "import Counts", "import  Counts", "embed", "stages/embed.py changed"),
        ("stages/ingest.py", INGEST_VERSION, "STAGE_VERSION = 0", "ingest", "is version 0, the installed one is"),
        ("dvc.yaml", "python stages/export.py", "python stages/export.py x", "export", "its command changed"),
        ("dvc.yaml", "      - embeddings.parquet\n    params", "    params", "similar_pairs", "its deps are others"),
        ("dvc.yaml", "      - rejected.jsonl\n\n", "\n", "ingest", "its outs are others"),
        ("report.json", '"in": 10', '"in": 11', "export", "report.json: content differs from dvc.lock"),
        ("data.jsonl", "black", "white", "ingest", "data.jsonl: content differs from dvc.lock"),
        ("data.jsonl.dvc", "md5: ", "md5: 0", "ingest", "data.jsonl.dvc names other data than dvc.lock"),
    ],
)
def test_what_does_not_agree_is_named_with_its_stage(
    repo: Repo, file: str, old: str, new: str, stage: str, reason: str
) -> None:
    data = (repo.folder / file).read_text()
    assert old in data
    overwrite(repo.folder / file, data.replace(old, new, 1).encode())
    assert reason in reasons(repo)[stage]


def test_the_command_ends_with_1_and_a_line_for_each_stage(repo: Repo) -> None:
    replace(repo, "params.yaml", "dedup_threshold: 0.95", "dedup_threshold: 0.92")
    said = repo.sh("entropyguard verify --strict", code=1)
    assert said.splitlines() == [
        "semantic_dedup: dedup_threshold 0.95 -> 0.92",
        "export: dedup_threshold 0.95 -> 0.92",
    ]


def test_a_damaged_output_is_named(repo: Repo) -> None:
    path = repo.folder / "dropped" / "exact.parquet"
    overwrite(path, path.read_bytes()[:-1] + b"x")
    assert reasons(repo) == {"exact_dedup": "dropped/exact.parquet: content differs from dvc.lock"}


def test_a_lock_that_contradicts_itself_is_named(repo: Repo) -> None:
    lock = yaml.safe_load((repo.folder / "dvc.lock").read_text())["stages"]
    deps = [item for item in lock["export"]["deps"] if item["path"] == "dropped/semantic.parquet"]

    def change(stages: dict[str, dict[str, object]]) -> None:
        stages["export"]["deps"] = [
            {**item, "md5": "0" * 32} if item["path"] == deps[0]["path"] else item for item in lock["export"]["deps"]
        ]

    edit_lock(repo, change)
    assert reasons(repo) == {"export": "by dvc.lock it read another dropped/semantic.parquet than semantic_dedup wrote"}


def test_a_stage_that_never_ran_is_named(repo: Repo) -> None:
    edit_lock(repo, lambda stages: stages.pop("embed"))
    assert reasons(repo) == {"embed": "it is not in dvc.lock"}
    (repo.folder / "dvc.lock").unlink()
    assert list(reasons(repo)) == list(STAGES)


def test_another_model_under_the_same_name_is_named(repo: Repo, tmp_path: Path) -> None:
    other = write_static_model(tmp_path / "other", words=["entropy"])
    content = yaml.safe_load((repo.folder / "params.yaml").read_text())
    content["embed"]["model"] = str(other)
    (repo.folder / "params.yaml").write_text(yaml.safe_dump(content))
    assert "embed.model_fingerprint" in reasons(repo)["embed"]


def test_a_folder_without_a_pipeline_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no entropyguard pipeline"):
        Project.opened(tmp_path)


def test_a_rebuild_without_the_data_says_to_pull_first(repo: Repo) -> None:
    (repo.folder / EMBEDDINGS).unlink()
    (repo.folder / "data.jsonl").unlink()
    with pytest.raises(InputError, match=r"data.jsonl, embeddings.parquet: .*`dvc pull` first") as raised:
        verify(Project(repo.folder), strict=True)
    assert raised.value.exit_code == 65


def test_a_committed_result_that_the_code_does_not_give_is_found_by_a_rebuild(repo: Repo) -> None:
    kept = (repo.folder / "cleaned.jsonl").read_bytes()
    overwrite(repo.folder / "cleaned.jsonl", kept.replace(b"doctor", b"driver"))
    accept(repo, "export", "cleaned.jsonl")
    verdict = verify(Project(repo.folder), strict=True)
    assert verdict.lines() == ["export: a rebuild gives another cleaned.jsonl"]


def test_a_near_duplicate_that_the_rule_does_not_give_is_found_by_a_rebuild(repo: Repo) -> None:
    path = repo.folder / "dropped/near.parquet"
    about = Checkpoint(path).metadata
    path.unlink()
    with TableWriter(path, DROPPED, about) as writer:
        writer.write(pa.table([[4], ["near"], [3], [0.9]], schema=DROPPED))
    accept(repo, "near_dedup", "dropped/near.parquet")
    (line,) = verify(Project(repo.folder), strict=True).lines()
    told = "row 4 is dropped for row 3 at 0.900000 here, kept in the rebuild"
    assert line == f"near_dedup: a rebuild gives another dropped/near.parquet; {told}"


def moved_towards(repo: Repo, row: int, other: int, distance: float) -> None:
    """Move a row's vector towards another's, and go on from there: what a CPU with other rounding would give."""
    path = repo.folder / EMBEDDINGS
    with Checkpoint(path).opened() as file:
        table = file.read()
    assert table["row_id"].to_pylist() == [0, *range(2, 10)]  # row 1 is an exact duplicate
    vectors = np.array(table["vector"].to_pylist(), dtype=np.float64)
    at, to = (one - (one > 1) for one in (row, other))
    aside = vectors[to] - (vectors[to] @ vectors[at]) * vectors[at]
    vectors[at] += distance * aside / np.linalg.norm(aside)
    about = Checkpoint(path).metadata
    path.unlink()
    with TableWriter(path, embeddings_schema(about["dimension"]), about, plain=("vector",)) as writer:
        column = vectors_to_arrow(vectors.astype(np.float32))
        writer.write(table.set_column(table.schema.get_field_index("vector"), table.field("vector"), column))
    repo.sh("dvc commit -q -f embed && dvc repro -q")


def similarity(repo: Repo, row: int, keeper: int) -> float:
    with Checkpoint(repo.folder / "similar_pairs.parquet").opened() as file:
        pairs = file.read().to_pylist()
    (found,) = [pair["similarity"] for pair in pairs if (pair["row_a"], pair["row_b"]) == (keeper, row)]
    return float(found)


def test_on_another_kind_of_cpu_a_decision_near_the_threshold_is_borderline(repo: Repo) -> None:
    before = similarity(repo, 8, 7)
    # A threshold just above what the rebuild finds: there the row is kept.
    replace(repo, "params.yaml", "dedup_threshold: 0.95", f"dedup_threshold: {before + 2e-6:.6f}")
    moved_towards(repo, 8, 7, 3e-5)
    assert before + 2e-6 <= similarity(repo, 8, 7) <= before + 1e-5
    verdict = verify(Project(repo.folder), strict=True)
    assert verdict.differences == ()
    (line,) = [line for line in verdict.lines() if "borderline: " in line]
    assert "row 8 is dropped for row 7 at " in line
    assert "here, kept in the rebuild" in line
    # The same file, known to come from this very encoder, has no excuse.
    (encoder,) = (repo.folder / ".entropyguard" / "vectors").iterdir()
    digest = content_digest(repo.folder / EMBEDDINGS)
    os.link(repo.folder / EMBEDDINGS, encoder / f"embeddings-{digest}.parquet")
    (line,) = verify(Project(repo.folder), strict=True).lines()
    assert line.startswith("embed: a rebuild on the same kind of CPU")


def test_vectors_that_rounding_does_not_explain_are_a_difference(repo: Repo) -> None:
    moved_towards(repo, 8, 7, 1e-3)
    (line,) = verify(Project(repo.folder), strict=True).lines()
    assert line == "embed: embeddings.parquet: a rebuild gives other vectors, by up to 1.0e-03: more than rounding does"


DroppedRow = tuple[int, int, float | None]


def write_dropped(path: Path, *rows: DroppedRow) -> Path:
    """A `dropped/semantic.parquet` from (row, keeper, similarity)."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    table = pa.table([columns[0], ["semantic"] * len(rows), columns[1], columns[2]], schema=DROPPED)
    with TableWriter(path, DROPPED) as writer:
        writer.write(table)
    return path


@pytest.mark.parametrize(
    ("here", "rebuilt", "explained"),
    [
        ([(8, 7, 0.960001)], [(8, 7, 0.960003)], {}),  # the same decision
        ([(8, 7, 0.95001)], [], {8: "within 1e-05 of the threshold 0.95"}),
        ([], [(8, 7, 0.95001)], {8: "within 1e-05 of the threshold 0.95"}),
        ([(8, 7, 0.950011)], [], {8: None}),
        ([(8, 7, 0.97)], [(8, 6, 0.97001)], {8: "both are equally near within 1e-05"}),
        ([(8, 7, 0.97)], [(8, 6, 0.98)], {8: None}),
        ([(8, 7, 0.97)], [(8, 7, 0.98)], {8: None}),
        ([(8, 7, 0.95)], [(9, 8, 0.99)], {8: "within 1e-05 of the threshold 0.95", 9: "it follows from row 8"}),
        ([(8, 7, 0.96)], [(9, 8, 0.99)], {8: None, 9: None}),
        (
            [(3, 2, 0.95), (5, 4, 0.99)],  # row 4 was kept because row 3 was not, and so on
            [(4, 3, 0.99)],
            {3: "within 1e-05 of the threshold 0.95", 4: "it follows from row 3", 5: "it follows from row 4"},
        ),
        # By components a row may be no pair with its keeper.
        ([(8, 7, None)], [(8, 7, None)], {}),
        ([(8, 7, None)], [(8, 6, None)], {8: None}),
        ([(8, 7, None)], [], {8: None}),
        (
            [(1, 0, 0.95), (2, 0, None)],
            [(2, 1, 0.97)],
            {1: "within 1e-05 of the threshold 0.95", 2: "it follows from row 1"},
        ),
    ],
)
def test_a_decision_is_borderline_only_if_rounding_explains_it(
    tmp_path: Path,
    here: list[DroppedRow],
    rebuilt: list[DroppedRow],
    explained: dict[int, str | None],
) -> None:
    found = differences(tmp_path, here, rebuilt)
    assert {one.row_id: one.why for one in found} == explained


def differences(folder: Path, here: list[DroppedRow], rebuilt: list[DroppedRow]) -> list[Difference]:
    return decision_differences(
        Checkpoint(write_dropped(folder / "a", *here)), Checkpoint(write_dropped(folder / "b", *rebuilt)), 0.95
    )


def test_a_difference_names_the_row_and_both_decisions(tmp_path: Path) -> None:
    (found,) = differences(tmp_path, [(8, 7, 0.97)], [])
    assert str(found) == "row 8 is dropped for row 7 at 0.970000 here, kept in the rebuild"


def write_embeddings(path: Path, vectors: list[list[float]], key: bytes = b"k" * 16) -> Path:
    schema = embeddings_schema(2)
    rows = len(vectors)
    column = vectors_to_arrow(np.array(vectors, dtype=np.float32))
    table = pa.table([range(rows), [0] * rows, [None] * rows, [key] * rows, column], schema=schema)
    with TableWriter(path, schema, plain=("vector",)) as writer:
        writer.write(table)
    return path


def test_the_distance_of_two_embeddings_is_that_of_the_row_that_moved_most(tmp_path: Path) -> None:
    one = write_embeddings(tmp_path / "a", [[1, 0], [0, 1]])
    assert vector_distance(Checkpoint(one), Checkpoint(one)) == 0
    assert vector_distance(Checkpoint(one), Checkpoint(write_embeddings(tmp_path / "b", [[1, 0], [3, 5]]))) == 5
    assert np.isnan(
        vector_distance(Checkpoint(one), Checkpoint(write_embeddings(tmp_path / "c", [[1, 0], [0, np.nan]]))) or 0
    )
    assert vector_distance(Checkpoint(one), Checkpoint(write_embeddings(tmp_path / "d", [[1, 0]]))) is None
    assert (
        vector_distance(Checkpoint(one), Checkpoint(write_embeddings(tmp_path / "e", [[1, 0], [0, 1]], key=b"x" * 16)))
        is None
    )


def steps_of_the_workflow() -> list[str]:
    """The commands of the GitHub Actions example in docs/ci.md, in order."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("```yaml\n")
    workflow = yaml.safe_load(rest.partition("```")[0])
    (job,) = workflow["jobs"].values()
    return [line for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_the_workflow_of_the_docs_verifies_a_fresh_clone(repo: Repo, tmp_path: Path) -> None:
    repo.sh(f"dvc remote add -q -d store {tmp_path / 'remote'} && git commit -qam remote && dvc push -q")
    repo.sh(f"git clone -q {repo.folder} {tmp_path / 'clone'}")
    clone = Repo(tmp_path / "clone")
    steps = steps_of_the_workflow()
    # The installation needs a network; what comes after it does not.
    offline = [step for step in steps if not step.startswith("pip ")]
    assert offline == ["entropyguard verify", "dvc pull", "entropyguard verify", "entropyguard verify --strict"]
    said = [clone.sh(step) for step in offline]
    assert "no input and 0 of 15 outputs" in said[0]
    assert "the input and 15 of 15 outputs" in said[2]
    assert "every output to the bit" in said[3]
    assert clone.sh("git status --porcelain") == ""
