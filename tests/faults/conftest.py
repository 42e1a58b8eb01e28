"""One undisturbed build, and a copy of it for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.faults.harness import Bench, Clean


@pytest.fixture(scope="session")
def clean(built: Workspace) -> Clean:
    """What an undisturbed build of the ten rows wrote."""
    return Clean.of(built)


@pytest.fixture
def bench(tmp_path: Path, clean: Clean) -> Bench:
    """A copy of the clean build."""
    return Bench(tmp_path, clean)
