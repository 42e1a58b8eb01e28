"""A project on disk, opened once: its paths, its parameters, its lock, what its stages left."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.embed.model import PACKAGED_NAMES
from entropyguard.core.errors import DataFormatError, InputError, ProcessingError, UsageError
from entropyguard.core.params import Params
from entropyguard.core.storage.files import FileState, content_digest, md5_digest, read_json
from entropyguard.core.storage.remote import is_url, shown
from entropyguard.core.storage.remote_path import url_path
from entropyguard.core.yaml_text import load_yaml
from entropyguard.project.layout import AFTER_SEMANTIC, DROPPED, INGESTED, REJECTED, Layout
from entropyguard.project.lock import LockedStage, load_lock
from entropyguard.project.pipeline import STAGES, Stage, load_stages
from entropyguard.project.records import Output, Record, read_record, write_record

if TYPE_CHECKING:
    from entropyguard.core.report.lineage import Lineage
    from entropyguard.core.storage.checkpoint import Checkpoint


def refuse_url(given: str) -> None:
    """UsageError for an `input` that is a URL: DVC would neither keep nor version what lies there."""
    if is_url(given):
        url = shown(given)
        kept = url_path(given).name or "data"
        raise UsageError(
            f"`input` is {url}, and a data repo has its data in DVC: `dvc import-url {url} {kept}`, then "
            f"`input: {kept}`. (`entropyguard --input {url}` reads them where they are.)"
        )


class Project:
    """A checkpoint dir or a data repo.

    What is read of it is read once, at the first look; after something has changed there, `reread`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = Layout(root)
        self._records: dict[str, Record | None] = {}
        self._digests: dict[tuple[str, FileState], str] = {}

    @classmethod
    def opened(cls, root: Path) -> Project:
        """UsageError when the folder holds no pipeline of ours."""
        project = cls(root)
        if not project.paths.definition.is_file() or not project.paths.params.is_file():
            raise UsageError(
                f"{root} holds no entropyguard pipeline. Name a --checkpoint-dir, or run `entropyguard init`."
            )
        return project

    def reread(self) -> Project:
        """The same project, looked at anew."""
        return Project(self.root)

    @property
    def is_checkpoint_dir(self) -> bool:
        """Whether it carries our marker."""
        return self.paths.marker.is_file()

    @cached_property
    def values(self) -> dict[str, Any]:
        """`params.yaml` as it is written."""
        values: dict[str, Any] = load_yaml(self.paths.params)
        return values

    @cached_property
    def params(self) -> Params:
        """`params.yaml`, checked."""
        params = Params.from_dict(self.values)
        refuse_url(params.input)
        return params

    @property
    def model(self) -> str:
        """The model's name, or its folder as a path that holds from anywhere: params.yaml may have it from the root."""
        model = self.params.embed.model
        if model in PACKAGED_NAMES or not (self.root / model).is_dir():
            return model
        return os.path.abspath(self.root / model)  # noqa: PTH100  links stay as the user wrote them

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """The stages of its `dvc.yaml` by name, in order."""
        content = load_yaml(self.paths.definition)
        if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
            raise UsageError(f"{self.paths.definition} has no stages. `entropyguard init --upgrade` writes them.")
        return {stage.name: stage for stage in load_stages(self.paths.definition, self.params.as_dict())}

    @cached_property
    def lock(self) -> dict[str, LockedStage]:
        """Its `dvc.lock` by stage."""
        return load_lock(self.paths.lock)

    def locked_md5(self, output: str) -> str | None:
        """The md5 that `dvc.lock` has of an output."""
        return next((stage.outs[output] for stage in self.lock.values() if output in stage.outs), None)

    def record(self, stage: str) -> Record | None:
        """What a stage left of its last run, or None where that cannot be read."""
        if stage not in self._records:
            self._records[stage] = read_record(self.paths.record(stage))
        return self._records[stage]

    def outputs_of(self, stage: str) -> set[str]:
        """What a stage wrote when it last ran, by its record and by the lock, one of which may be missing."""
        record, locked = self.record(stage), self.lock.get(stage)
        return {*(record.outputs if record else ()), *(locked.outs if locked else ())}

    def record_of(self, output: str) -> Record | None:
        """The record of the stage that wrote an output."""
        records = (self.record(stage) for stage in STAGES)
        return next((record for record in records if record is not None and output in record.outputs), None)

    def digest(self, output: str) -> str:
        """The digest of an output that is there, from its record where it is untouched since."""
        record, path = self.record_of(output), self.root / output
        state = FileState.of(path)
        if record is not None and record.outputs[output].state == state.as_dict():
            return record.outputs[output].digest
        if (output, state) not in self._digests:
            self._digests[output, state] = content_digest(path)
        return self._digests[output, state]

    def is_damaged(self, output: str) -> bool:
        """Whether an existing output differs from what was written; nothing is changed.

        Unchanged inode, size, mtime and ctime answer at once. Else the content decides: it must be what the stage
        wrote, or what `dvc.lock` records (after `dvc checkout` or `dvc pull` another version lies there rightly).
        """
        record, path, locked = self.record_of(output), self.root / output, self.locked_md5(output)
        if record is None:
            return locked is not None and md5_digest(path) != locked
        return self.digest(output) != record.outputs[output].digest and md5_digest(path) != locked

    def remember_states(self, outputs: Iterable[str]) -> None:
        """Note the present states of sound outputs, so that they need not be read again while they stay untouched.

        DVC links every new output into its cache, which changes the ctime. A record is written once for all of them.
        """
        changed = {}
        for output in outputs:
            record = self.record_of(output)
            state = FileState.of(self.root / output).as_dict()
            if record is None or record.outputs[output].state == state:
                continue
            # Not always what the stage wrote: `dvc checkout` may rightly have put another version there.
            if self.digest(output) == record.outputs[output].digest:
                record.outputs[output].state = state
            else:
                record.outputs[output] = Output.of(self.root / output)
            changed[record.stage] = record
        for stage, record in changed.items():
            write_record(self.paths.record(stage), record)

    def sound(self, output: str) -> Path:
        """The path of an output to read. ProcessingError when it is not there, or not as it was written."""
        path = self.root / output
        if not path.exists():
            raise ProcessingError(f"{output} is missing; `dvc repro` (or --resume) builds it.")
        if self.is_damaged(output):
            raise ProcessingError(
                f"Failed to load checkpoint: {output}: content differs from what was written; "
                f"delete it and its copy in {self.paths.cache.relative_to(self.root)}, then run again."
            )
        return path

    def checkpoint(self, output: str) -> Checkpoint:
        """One of its checkpoints."""
        from entropyguard.core.storage.checkpoint import Checkpoint  # pyarrow, which many commands do without

        return Checkpoint(self.root / output)

    def input_names(self) -> list[str]:
        """The input files in the order of their ordinals, as the user named them."""
        seen = read_json(self.paths.seen_input)
        if seen:
            return [str(name) for name in seen["names"]]
        from entropyguard.core.ingest.inputs import find_sources

        sources = find_sources(str(self.root / self.params.input))
        # A run that did not end well recorded no names; its checkpoint dir links to what the user named.
        linked = self.paths.inputs
        return [
            str(one.path.readlink() if isinstance(one.path, Path) and one.path.is_relative_to(linked) else one.path)
            for one in sources
        ]

    def input_files(self) -> list[Path]:
        """The files that its input is made of and that are there now, as far as they are known."""
        from entropyguard.core.ingest.inputs import find_sources

        try:
            sources = find_sources(str(self.root / self.params.input))
            found = [source.path for source in sources if isinstance(source.path, Path)]
        except (InputError, DataFormatError):  # a sweep needs no input
            found = []
        return [
            path
            for path in [*found, *map(Path, (read_json(self.paths.seen_input) or {}).get("names", ()))]
            if path.exists()
        ]

    def lineage(self) -> Lineage:
        """What became of every row of its finished run; ProcessingError when there is none."""
        from entropyguard.core.report.lineage import Lineage  # polars, for those who ask about rows

        for name in (INGESTED, REJECTED, *DROPPED.values(), AFTER_SEMANTIC):
            if not (self.root / name).is_file():
                raise ProcessingError(
                    f"{self.root} holds no finished run: {name} is missing. "
                    "Run again with --resume (in a data repo: `dvc repro`)."
                )
        lineage = Lineage(
            self.checkpoint(INGESTED),
            self.root / REJECTED,
            {stage: self.checkpoint(name) for stage, name in DROPPED.items()},
            self.checkpoint(AFTER_SEMANTIC),
            self.input_names(),
        )
        lineage.check()
        return lineage
