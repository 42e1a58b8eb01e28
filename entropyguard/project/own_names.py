"""Which files of a project are ours, by their exact paths in it: what may be removed there, and never written onto."""

from __future__ import annotations

import re

from entropyguard.core.checkpoint.metadata import FILE as METADATA
from entropyguard.core.params import OUTPUT_FORMATS
from entropyguard.core.rows.source import CHECKPOINT_MARKER, OBJECTS
from entropyguard.core.storage.part_names import ARROW_PART_NAME, PART_NAME
from entropyguard.project.layout import (
    AFTER_EXACT,
    AFTER_NEAR,
    AFTER_SEMANTIC,
    DEFINITION,
    DROPPED,
    EMBEDDINGS,
    INGESTED,
    INPUTS,
    LOCK,
    NEAR_PAIRS,
    PAGE,
    PAIRS,
    PARAMS,
    PLOTS,
    REJECTED,
    REPORT,
    SCRIPTS,
    cleaned,
)
from entropyguard.project.pipeline import STAGES

_STAGE = f"(?:{'|'.join(STAGES)})"
_OURS = re.escape(CHECKPOINT_MARKER)

RESULTS = [
    *map(re.escape, (INGESTED, REJECTED, AFTER_EXACT, AFTER_NEAR, NEAR_PAIRS, EMBEDDINGS, PAIRS, AFTER_SEMANTIC)),
    *map(re.escape, (*DROPPED.values(), REPORT, PAGE, f"{PLOTS}/rows.svg", f"{PLOTS}/similarity.svg")),
    *(re.escape(cleaned(ending)) for ending in OUTPUT_FORMATS),
]
"""What the stages write."""

DEFINED = [*map(re.escape, (DEFINITION, PARAMS, LOCK)), rf"{SCRIPTS}/{_STAGE}\.py"]
"""What says how."""

STORES = [
    rf"{_OURS}/near/(?:.+/)?(?:{PART_NAME})?",
    rf"{_OURS}/vectors/(?:[^/]+/(?:{PART_NAME})?)?",
    rf"{_OURS}/blocks/(?:.+/)?(?:{PART_NAME})?",
    rf"{_OURS}/sweep/(?:blocks/(?:.+/)?(?:{PART_NAME})?|pairs\.(?:parquet|json|tmp))?",
    rf"{_OURS}/units/(?:.+/)?(?:{PART_NAME}|{ARROW_PART_NAME})?",
    _OURS + rf"/(?:tmp/(?:{_STAGE}/.*)?)",
]
"""What is kept so that it need not be made again."""

_CACHE = [
    r"\.dvc/cache/(?:files/(?:md5/(?:[0-9a-f]{2}/(?:[0-9a-f]{30}(?:\.dir)?)?)?)?)?",
    r"\.dvc/cache/(?:.+/)?\.[^/]+\.tmp",
    r"\.dvc/cache/runs/.*",
    r"\.dvc/(?:site|tmp)/.*",
]

FREED = [*RESULTS, *_CACHE, *STORES, "dropped/", f"{PLOTS}/", r"\.dvc/", f"{_OURS}/", re.escape(LOCK)]
"""What a build makes in a checkpoint dir and may be removed to free space; the next run makes it again."""

_NOTES = [
    *("lock", "stage.lock", "metadata.lock", "checkpoint-dir", "owned.json", "inputs.json", "published.json"),
    *("uploads", "stdin.jsonl", "data.jsonl", "data.parquet", "dvc.log", "running.json", "progress.json", "error.json"),
    *(f"{stage}.json" for stage in STAGES),
]

_PARTITIONS = rf"{INPUTS}/[0-9]{{6,}}/(?:[^/]+=[^/]*/)"
INPUT_NOTE = f"{INPUTS}/{OBJECTS}"
"""What stands in the place of links to remote files."""
INPUT_FOLDERS = [rf"{_PARTITIONS}*"]
"""The folders of links that stand in partitions."""

CHECKPOINT_DIR = [
    *FREED,
    *DEFINED,
    rf"{SCRIPTS}/(?:__pycache__/(?:{_STAGE}\.[^/]+\.pyc)?)?",
    f"{INPUTS}/",
    re.escape(INPUT_NOTE),
    *INPUT_FOLDERS,
    r"\.dvc/(?:config|\.gitignore)?",
    r"\.gitignore",
    re.escape(METADATA),
    rf"{_OURS}/(?:matplotlib/.*)?",
    *(rf"{_OURS}/{re.escape(name)}" for name in _NOTES),
]
"""All that we put into a checkpoint dir but for the links."""

_ENDING = r"\.(?:jsonl|json|csv|tsv|parquet|arrow)(?:\.gz|\.zst)?"
INPUT_LINKS = [rf"{INPUTS}/[0-9]{{6,}}{_ENDING}", rf"{_PARTITIONS}+data{_ENDING}"]
"""The links to the input in a checkpoint dir."""
