"""Files that were cut off, flipped, emptied, deleted or left behind between two runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from entropyguard.core.storage.temporary import temporary_file
from entropyguard.project.lock import drop_damaged_entries, load_lock
from entropyguard.project.pipeline import STAGES
from tests.faults.harness import Bench

pytestmark = pytest.mark.pipeline


def flip(path: Path) -> None:
    """Change one byte where it lies; size and mtime stay, and so does the hardlink to DVC's cache."""
    before = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    """Cut the file off in its middle, where it lies."""
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    """Leave nothing in the file."""
    path.chmod(0o644)
    os.truncate(path, 0)


def flip_and_delete(path: Path) -> None:
    """Damage the file and its copy in DVC's cache with it, then delete the file alone."""
    flip(path)
    path.unlink()


DAMAGE: list[dict[str, Callable[[Path], None]]] = [
    {
        "after_exact_dedup.parquet": flip,
        "dropped/near.parquet": flip,
        "similar_pairs.parquet": cut,
        "report.json": flip,
    },
    {
        ".entropyguard/ingest.json": cut,
        "embeddings.parquet": empty,
        "after_semantic_dedup.parquet": flip_and_delete,
        ".entropyguard/export.json": flip,
    },
]
REBUILT = [["exact_dedup", "near_dedup", "similar_pairs", "export"], ["ingest", "embed", "semantic_dedup", "export"]]


@pytest.mark.parametrize(("harms", "rebuilt"), list(zip(DAMAGE, REBUILT, strict=True)), ids=["some", "others"])
def test_damaged_files_are_built_again_and_nothing_else(
    harms: dict[str, Callable[[Path], None]], rebuilt: list[str], bench: Bench
) -> None:
    for name, harm in harms.items():
        harm(bench.checkpoints / name)
    assert bench.assert_survives("ingest").ran == rebuilt


def test_a_deleted_checkpoint_comes_back_without_work(bench: Bench) -> None:
    (bench.checkpoints / "ingested.parquet").unlink()
    (bench.checkpoints / "cleaned.jsonl").unlink()
    assert bench.assert_survives("export").ran == []


def test_damage_does_not_come_back_from_the_cache_when_the_records_are_gone_too(bench: Bench) -> None:
    checkpoint = bench.checkpoints / "after_exact_dedup.parquet"
    flip_and_delete(checkpoint)
    (bench.checkpoints / "dvc.lock").unlink()
    bench.assert_survives("ingest")


def another_schema(lock: Path) -> None:
    """Make the file one of another version of DVC."""
    text = lock.read_text()
    assert text.startswith('schema: "2.0"\n')
    lock.write_text(text.replace("2.0", "2.1", 1))


@pytest.mark.parametrize("harm", [cut, empty, another_schema])
def test_a_lock_that_cannot_be_read_loses_no_run(harm: Callable[[Path], None], bench: Bench) -> None:
    (bench.checkpoints / ".dvc" / "tmp" / "rwlock").write_text('{"write": {"/x": {"pid')
    lock = bench.checkpoints / "dvc.lock"
    if harm is cut:  # in the middle of a key, so that it is no YAML
        lock.write_text(lock.read_text()[: lock.read_text().index("similar_pairs:") + len("similar_pai")])
    else:
        harm(lock)
    ended = bench.assert_survives("ingest")
    assert ended.ran == list(STAGES)
    assert "Checkpoint invalid or not found: after_exact_dedup: dvc.lock is damaged" in ended.stderr
    assert list(load_lock(bench.checkpoints / "dvc.lock")) == list(STAGES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- path: ", "- name: "),
        ("size: ", "size: x"),
        ("md5: ", "md5: ../"),
        ("cmd: ", "command: "),
        ("params.yaml:", "params.yaml:\n      - 1\n      dvc.yaml:"),
    ],
)
def test_of_a_lock_that_is_damaged_in_one_stage_the_others_stay(old: str, new: str, bench: Bench) -> None:
    lock = bench.checkpoints / "dvc.lock"
    before, name, after = lock.read_text().partition("  semantic_dedup:\n")
    assert old in after
    lock.write_text(before + name + after.replace(old, new, 1))
    assert drop_damaged_entries(lock) == ["semantic_dedup"]
    assert set(load_lock(bench.checkpoints / "dvc.lock")) == set(STAGES) - {"semantic_dedup"}
    assert drop_damaged_entries(lock) == []


def test_a_lock_that_ends_amid_a_stage_costs_only_that_stage(bench: Bench) -> None:
    lock = bench.checkpoints / "dvc.lock"
    lock.write_text(lock.read_text().partition("  export:\n")[0] + "  export:\n    cmd: exec\n    deps:\n")
    ended = bench.assert_survives("export")
    assert ended.ran == ["export"]
    assert "ran: dvc.lock is damaged" in ended.stderr


def test_what_killed_runs_left_is_removed(bench: Bench) -> None:
    cache, own = bench.checkpoints / ".dvc" / "cache" / "files" / "md5", bench.checkpoints / ".entropyguard"
    (own / "tmp" / "embed").mkdir(parents=True)
    (cache / "00").mkdir(exist_ok=True)
    with temporary_file(own) as living:
        name = f"{living.name.rpartition('-')[0]}-{0:016x}.tmp"
    left = [
        own / "tmp" / "embed" / "embeddings.parquet",
        own / name,
        own / "running.json",
        cache / "00" / ".abc.tmp",
        bench.folder / name,
    ]
    for path in left:
        path.write_text("half")
    (bench.checkpoints / ".dvc" / "tmp" / "rwlock").write_text(
        f'{{"write": {{"{bench.checkpoints}/embeddings.parquet": {{"pid": {os.getpid()}, "cmd": "dvc repro"}}}}}}'
    )
    assert bench.assert_survives("export").ran == []
    assert not [path for path in left if path.exists()]
