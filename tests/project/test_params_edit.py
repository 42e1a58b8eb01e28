"""Values of a params.yaml are set in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.errors import UsageError
from entropyguard.core.yaml_text import parse_yaml
from entropyguard.project.params_edit import value_at, with_value
from entropyguard.project.pipeline import packaged_files

PACKAGED = packaged_files()["params.yaml"].read_text(encoding="utf-8")
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_VALUES = _TEXTS | st.lists(_TEXTS, min_size=1, max_size=3)


@given(_VALUES, _VALUES, st.sampled_from(["input", "ingest.text_column", "embed.model", "embed.model_fingerprint"]))
def test_any_value_is_read_as_it_was_set_also_over_another(
    first: str | list[str], second: str | list[str], name: str
) -> None:
    text = with_value(with_value(PACKAGED, name, first), name, second)
    assert value_at(parse_yaml(text), name) == second
    assert with_value(text, name, "x") == with_value(PACKAGED, name, "x")


def test_a_key_of_the_same_name_in_another_section_stays() -> None:
    text = "other:\n  model: a  # mine\nembed:\n  # the model\n  model: b  # why\n"
    assert with_value(text, "embed.model", "my #1") == text.replace("b  #", '"my #1"  #')


def test_a_section_on_one_line_is_left_to_the_user() -> None:
    with pytest.raises(UsageError, match=r'embed.model could not be set to "m"'):
        with_value("embed: {model: b}\n", "embed.model", "m")
