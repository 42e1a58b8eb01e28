"""Hive partitions in a checkpoint dir, whose links to the input carry the folders."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.rows.source import Source
from entropyguard.project.linked_input import link_names
from tests.conftest import TEXTS, Workspace


def test_only_links_of_partitions_lie_in_folders() -> None:
    sources = [
        Source(Path("a.parquet"), "parquet"),
        Source(Path("x=1/a.arrow"), "arrow", partitions=("x=1", "y=a%20b")),
    ]
    assert link_names(sources) == ["000000.parquet", "000001/x=1/y=a%20b/data.arrow"]


@pytest.mark.pipeline
def test_a_file_that_moved_to_another_partition_is_ingested_again(workspace: Workspace) -> None:
    folder = workspace.folder / "d"
    folder.mkdir()
    (folder / "year=2023").mkdir()
    pq.write_table(pa.table({"text": TEXTS}), folder / "year=2023" / "part-0.parquet")
    flags = ("--no-semantic", "--source-column", "year")
    ended = workspace.run(*flags, input="d")
    assert ended.code == 0, ended.stderr
    assert {row["year"] for row in workspace.kept()} == {2023}
    (folder / "year=2023").rename(folder / "year=2024")
    ended = workspace.run(*flags, "--resume", input="d")
    assert ended.code == 0, ended.stderr
    assert "ingest" in ended.ran
    assert "columns from the names of folders (year=2024/): year" in ended.stderr
    assert {row["year"] for row in workspace.kept()} == {2024}
    said = workspace.call("explain", "0", "--checkpoint-dir", workspace.checkpoints).stdout
    assert "row 0 (d/year=2024/part-0.parquet, line 1)" in said
    assert workspace.run(*flags, "--resume", input="d").ran == []
    assert workspace.call("clean", "--checkpoint-dir", workspace.checkpoints).code == 0
    assert not workspace.checkpoints.exists()
