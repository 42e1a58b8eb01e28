"""What is wrong with a request, found before anything is written; and which files it names."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from entropyguard.core.errors import UsageError
from entropyguard.core.ingest.inputs import FoundInput, find_input
from entropyguard.core.params import Params
from entropyguard.core.storage.remote import is_url
from entropyguard.project.checkpoint_dir import check_usable, check_utf8
from entropyguard.run.audit import check_audit
from entropyguard.run.pools import check_pool
from entropyguard.run.publish import output_format
from entropyguard.run.request import STDIN, Request
from entropyguard.run.settings import default_params, with_settings
from entropyguard.run.streams import is_stream
from entropyguard.run.targets import Target, check_input, check_targets, lies_inside, targets


def check_request(request: Request) -> None:
    """UsageError or OutputError for what is wrong whatever the input holds."""
    if request.resume and request.checkpoint_dir is None:
        raise UsageError("--resume needs --checkpoint-dir: it goes on from the checkpoints there.")
    if request.checkpoint_dir is not None:
        check_usable(request.checkpoint_dir)
        for target in _targets(request):
            if is_stream(target.path) or is_url(target.path):
                continue
            if lies_inside(Path(target.path), request.checkpoint_dir):
                raise UsageError(f"{target} lies in --checkpoint-dir {request.checkpoint_dir}. Name a file elsewhere.")
    if request.vector_cache is not None:
        check_utf8("--vector-cache", request.vector_cache)
    _check_splitter(with_settings(default_params(), request))
    output_format(request.output)
    check_targets(_targets(request))
    if request.input == STDIN:
        _check_stdin(request)
    check_audit(request.audit_log, request.audit_text)
    check_pool(request.workers, request.ray)


def _targets(request: Request) -> list[Target]:
    """Every file that the run is to write for the user."""
    return targets(output=request.output, audit_log=request.audit_log, report=request.report, json=request.json_file)


def _check_stdin(request: Request) -> None:
    """UsageError for a target that is the file on stdin, as in `--input - --output a.jsonl <a.jsonl`."""
    stdin = Path("/dev/stdin")
    if stdin.is_file():
        check_input(_targets(request), STDIN, [stdin])


def _check_splitter(params: Params) -> None:
    if params.chunks.size:
        from entropyguard.core.ingest.chunks import check_splitter  # pyarrow, only for those who ask for chunks

        check_splitter()


def input_of(request: Request, spooled: Path | None = None) -> FoundInput:
    """The input files, in order, and what is passed over.

    Refuses an output that is one of them or would be on the next run.
    """
    found = find_input(str(spooled) if spooled else request.input, request.encoding or default_params().ingest.encoding)
    sources = found.sources
    if request.checkpoint_dir is not None and not spooled:
        sources = [
            source
            for source in sources
            if not (isinstance(source.path, Path) and lies_inside(source.path, request.checkpoint_dir))
        ]
    if not sources:
        raise UsageError(f"--input {request.input} lies in the checkpoint dir. Name the data itself.")
    if not spooled:
        files = [source.path if isinstance(source.path, Path) else source.path.url for source in sources]
        check_input(_targets(request), request.input, files)
    return dataclasses.replace(found, sources=sources)
