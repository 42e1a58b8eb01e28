"""`init` and the stages after it write onto nothing of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.core.errors import UsageError
from entropyguard.project.data_repo import Choices, init_repo
from entropyguard.project.init_places import check_places
from entropyguard.project.project import Project


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A DVC repo with data in it."""
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    (tmp_path / "repo" / "data.jsonl").write_text("the user's\n")
    return tmp_path / "repo"


def init(repo: Path, given: str | None = "data.jsonl", *, upgrade: bool = False) -> list[str]:
    """What `init` says."""
    said: list[str] = []
    init_repo(repo, Choices(given), said.append, upgrade=upgrade)
    return said


@pytest.mark.parametrize(
    "name", ["report.json", "cleaned.csv", "embeddings.parquet", "plots/rows.svg", "dropped/exact.parquet"]
)
def test_a_file_in_the_place_of_a_result_is_refused_before_the_first_init(repo: Path, name: str) -> None:
    (repo / name).parent.mkdir(exist_ok=True)
    (repo / name).write_text("the user's\n")
    with pytest.raises(UsageError, match=rf"{name} is there already, .*; nothing was written"):
        init(repo)
    assert not (repo / "dvc.yaml").exists()
    (repo / name).unlink()
    init(repo)
    (repo / name).write_text("of a run\n")
    check_places(Project(repo), "data.jsonl")


@pytest.mark.parametrize(
    "given", ["cleaned.jsonl", "dvc.yaml", "x/../report.json", ".", "plots", "link", "../linked/rejected.jsonl", "hard"]
)
def test_an_input_that_the_pipeline_would_write_is_refused(repo: Path, given: str) -> None:
    init(repo)
    (repo / "plots").mkdir()
    (repo / "plots" / "rows.svg").touch()
    (repo / "link").symlink_to("cleaned.parquet")
    (repo / "hard").hardlink_to(repo / "params.yaml")
    (repo.parent / "linked").symlink_to(repo)
    with pytest.raises(UsageError, match=rf"--input {given} is, or holds, a file that the pipeline writes"):
        init(repo, given)


@pytest.mark.parametrize("name", ["dvc.yaml", ".gitignore"])
def test_a_link_in_the_place_of_a_file_stays_and_so_does_what_it_leads_to(repo: Path, name: str) -> None:
    away = repo.parent / "away"
    away.write_text("stages: {ingest, exact_dedup, embed, similar_pairs, semantic_dedup, export}\n")
    (repo / name).symlink_to(away)
    with pytest.raises(UsageError, match=rf"{name} is a link to .*away, and would be replaced"):
        init(repo, upgrade=True)
    assert (repo / name).is_symlink()
    assert away.read_text().startswith("stages: {ingest")


def test_an_encoding_is_set_where_there_is_one(repo: Path) -> None:
    said: list[str] = []
    with pytest.raises(UsageError, match="'utf-61'; it must be an encoding of text, such as utf-16 or cp1252"):
        init_repo(repo, Choices("data.jsonl", encoding="utf-61"), said.append, upgrade=False)
    assert not (repo / "params.yaml").exists()
    init_repo(repo, Choices("data.jsonl", encoding="cp1252"), said.append, upgrade=False)
    assert Project(repo).params.ingest.encoding == "cp1252"


def test_nothing_is_written_behind_a_linked_folder(repo: Path) -> None:
    (repo.parent / "away").mkdir()
    (repo / "stages").symlink_to(repo.parent / "away")
    with pytest.raises(UsageError, match=r"stages is a link to .*away, and would be replaced"):
        init(repo)
    assert list((repo.parent / "away").iterdir()) == []


def test_parameters_behind_a_link_are_read_and_not_replaced(repo: Path) -> None:
    init(repo)
    away = repo.parent / "away"
    (repo / "params.yaml").replace(away)
    (repo / "params.yaml").symlink_to(away)
    assert not [line for line in init(repo) if "params.yaml" in line]
    away.write_text(away.read_text().replace("model_fingerprint: ", "model_fingerprint: old #"))
    before = away.read_text()
    with pytest.raises(UsageError, match=r"params\.yaml is a link"):
        init(repo, upgrade=True)
    assert away.read_text() == before
