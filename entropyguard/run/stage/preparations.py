"""What a stage host gets ready while nobody asks it for anything."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import partial

from entropyguard.project.layout import script_name
from entropyguard.project.pipeline import STAGES, packaged_files

FOR_ALL = ("entropyguard.run.stage.here", "polars", "numpy.ma", "dateutil.relativedelta", "fontTools.unicodedata")
"""The modules that most stages need: they come first. pyarrow imports numpy.ma and dateutil when it converts."""


def preparations() -> list[Callable[[], object]]:
    """One short step after the other, for the stages in their order; where one fails, its stage says so."""
    return [*(partial(importlib.import_module, module) for module in modules_of_stages()), compile_page]


def modules_of_stages() -> list[str]:
    """What the stages' scripts import for their work, in the order of the stages."""
    files = packaged_files()
    texts = [files[script_name(stage)].read_text(encoding="utf-8") for stage in STAGES]
    return re.findall(r"^ +from (entropyguard\.core\S+) import", "\n".join(texts), re.MULTILINE)


def compile_page() -> None:
    """Compile the report's templates, which takes as long as filling them in."""
    from entropyguard.core.report.page import compile_templates

    compile_templates()


def load_model(model: str, threads: int | None) -> None:
    """Load a model as embed will ask for it, and what embed imports. Nothing is fetched."""
    from entropyguard.core.embed.loader import last_loaded
    from entropyguard.core.embed.model import resolve_model

    importlib.import_module("entropyguard.core.embed.embed")
    last_loaded(resolve_model(model, allow_download=False), threads)
