"""The bytes of each stage's outputs on a small fixed corpus, by the stage's version: `stage_bytes.json` beside this.

    python -m tests.stage_bytes      after a STAGE_VERSION was raised: write the new digests

A stage of the same version that is given the same bytes and parameters must write the same bytes, or users keep stale
checkpoints after an upgrade. They hold for the versions of libraries in constraints.txt, on any processor.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from entropyguard.core.storage.files import content_digest, read_json, write_json
from entropyguard.project.layout import script_name
from entropyguard.project.pipeline import STAGE_VERSIONS, stage_params
from entropyguard.project.project import Project
from tests.conftest import TEXTS, Workspace
from tests.static_model import write_static_model

FILE = Path(__file__).with_suffix(".json")
_NAMED_BY_PATH = ("embed.model",)
_LINES = [
    *(json.dumps({"id": at, "text": text}) for at, text in enumerate(TEXTS)),
    "{not JSON",
    '{"id": 11, "text": null}',
    '{"text":"Zażółć  GĘŚLĄ jaźń", "n": 1e3, "n": 1.50}',
    '{"text": "zażółć gęślą jaźń"}',
    '{"text": "Ω"}',
    '{"text": "..."}',
    json.dumps({"text": " ".join(TEXTS * 8)}),
    json.dumps({"text": "music and dance fill the square on the warm night 7"}),
    json.dumps({"text": f"{TEXTS[9]} today"}),  # a near-duplicate
]


def observe(folder: Path) -> dict[str, Any]:
    """Run the pipeline on the corpus in `folder`: by stage its version, its parameters and the digests of its files."""
    workspace = Workspace(folder, write_static_model(folder / "model"))
    workspace.input.write_text("".join(f"{line}\n" for line in _LINES), encoding="utf-8")
    ended = workspace.run("--keep", "longest", "--min-length", "2")
    if ended.code:
        raise RuntimeError(ended.stderr)
    project = Project(workspace.checkpoints)
    digests: dict[str, str] = {}
    observed = {}
    for name, stage in project.stages.items():
        params = stage_params(stage, project.params.as_dict())
        read = {dep: digests[dep] for dep in stage.deps if dep in digests}
        wrote = {out: content_digest(project.root / out) for out in stage.outs}
        digests |= wrote
        kept = {name: value for name, value in params.items() if name not in _NAMED_BY_PATH}
        observed[name] = {"version": STAGE_VERSIONS[name], "params": kept, "read": read, "wrote": wrote}
    return observed


def complaints(recorded: dict[str, Any], observed: dict[str, Any]) -> list[str]:
    """What is wrong, and what to do about it; nothing where the recorded bytes are those observed."""
    found = []
    for stage, now in observed.items():
        then = recorded.get(stage, {})
        given = ("version", "params", "read")
        if [now[key] for key in given] == [then.get(key) for key in given] and now["wrote"] != then["wrote"]:
            changed = [out for out, digest in now["wrote"].items() if then["wrote"].get(out) != digest]
            found.append(
                f"{stage} writes another {', '.join(changed)} from what it wrote at version {now['version']}. If that "
                f"is meant, raise its STAGE_VERSION in {script_name(stage)} and in project/pipeline.py: users' "
                "checkpoints are then built again. If it is not, find out why."
            )
    if not found and recorded != observed:
        found.append(f"{FILE.name} is of other versions, parameters or inputs. Run `python -m {__spec__.name}`.")
    return found


def main() -> None:
    """Write the digests, unless a stage changed without its version."""
    with tempfile.TemporaryDirectory() as folder:
        observed = observe(Path(folder))
    stale = [line for line in complaints(read_json(FILE) or {}, observed) if line.find("STAGE_VERSION") >= 0]
    if stale:
        sys.exit("\n".join(stale))
    write_json(FILE, observed)


if __name__ == "__main__":
    main()
