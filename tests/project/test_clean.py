"""What is deleted: our files by their exact names where our marker is, and nothing else."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import polars as pl
import pytest

from entropyguard.core.checkpoint import CheckpointManager
from entropyguard.core.errors import BusyError, UsageError
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.own_files import OwnNames, remove_own
from entropyguard.core.storage.temporary import temporary_file
from entropyguard.project.cache import free_unused, remove_leftovers
from entropyguard.project.checkpoint_dir import at_rest, materialise, owned
from entropyguard.project.clean import clean
from entropyguard.project.own_names import CHECKPOINT_DIR
from entropyguard.project.project import Project
from entropyguard.run.settings import default_params

HEX = "0123456789abcdef" * 2
OURS = (
    "ingested.parquet dropped/exact.parquet plots/rows.svg cleaned.jsonl.gz dvc.lock report.json "
    "after_near_dedup.parquet dropped/near.parquet near_pairs.parquet .entropyguard/near_dedup.json "
    f".entropyguard/near/texts-{HEX}.parquet .entropyguard/near/verdicts/words-{HEX}.parquet "
    f".dvc/cache/files/md5/01/{HEX[2:]} .dvc/cache/files/md5/01/{HEX[2:]}.dir .dvc/tmp/btime "
    f".entropyguard/vectors/model/vectors-{HEX}.parquet .entropyguard/blocks/block-{HEX}.parquet "
    ".entropyguard/tmp/embed/half .entropyguard/ingest.json .entropyguard/sweep/pairs.json"
).split()
FOREIGN = (
    "mine.txt sub/y dropped/mine.parquet plots/mine.svg stages/mine.py cleaned.xlsx .dvc/config.local "
    ".dvc/cache/files/md5/01/mine .entropyguard/mine.json .entropyguard/vectors/model/embeddings-v1.npy "
    ".entropyguard/near/mine near_pairs.json after_near_dedup.csv "
    f".entropyguard/vectors/{HEX}.parquet .entropyguard/blocks/block-{HEX[1:]}.parquet .entropyguard/tmp/mine"
).split()


def put(root: Path, names: list[str], text: str = "x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkpoint dir as a run leaves it, but for what is in the files."""
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    project = Project(tmp_path / "checkpoints")
    with owned(project):
        materialise(project, default_params().as_dict(), [Source(tmp_path / "data.jsonl", "jsonl")])
    put(project.root, OURS)
    return project


def test_a_checkpoint_dir_that_holds_only_ours_goes_whole(project: Project, tmp_path: Path) -> None:
    assert clean(project.root).kept == []
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]


def test_what_is_not_ours_stays_and_is_named(project: Project) -> None:
    put(project.root, FOREIGN, "the user's")
    (project.root / "inputs" / "link").symlink_to(project.root.parent)
    (project.root / "plots" / "similarity.svg").symlink_to(project.root.parent / "data.jsonl")
    removed = clean(project.root)
    links = ["inputs/link", "plots/similarity.svg"]
    assert sorted(removed.kept) == sorted([*(name.replace("sub/y", "sub/") for name in FOREIGN), *links])
    left = [path for path in project.root.rglob("*") if not path.is_dir() or path.is_symlink()]
    assert sorted(path.relative_to(project.root).as_posix() for path in left) == sorted([*FOREIGN, *links])
    assert all((project.root / name).read_text() == "the user's" for name in FOREIGN)
    with pytest.raises(UsageError, match="nothing was removed"):
        clean(project.root)


def test_a_link_is_never_followed(project: Project, tmp_path: Path) -> None:
    away = tmp_path / "away"
    put(away, ["rows.svg", "similarity.svg"], "the user's")
    (tmp_path / "link").symlink_to(project.root)
    with pytest.raises(UsageError, match=r"link is a link to .*checkpoints; nothing was removed"):
        clean(tmp_path / "link")
    (project.root / "plots" / "rows.svg").unlink()
    (project.root / "plots").rmdir()
    (project.root / "plots").symlink_to(away)
    assert clean(project.root).kept == ["plots"]
    assert sorted(path.read_text() for path in away.iterdir()) == ["the user's"] * 2


def test_saved_checkpoints_go_too_unless_somebody_changed_them(project: Project, tmp_path: Path) -> None:
    manager = CheckpointManager(project.root)
    for stage in ("mine", "changed"):
        manager.save_checkpoint(stage, pl.DataFrame({"a": [1]}), tmp_path / "data.jsonl", {})
    (project.root / "changed.parquet").write_text("the user's")
    assert clean(project.root).kept == ["changed.parquet"]
    assert [path.name for path in project.root.iterdir()] == ["changed.parquet"]


def test_what_is_being_written_stays(project: Project) -> None:
    with temporary_file(project.root) as living:
        remove_leftovers(project)
        assert clean(project.root).kept == [living.name]
        assert living.exists()


@pytest.mark.parametrize("lock", ["build_lock", "stage_lock"])
def test_nothing_is_cleaned_and_no_sweep_searches_while_a_run_is_at_work(project: Project, lock: str) -> None:
    before = sorted(project.root.rglob("*"))
    with getattr(project.paths, lock).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="at work in"):
            clean(project.root)
        with pytest.raises(BusyError, match="at work in"), at_rest(project):
            pytest.fail("the dir is not at rest")
    assert sorted(project.root.rglob("*")) == before


def test_a_data_repo_loses_its_stores_alone_and_not_while_a_stage_is_at_work(tmp_path: Path) -> None:
    put(tmp_path, [*OURS, *FOREIGN, "dvc.yaml"])
    stores = [name for name in OURS if name.startswith(".entropyguard/") and name.count("/") > 1]
    with (tmp_path / ".entropyguard" / "stage.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="A stage, a sweep or a clean is at work"):
            clean(tmp_path)
    removed = clean(tmp_path)
    assert removed.freed > 0
    assert [name for name in OURS if not (tmp_path / name).exists()] == stores
    assert all((tmp_path / name).exists() for name in FOREIGN)
    assert set(removed.kept) == {name for name in FOREIGN if name.startswith(".entropyguard/") and name.count("/") > 1}


def test_a_cache_that_was_moved_behind_a_link_is_not_emptied(project: Project, tmp_path: Path) -> None:
    cache, shared = project.paths.cache, tmp_path / "shared"
    cache.rename(shared)
    cache.symlink_to(shared)
    put(shared, ["runs/ab", "files/.x.tmp"])
    before = sorted(shared.rglob("*"))
    project.paths.lock.unlink()  # nothing in the cache is of use any more
    free_unused(project)
    remove_leftovers(project)
    assert sorted(shared.rglob("*")) == before


def test_a_file_among_the_links_to_the_input_is_refused_and_stays(project: Project, tmp_path: Path) -> None:
    for name in ("mine.jsonl", "000001.jsonl"):
        mine = project.paths.inputs / name
        mine.write_text("the user's")
        with pytest.raises(UsageError, match=rf"{name} was not made by entropyguard, and would be read as input"):
            materialise(project, default_params().as_dict(), [Source(tmp_path / "data.jsonl", "jsonl")])
        assert mine.read_text() == "the user's"
        mine.unlink()


def test_what_was_freed_is_counted_once_and_only_where_no_name_is_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, ["ingested.parquet", "report.json"], "x" * 10_000)
    (root / "cleaned.jsonl").hardlink_to(root / "ingested.parquet")
    os.link(root / "report.json", tmp_path / "kept")
    size = (root / "ingested.parquet").stat().st_blocks * 512
    assert remove_own(root, OwnNames(CHECKPOINT_DIR)).freed == size
    assert list(root.iterdir()) == []
