"""One undisturbed build, and a copy of it for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import Bench, Clean, build_clean


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Clean:
    """What an undisturbed build of the ten rows wrote."""
    return build_clean(tmp_path_factory.mktemp("clean"), model)


@pytest.fixture
def bench(tmp_path: Path, clean: Clean) -> Bench:
    """A copy of the clean build."""
    return Bench(tmp_path, clean)
