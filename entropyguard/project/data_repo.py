"""`entropyguard init`: the pipeline as files of the user's own git + DVC repo."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from entropyguard.core.embed.model import model_fingerprint, resolve_model
from entropyguard.core.errors import UsageError
from entropyguard.core.ingest.inputs import known_encoding
from entropyguard.core.storage.files import write_whole
from entropyguard.core.yaml_text import load_yaml, parse_yaml
from entropyguard.project.checkpoint_dir import check_utf8
from entropyguard.project.init_places import check_no_link, check_places
from entropyguard.project.layout import IGNORED, PARAMS
from entropyguard.project.params_edit import value_at, with_value
from entropyguard.project.params_upgrade import upgraded_params
from entropyguard.project.pipeline import FIRST_STAGES, packaged_files
from entropyguard.project.project import Project


@dataclasses.dataclass(frozen=True)
class Choices:
    """What `init` puts into `params.yaml`; None leaves what is there, at first the packaged default."""

    input: str | None = None
    text_column: str | tuple[str, ...] | None = None
    model_name: str | None = None
    semantic: bool | None = None
    encoding: str | None = None


def init_repo(repo: Path, choices: Choices, say: Callable[[str], None], *, upgrade: bool) -> bool:
    """Write the pipeline into `repo` and say what was done; False when edited files were left as they are.

    Existing files that differ are never overwritten, but for `upgrade`, which is the user's word to renew
    `stages/`, `dvc.yaml` and the model's fingerprint, to add new parameters and to take out those that are gone.
    `params.yaml` keeps every value that was not chosen, and its comments.
    """
    _check_repo(repo)
    if choices.encoding is not None:
        known_encoding(choices.encoding)
    check_places(Project(repo), choices.input)
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        say(line)

    texts = {name: path.read_text(encoding="utf-8") for name, path in packaged_files().items()}
    params_file = repo / PARAMS
    chosen = choices.model_name is not None
    if params_file.is_file():
        load_yaml(params_file)  # it is the user's: what is wrong with it is said with its name
        own = params_file.read_text(encoding="utf-8")
        own = upgraded_params(own, texts[PARAMS]) if upgrade else own
        texts[PARAMS] = _with_fingerprint(_with_choices(own, choices, tell), renew=upgrade or chosen)
    else:
        texts[PARAMS] = _with_fingerprint(_with_choices(texts[PARAMS], choices, None), renew=True)
    kept = [name for name, text in texts.items() if not _write(repo, name, text, tell, upgrade=upgrade)]
    _ignore_outputs(repo, tell)
    for name in kept:
        tell(f"kept     {name}: it was edited; `entropyguard init --upgrade` would replace it")
    if not told:
        say("unchanged: every file is here already, with these values")
    _say_next(repo, say)
    return not kept


def _check_repo(repo: Path) -> None:
    check_utf8("The repo", repo)
    project = Project(repo)
    if project.is_checkpoint_dir:
        raise UsageError(f"{repo} is a checkpoint dir, not a data repo. Run `entropyguard init` elsewhere.")
    if not any((folder / project.paths.dvc.name).is_dir() for folder in [repo, *repo.parents]):
        raise UsageError(f"{repo} is no DVC repo. Run `git init && dvc init` first, then `entropyguard init`.")
    if project.paths.definition.is_file():
        stages = (load_yaml(project.paths.definition) or {}).get("stages") or {}
        if not set(FIRST_STAGES) <= set(stages):
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
    check_no_link(repo, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
    say(f"{'wrote   ' if before is None else 'renewed '} {name}")
    return True


def _with_choices(text: str, choices: Choices, say: Callable[[str], None] | None) -> str:
    """A params.yaml with the user's choices, line by line; its comments stay.

    `say` is told of each value that is another one now, if there is somebody to tell.
    """
    names = ("input", "ingest.text_column", "embed.model", "semantic.enabled", "ingest.encoding")
    for name, chosen in zip(names, dataclasses.astuple(choices), strict=True):
        value = list(chosen) if isinstance(chosen, tuple) else chosen
        before = value_at(parse_yaml(text), name)
        if value is None or value == before:
            continue
        text = with_value(text, name, value)
        if say is not None:
            say(f"set      {name}: {before} -> {value} in {PARAMS}")
    return text


def _with_fingerprint(text: str, *, renew: bool) -> str:
    """`text` with the fingerprint of the installed model, where it is empty or to be renewed.

    Without semantic dedup no model is needed, so none is looked for.
    """
    values = parse_yaml(text)
    model, stated = (value_at(values, f"embed.{name}") for name in ("model", "model_fingerprint"))
    if model is None:
        raise UsageError(f"{PARAMS} has no embed.model. Add it, or delete the file and run again.")
    if (stated and not renew) or value_at(values, "semantic.enabled") is False:
        return text
    folder = resolve_model(str(model), allow_download=False)
    return with_value(text, "embed.model_fingerprint", model_fingerprint(folder))


def _ignore_outputs(repo: Path, say: Callable[[str], None]) -> None:
    """Keep data, vectors and sidecars out of git from the start, also when the first run is killed."""
    path = Project(repo).paths.gitignore
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    missing = [line for line in IGNORED if line not in lines]
    if missing:
        check_no_link(repo, path)
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
