"""What import-linter cannot see: which packages name DVC's files, and that every output is named once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "entropyguard"
DVCS_FILES = ("dvc.lock", "dvc.yaml", ".dvc/", "rwlock")


def spoken(module: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module, docstrings apart, with the lines they stand in."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    documenting = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documenting:
            yield node.lineno, node.value


def modules(*, outside: str) -> list[Path]:
    return [module for module in sorted(PACKAGE.rglob("*.py")) if outside not in module.relative_to(PACKAGE).parts]


def test_only_the_project_package_names_dvcs_files() -> None:
    found = [(str(module), *said) for module in modules(outside="project") for said in spoken(module)]
    assert [one for one in found if any(name in one[2] for name in DVCS_FILES)] == []


def test_the_library_speaks_of_no_command_of_dvc() -> None:
    found = [(str(module), *said) for module in (PACKAGE / "core").rglob("*.py") for said in spoken(module)]
    assert len(found) > 1_000
    assert [one for one in found if "`dvc " in one[2] or "dvc repro" in one[2]] == []


def test_every_output_is_named_once_in_the_package() -> None:
    from entropyguard.project import layout

    further = [layout.INGESTED, layout.AFTER_NEAR, layout.NEAR_PAIRS, layout.EMBEDDINGS, layout.PAIRS]
    names = [*layout.PUBLISHED.values(), *layout.DROPPED.values(), *further]
    found: dict[str, list[Path]] = {name: [] for name in names}
    for module in modules(outside="_pipeline"):
        for _, text in spoken(module):
            if text in found:
                found[text].append(module)
    assert set(map(tuple, found.values())) == {(PACKAGE / "project" / "layout.py",)}


def test_every_module_that_the_page_on_architecture_names_is_there() -> None:
    root = PACKAGE.parent
    page = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+(?:/\w+)*(?:\.py|\.ya?ml|/))`", page)
    assert len(named) > 40
    assert [name for name in named if not any((folder / name).exists() for folder in (root, PACKAGE))] == []
