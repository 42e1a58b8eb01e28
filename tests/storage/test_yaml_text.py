"""YAML means the same to us and to DVC."""

from __future__ import annotations

import pytest
import yaml
from dvc.utils.serialize import dumps_yaml, loads_yaml
from hypothesis import example, given
from hypothesis import strategies as st

from entropyguard.core.yaml_text import dump_yaml, parse_yaml, quoted

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SPECIAL = [
    "off",
    "no",
    "1e3",
    "0o7",
    "12:30:00",
    "~",
    "",
    "a: b",
    "models/my #1",
    "a\x85b",
    "- x",
    "1_000",
    "2001-01-01",
    "{x}",
]


@pytest.mark.parametrize("text", SPECIAL)
def test_values_that_yaml_could_take_for_others_stay_texts(text: str) -> None:
    written = dump_yaml({"name": text, "list": [text]}).decode()
    assert parse_yaml(written) == loads_yaml(written) == {"name": text, "list": [text]}
    assert parse_yaml(f"name: {quoted(text)}  # why\n") == {"name": text}


@given(_TEXTS)
@example("\ufeff")
@example("\u2028")
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    written = dump_yaml({"name": text}).decode()
    line = f"name: {quoted(text)}\n"
    assert [read(one)["name"] for one in (written, line) for read in (parse_yaml, loads_yaml)] == [text] * 4


@pytest.mark.parametrize(
    "text", ["off", "no", "yes", "1e3", "0o7", "12:30:00", "true", "null", "-1.5", "0x1f", ".5", "1_000"]
)
def test_a_plain_value_is_what_dvc_takes_it_for(text: str) -> None:
    assert parse_yaml(f"a: {text}") == loads_yaml(f"a: {text}")
    assert parse_yaml(dumps_yaml({"a": text})) == {"a": text}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_what_they_are(number: float) -> None:
    written = dump_yaml({"a": number}).decode()
    assert parse_yaml(written) == loads_yaml(written) == {"a": number}


def test_what_is_no_yaml_is_an_error() -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml("a: [")
