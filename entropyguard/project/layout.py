"""Where everything in a project lies. Every name stands here once, and in the pipeline's own `dvc.yaml` and scripts."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.rows.source import CHECKPOINT_MARKER

DEFINITION, PARAMS, LOCK, SCRIPTS = "dvc.yaml", "params.yaml", "dvc.lock", "stages"

INGESTED, REJECTED = "ingested.parquet", "rejected.jsonl"
AFTER_EXACT, DROPPED_EXACT = "after_exact_dedup.parquet", "dropped/exact.parquet"
AFTER_NEAR, DROPPED_NEAR = "after_near_dedup.parquet", "dropped/near.parquet"
NEAR_PAIRS = "near_pairs.parquet"
EMBEDDINGS = "embeddings.parquet"
PAIRS = "similar_pairs.parquet"
AFTER_SEMANTIC, DROPPED_SEMANTIC = "after_semantic_dedup.parquet", "dropped/semantic.parquet"
REPORT, PAGE, PLOTS = "report.json", "report.html", "plots"

DROPPED = {"exact_dedup": DROPPED_EXACT, "near_dedup": DROPPED_NEAR, "semantic_dedup": DROPPED_SEMANTIC}
"""The rows that a stage dropped."""

PUBLISHED = {"exact_dedup": AFTER_EXACT, "semantic_dedup": AFTER_SEMANTIC}
"""The checkpoints that users know by name."""

INPUTS = "inputs"
"""The folder of links to the input, in a checkpoint dir."""

_OURS = CHECKPOINT_MARKER
_MADE_AGAIN = ("near", "vectors", "blocks", "units", "sweep", "tmp")

_CHECKPOINTS = (INGESTED, AFTER_EXACT, AFTER_NEAR, NEAR_PAIRS, EMBEDDINGS, PAIRS, AFTER_SEMANTIC)

OUTPUTS = (*_CHECKPOINTS, REJECTED, "dropped", REPORT, PAGE, PLOTS)
"""What the stages write, but for the cleaned file."""

IGNORED = (f"/{_OURS}/", *(f"/{name}{'' if '.' in name else '/'}" for name in OUTPUTS if name != REPORT), "/cleaned.*")
"""What a data repo keeps out of git."""


def cleaned(ending: str) -> str:
    """The cleaned file, by the ending of its format."""
    return f"cleaned.{ending}"


class Layout:
    """The paths in a project that are not outputs of stages: the pipeline's, DVC's, and ours in `.entropyguard/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.definition = root / DEFINITION
        self.params = root / PARAMS
        self.lock = root / LOCK
        self.scripts = root / SCRIPTS
        self.inputs = root / INPUTS
        self.gitignore = root / ".gitignore"

        self.dvc = root / ".dvc"
        self.dvc_config = self.dvc / "config"
        self.site_cache = self.dvc / "site"
        self.rwlock = self.dvc / "tmp" / "rwlock"
        self.cache = self.dvc / "cache"
        self.cached_runs = self.cache / "runs"
        self.cached_files = self.cache / "files" / "md5"

        self.ours = root / _OURS
        self.marker = self.ours / "checkpoint-dir"
        self.owned = self.ours / "owned.json"
        self.build_lock = self.ours / "lock"
        self.stage_lock = self.ours / "stage.lock"
        self.metadata_lock = self.ours / "metadata.lock"
        self.seen_input = self.ours / "inputs.json"
        self.published = self.ours / "published.json"
        self.uploads = self.ours / "uploads"
        self.stdin = self.ours / "stdin.jsonl"
        self.log = self.ours / "dvc.log"
        self.running = self.ours / "running.json"
        self.progress = self.ours / "progress.json"
        self.error = self.ours / "error.json"
        self.temporary = self.ours / "tmp"
        self.near = self.ours / "near"
        self.vectors = self.ours / "vectors"
        self.blocks = self.ours / "blocks"
        self.units = self.ours / "units"
        self.sweep = self.ours / "sweep"
        self.made_again = [self.ours / name for name in _MADE_AGAIN]

    def record(self, stage: str) -> Path:
        """What the stage left of its last run."""
        return self.ours / f"{stage}.json"

    def script(self, stage: str) -> Path:
        """The stage's script."""
        return self.scripts / f"{stage}.py"

    def cached(self, md5: str) -> Path:
        """DVC's copy of a file."""
        return self.cached_files / md5[:2] / md5[2:]


def script_name(stage: str) -> str:
    """A stage's script as `dvc.yaml` names it."""
    return f"{SCRIPTS}/{stage}.py"
