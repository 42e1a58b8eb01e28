"""A run that `dvc push` and `dvc pull` bring to another machine goes on there: nothing runs again, nothing is embedded
again, and what was damaged on the way is never used.

A machine is a folder here; the vector store, DVC's cache and the state of files do not come along.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.conftest import TEXTS, Workspace
from tests.data_repo import Repo, user_environment
from tests.s3.conftest import Bucket
from tests.s3.server import Address

pytestmark = pytest.mark.pipeline

SMALL = "dvc.yaml dvc.lock params.yaml stages report.json .dvc/config .entropyguard/checkpoint-dir .entropyguard/*.json"
"""What docs/checkpoint-resume.md says to take along besides `dvc pull`."""

NEW_ROW = json.dumps({"id": 10, "text": "a brown dog ran under the old wooden table"}) + "\n"


@pytest.fixture(scope="module")
def remote(server: Address) -> Iterator[Bucket]:
    """A bucket for all tests here."""
    made = Bucket(f"remote-{os.getpid()}", server)
    made.client.mkdir(made.name)
    yield made
    made.client.rm(made.name, recursive=True)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory, model: Path, remote: Bucket) -> Workspace:
    """The first machine, after its run was pushed."""
    first = Workspace(tmp_path_factory.mktemp("first"), model, environment=remote.variables())
    first.write_rows(TEXTS)
    assert first.run().code == 0
    dvc(first, "remote", "add", "--default", "storage", remote.url("store"))
    resumed = first.run("--resume")  # DVC's settings outlive a run
    assert (resumed.code, resumed.ran) == (0, [])
    dvc(first, "push")
    subprocess.run(f"tar -czf ../small.tar.gz {SMALL}", shell=True, cwd=first.checkpoints, check=True)
    return first


def dvc(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    """Run DVC in a checkpoint dir as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=workspace.checkpoints,
        env={**user_environment(workspace.folder), **workspace.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def another_machine(pushed: Workspace, folder: Path) -> Workspace:
    """The second machine: the input, the small files, and the rest by `dvc pull`."""
    second = replace(pushed, folder=folder)
    shutil.copyfile(pushed.input, second.input)
    second.checkpoints.mkdir()
    subprocess.run(["tar", "-xzf", pushed.folder / "small.tar.gz", "-C", second.checkpoints], check=True)
    dvc(second, "pull")
    return second


def embedded(project: Path) -> tuple[int, int]:
    """How many texts the last embed embedded, and how many it had vectors of."""
    counts = json.loads((project / ".entropyguard" / "embed.json").read_text())["counts"]
    return counts["embedded"], counts["reused"]


def test_a_checkpoint_dir_goes_on_elsewhere_and_nothing_runs(pushed: Workspace, tmp_path: Path) -> None:
    second = another_machine(pushed, tmp_path)
    ended = second.run("--resume")
    assert (ended.code, ended.ran) == (0, []), ended.stderr
    assert second.output.read_bytes() == pushed.output.read_bytes()
    verified = second.call("verify", "--checkpoint-dir", second.checkpoints)
    assert verified.code == 0, verified.stdout + verified.stderr
    with second.input.open("a") as file:
        file.write(NEW_ROW)
    ended = second.run("--resume")
    assert ended.code == 0, ended.stderr
    assert embedded(second.checkpoints) == (1, len(TEXTS) - 1)  # of equal texts one comes this far
    elsewhere = tmp_path / "clean"
    assert second.run(checkpoint_dir=elsewhere, output=tmp_path / "clean.jsonl").code == 0
    assert second.output.read_bytes() == (tmp_path / "clean.jsonl").read_bytes()
    assert _bytes(second.checkpoints / "embeddings.parquet") == _bytes(elsewhere / "embeddings.parquet")


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def test_what_was_damaged_on_the_remote_is_built_again(pushed: Workspace, remote: Bucket, tmp_path: Path) -> None:
    key = object_key(pushed.checkpoints, "embeddings.parquet")
    sound = damage(remote, key)
    try:
        second = another_machine(pushed, tmp_path)
        ended = second.run("--resume")
    finally:
        remote.write(key, sound)
    assert (ended.code, ended.ran) == (0, ["embed"]), ended.stderr
    assert "Failed to load checkpoint: embeddings.parquet: content differs" in ended.stderr
    assert embedded(second.checkpoints) == (len(TEXTS) - 1, 0)
    assert _bytes(second.checkpoints / "embeddings.parquet") == _bytes(pushed.checkpoints / "embeddings.parquet")


def object_key(project: Path, output: str) -> str:
    """Where an output lies in the store."""
    stages = yaml.safe_load((project / "dvc.lock").read_text())["stages"].values()
    md5 = next(out["md5"] for stage in stages for out in stage["outs"] if out["path"] == output)
    return f"store/files/md5/{md5[:2]}/{md5[2:]}"


def damage(remote: Bucket, key: str) -> bytes:
    """Flip a bit in the middle; what was there before."""
    sound = remote.read(key)
    changed = bytearray(sound)
    changed[len(changed) // 2] ^= 1
    remote.write(key, bytes(changed))
    return sound


class CloudRepo(Repo):
    """A data repo of a user who has access to the server; the pipeline may lie below the repo's root."""

    def sh(self, command: str, code: int | None = 0) -> str:
        names = " ".join(f"{name}={value}" for name, value in _VARIABLES.items())
        return super().sh(f"export {names}; {command}", code)


_VARIABLES: dict[str, str] = {}


def test_a_data_repo_goes_on_in_a_clone(tmp_path: Path, model: Path, bucket: Bucket) -> None:
    _VARIABLES.update(bucket.variables())
    origin = tmp_path / "origin" / "text"
    origin.mkdir(parents=True)
    (origin / "data.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    first = CloudRepo(origin)
    first.sh("cd .. && git init -q && dvc init -q")
    first.sh(f"entropyguard init --input data.jsonl --text-column text --model-name {model} && dvc add -q data.jsonl")
    first.sh(f"dvc repro -q && dvc remote add -d storage {bucket.url('store')} && dvc push -q")
    first.sh("cd .. && git add -A && git commit -qm first")

    first.sh(f"git clone -q {origin.parent} {tmp_path / 'clone'}")
    second = CloudRepo(tmp_path / "clone" / "text")
    second.sh("dvc pull -q")
    assert second.repro() == []
    assert "15 of 15 outputs are here and agree" in second.sh("entropyguard verify")
    second.sh("dvc unprotect data.jsonl")
    with (second.folder / "data.jsonl").open("a") as file:
        file.write(NEW_ROW)
    second.sh("dvc repro -q")
    assert embedded(second.folder) == (1, len(TEXTS) - 1)

    damage(bucket, object_key(origin, "embeddings.parquet"))
    first.sh(f"git clone -q {origin.parent} {tmp_path / 'third'}")
    third = CloudRepo(tmp_path / "third" / "text")
    third.sh("dvc pull -q")
    assert "embeddings.parquet: content differs from dvc.lock" in third.sh("entropyguard verify", code=1)
    third.sh("dvc unprotect data.jsonl")
    with (third.folder / "data.jsonl").open("a") as file:
        file.write(NEW_ROW)
    third.sh("dvc repro -q")
    assert embedded(third.folder) == (len(TEXTS), 0)
    assert _bytes(third.folder / "embeddings.parquet") == _bytes(second.folder / "embeddings.parquet")
