"""Names whose bytes are no UTF-8: any file may have one, and what cannot take it says so."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.conftest import Workspace


def odd(folder: Path, name: bytes) -> Path:
    """A path whose last part is not UTF-8."""
    return folder / os.fsdecode(name)


@pytest.mark.parametrize("name", [b"\xff.jsonl", b"\xff.csv", b"\xff.parquet", b"\xff.jsonl.gz", b"\xff.d"])
def test_an_input_may_have_any_name(name: bytes, workspace: Workspace) -> None:
    import polars as pl

    path = odd(workspace.folder, name)
    rows = workspace.input.read_bytes()
    if name.endswith(b".parquet"):
        with path.open("wb") as file:
            pl.read_ndjson(rows).write_parquet(file)
    elif name.endswith(b".csv"):
        path.write_bytes(pl.read_ndjson(rows).select("text").write_csv().encode())
    elif name.endswith(b".d"):
        path.mkdir()
        (path / "a.jsonl").write_bytes(rows)
    else:
        path.write_bytes(gzip.compress(rows) if name.endswith(b".gz") else rows)
    ended = workspace.answer(*workspace.flags("--dry-run", input=path))
    assert ended.code == 0, ended.stderr


@pytest.mark.pipeline
def test_results_may_have_any_name(workspace: Workspace) -> None:
    folder = odd(workspace.folder, b"\xfe")
    folder.mkdir()
    audit, report, summary = folder / "a.parquet", folder / "r.html", folder / "j.json"
    ended = workspace.run(
        input=workspace.input, output=folder / "o.parquet", audit_log=audit, report=report, json=summary
    )
    assert ended.code == 0, ended.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["a.parquet", "j.json", "o.parquet", "r.html"]


@pytest.mark.parametrize("flag", ["checkpoint_dir", "vector_cache"])
def test_a_folder_that_arrow_cannot_open_is_refused(flag: str, workspace: Workspace) -> None:
    folder = odd(workspace.folder, b"\xff")
    ended = workspace.answer(*workspace.flags(**{flag: folder}))
    assert ended.code == 2
    assert rf"--{flag.replace('_', '-')} {workspace.folder}/\udcff: Parquet files need a path in UTF-8." in ended.stderr
    assert not folder.exists()


@pytest.mark.parametrize("flag", ["text_column", "source_column"])
def test_a_column_that_is_no_text_is_named_by_its_flag(flag: str, workspace: Workspace) -> None:
    ended = workspace.answer(*workspace.flags(**{flag: os.fsdecode(b"\xff")}))
    assert ended.code == 2
    assert ended.stderr.startswith(f"entropyguard: --{flag.replace('_', '-')} is '\\udcff'; it must be text in UTF-8")
