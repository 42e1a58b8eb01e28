"""`entropyguard init`: the pipeline as files of the user's own git + DVC repo."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

from entropyguard.core.embed.model import model_fingerprint, resolve_model
from entropyguard.core.errors import UsageError
from entropyguard.core.storage.files import write_whole
from entropyguard.core.yaml_text import load_yaml
from entropyguard.project.layout import IGNORED, PARAMS
from entropyguard.project.params_upgrade import upgraded_params
from entropyguard.project.pipeline import STAGES, packaged_files
from entropyguard.project.project import Project


@dataclasses.dataclass(frozen=True)
class Choices:
    """What `init` puts into `params.yaml`; None leaves the packaged default."""

    input: str | None = None
    text_column: str | None = None
    model_name: str | None = None


def init_repo(repo: Path, choices: Choices, say: Callable[[str], None], *, upgrade: bool) -> bool:
    """Write the pipeline into `repo` and say what was done; False when edited files were left as they are.

    Existing files that differ are never overwritten, but for `upgrade`, which is the user's word to renew
    `stages/`, `dvc.yaml` and the model's fingerprint, to add new parameters and to take out those that are gone.
    `params.yaml` keeps every other value and comment.
    """
    _check_repo(repo)
    texts = {name: path.read_text(encoding="utf-8") for name, path in packaged_files().items()}
    params_file = repo / PARAMS
    if params_file.is_file():
        own = params_file.read_text(encoding="utf-8")
        own = upgraded_params(own, texts[PARAMS]) if upgrade else own
        texts[PARAMS] = _with_fingerprint(own, params_file, renew=upgrade)
    else:
        texts[PARAMS] = _with_choices(texts[PARAMS], choices)
    kept = [name for name, text in texts.items() if not _write(repo, name, text, say, upgrade=upgrade)]
    _ignore_outputs(repo, say)
    for name in kept:
        say(f"kept     {name}: it was edited; `entropyguard init --upgrade` would replace it")
    _say_next(repo, say)
    return not kept


def _check_repo(repo: Path) -> None:
    project = Project(repo)
    if project.is_checkpoint_dir:
        raise UsageError(f"{repo} is a checkpoint dir, not a data repo. Run `entropyguard init` elsewhere.")
    if not any((folder / project.paths.dvc.name).is_dir() for folder in [repo, *repo.parents]):
        raise UsageError(f"{repo} is no DVC repo. Run `git init && dvc init` first, then `entropyguard init`.")
    if project.paths.definition.is_file():
        stages = (load_yaml(project.paths.definition) or {}).get("stages") or {}
        if not set(STAGES) <= set(stages):
            raise UsageError(
                f"{project.paths.definition} is a pipeline of your own; nothing was written. "
                "Run `entropyguard init` in a subfolder: DVC runs pipelines in subfolders too."
            )


def _write(repo: Path, name: str, text: str, say: Callable[[str], None], *, upgrade: bool) -> bool:
    """Write one file; False when one that differs is there and may not be replaced."""
    path = repo / name
    before = path.read_text(encoding="utf-8") if path.is_file() else None
    if before == text:
        return True
    # `params.yaml` is only ever changed line by line, so what is new in it is what was asked for.
    if before is not None and not upgrade and name != PARAMS:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    say(f"{'wrote   ' if before is None else 'renewed '} {name}")
    return True


def _with_choices(text: str, choices: Choices) -> str:
    """The packaged params.yaml with the user's choices; its comments stay."""
    for key, value in (("input", choices.input), ("text_column", choices.text_column), ("model", choices.model_name)):
        if value is not None:
            text = _set_value(text, key, value)
    return _with_fingerprint(text, Path(PARAMS), renew=True)


def _with_fingerprint(text: str, path: Path, *, renew: bool) -> str:
    """`text` with the fingerprint of the installed model, where it is empty or to be renewed."""
    model = re.search(r"^  model: *(.*?)(?: +#.*)?$", text, re.MULTILINE)
    stated = re.search(r"^  model_fingerprint: *(.*?)(?: +#.*)?$", text, re.MULTILINE)
    if model is None or stated is None:
        raise UsageError(
            f"{path} has no embed.model and embed.model_fingerprint. Add both, or delete it and run again."
        )
    if stated[1].strip("\"'") and not renew:
        return text
    name = load_yaml_value(model[1])
    return _set_value(text, "model_fingerprint", model_fingerprint(resolve_model(name, allow_download=False)))


def load_yaml_value(text: str) -> str:
    """A YAML scalar as text."""
    import yaml

    return str(yaml.safe_load(text))


def _set_value(text: str, key: str, value: str) -> str:
    # A JSON string is a YAML string, whatever is in it.
    line = rf"^(\s*{key}: *)\S.*?( +#.*)?$"
    return re.sub(
        line,
        lambda match: match[1] + json.dumps(value, ensure_ascii=False) + (match[2] or ""),
        text,
        count=1,
        flags=re.MULTILINE,
    )


def _ignore_outputs(repo: Path, say: Callable[[str], None]) -> None:
    """Keep data, vectors and sidecars out of git from the start, also when the first run is killed."""
    path = Project(repo).paths.gitignore
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    missing = [line for line in IGNORED if line not in lines]
    if missing:
        write_whole(path, ("\n".join([*lines, *missing]) + "\n").encode())
        say("wrote    .gitignore")


def _say_next(repo: Path, say: Callable[[str], None]) -> None:
    params = Project(repo).params
    source = repo / params.input
    if not source.exists():
        say(f"next: put your data at {params.input}, or set `input` and `ingest.text_column` in params.yaml")
    elif not source.with_name(source.name + ".dvc").exists():
        say(f"next: `dvc add {params.input}` keeps the data out of git and in DVC")
    say("then: `dvc repro`, with this Python environment active")
