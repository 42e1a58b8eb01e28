"""What is started before the flags are read: DVC for what looks like a build, a host where all stages will run."""

from __future__ import annotations

import pytest

from entropyguard.project import dvc_process
from entropyguard.run.ahead import HOST, start_for

BUILD = ("--input", "a.jsonl", "--output=b.jsonl")


@pytest.mark.parametrize(
    ("arguments", "started"),
    [
        (BUILD, [HOST]),
        ((*BUILD, "--checkpoint-dir", "c"), [HOST]),
        ((*BUILD, "--checkpoint-dir", "c", "--resume"), [""]),
        ((*BUILD, "--dry-run"), []),
        ((*BUILD, "--help"), []),
        (("--input", "a.jsonl"), []),
        (("init", *BUILD), []),
        (("--version",), []),
        ((), []),
    ],
)
def test_a_build_has_its_processes_started(
    arguments: tuple[str, ...], started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []
    monkeypatch.setattr(dvc_process, "start_ahead", found.append)
    start_for(arguments)
    assert found == started
