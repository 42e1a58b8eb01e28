"""Which host a run has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entropyguard.project.beside import BESIDE
from entropyguard.run.ahead import HOST

if TYPE_CHECKING:
    from entropyguard.core.params import Params

EMBED = "embed"
"""What a host is told when it is to have a process ready for that stage, with the model loaded."""


def host_variables(ahead: Sequence[str], params: Params, threads: int | None = None) -> dict[str, str]:
    """What to tell DVC's process of the host (see `host`) beside it, for the stages that are out of date: none is one.

    Loading a model, and torch where it is a transformer, takes longer than all other stages of a small run together.
    """
    if not ahead:
        return {}
    embeds = EMBED in ahead and params.semantic.enabled
    words = [EMBED, params.embed.model, *([] if threads is None else [str(threads)])] if embeds else []
    return {BESIDE: "\n".join([HOST, *words])}
