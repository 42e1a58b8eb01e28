"""A stage's bytes cannot change without its STAGE_VERSION."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from entropyguard.core.storage.files import read_json
from tests.stage_bytes import FILE, complaints, observe


@pytest.mark.pipeline
def test_every_stage_writes_what_it_wrote_at_its_version(tmp_path: Path) -> None:
    assert complaints(read_json(FILE), observe(tmp_path)) == []


def test_other_bytes_at_the_same_version_are_refused_with_what_to_do() -> None:
    recorded = read_json(FILE)
    observed = copy.deepcopy(recorded)
    observed["exact_dedup"]["wrote"]["dropped/exact.parquet"] = "0" * 32
    (line,) = complaints(recorded, observed)
    assert line.startswith("exact_dedup writes another dropped/exact.parquet from what it wrote at version ")
    assert "raise its STAGE_VERSION in stages/exact_dedup.py" in line


@pytest.mark.parametrize("given", ["version", "params", "read"])
def test_bytes_may_follow_from_what_a_stage_is_given(given: str) -> None:
    recorded = read_json(FILE)
    observed = copy.deepcopy(recorded)
    observed["embed"]["wrote"]["embeddings.parquet"] = "0" * 32
    observed["embed"][given] = None
    (line,) = complaints(recorded, observed)
    assert line == "stage_bytes.json is of other versions, parameters or inputs. Run `python -m tests.stage_bytes`."
