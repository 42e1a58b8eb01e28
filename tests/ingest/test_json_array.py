"""A JSON array: each element is a row, as it is spelled, in one line; what is no array of rows is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError, EntropyguardError, InputError
from entropyguard.core.ingest import lines as lines_module
from tests.ingest.test_ingest import FUZZ, Read, params, read, read_bytes

ELEMENTS = [
    '{"text": "a", "n": 1.0, "big": 123456789012345678901234567890}',
    '{ "text" : "brackets ]}, and \\"quotes\\" \\\\", "e": "\\\\\\\\" }',
    '{"text":"caf\\u00e9 \\ud83d\\ude00","d":{"x":[1,{"y":null}],"z":[[]]}}',
    '{"text": "first", "text": "last", "n": NaN}',
]


def test_elements_come_through_as_they_are_spelled_with_their_lines(tmp_path: Path) -> None:
    got = read_bytes(tmp_path, ("[" + ",\n ".join(ELEMENTS) + "\n]\n").encode())
    assert got.records == ELEMENTS
    assert got.where == [(at, 0, at + 1) for at in range(4)]
    assert got.about["format"] == "jsonl"


def test_an_element_over_several_lines_becomes_one_with_its_values_as_spelled(tmp_path: Path) -> None:
    data = '[\n  {\n    "text": "a  b\\n",\n    "n": 1.0,\r\n\t"l": [\n 1,\n 2\n ]\n  },\n\n  {"text": "c"}\n]'
    got = read_bytes(tmp_path, data.encode(), name="a.json")
    assert got.records == ['{"text": "a  b\\n", "n": 1.0, "l": [1, 2]}', '{"text": "c"}']
    assert [line for *_, line in got.where] == [2, 11]


def test_white_space_keeps_what_is_no_json_from_becoming_some(tmp_path: Path) -> None:
    data = b'[{"text": "a", "n": 1\n2},\n{"text": "line\nbreak"},\n{"text": "car\rriage"},\n{"text": "ok"}]'
    got = read_bytes(tmp_path, data, name="a.json")
    assert got.records == ['{"text": "ok"}']
    assert [line for _, line, _ in got.reasons] == [1, 3, 5]
    assert all("malformed JSON" in reason for *_, reason in got.reasons)


def test_elements_that_are_no_rows_are_rejected_with_their_line(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * 3_000 + b'"}'
    data = b'[{"text": "a"},\n1,\n{"text": 2},\n' + long + b',\n{"text": "\xff"},,\n{"text": "b"},\n]'
    got = read_bytes(tmp_path, data, params(max_line_bytes=1_000))
    assert [json.loads(one)["text"] for one in got.records] == ["a", "b"]
    assert [(row, line, reason.split(" at ")[0]) for row, line, reason in got.reasons] == [
        (1, 2, "not a JSON object"),
        (2, 3, "column 'text' is not text"),
        (3, 4, "3012 bytes long, over max_line_bytes (1000); raw holds its first 1000 bytes"),
        (4, 5, "invalid UTF-8"),
        (5, 5, "malformed JSON: Expecting value"),
        (7, 7, "malformed JSON: Expecting value"),
    ]


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ('[{"text": "a"},\n{"text": "b"', DataFormatError, r"ends in line 2, within the element .* line 2\. Check"),
        ('[{"text": "a"}\n', DataFormatError, "is not closed: the file ends in line"),
        ('[{"text": "a\n},\n{"text": "b"}]\n', DataFormatError, "is not closed"),
        ('[\n{"text": "a"}]\n\n[{"text": "b"}]', DataFormatError, r"line 4: the JSON array has ended, and '\['"),
        ('[\n{"text": "a"}}, {"text": "b"}]', DataFormatError, r"line 2: .* and '\}'"),
        ("[]", InputError, "holds no rows"),
        ("[\n]\n", InputError, "holds no rows"),
        ("[[1, 2], [3]]", DataFormatError, "JSON arrays of something else"),
        (
            '{"data": [{"text": "a"}]}',
            DataFormatError,
            r"a\.json is a JSON object.*under 'data': `jq -c '\.\[\"data\"\]",
        ),
        ('{\n  "rows": [\n    {"text": "a"}', DataFormatError, "its rows stand under 'rows'"),
        ('{\n  "text": "a"\n}\n{\n', DataFormatError, r"a JSON object.*jq -c \. FILE"),
    ],
)
def test_what_is_no_array_of_rows_is_refused(tmp_path: Path, data: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read_bytes(tmp_path, data.encode(), name="a.json")


def test_json_lines_may_be_called_json_and_begin_with_an_array(tmp_path: Path) -> None:
    lines = ['{"text": "a"}', '{"text": "b", "d": [{"e": 1}]}']
    assert read_bytes(tmp_path, "\n".join(lines).encode(), name="a.json").records == lines
    got = read_bytes(tmp_path, ('[{"text": "no row"}]\n' + "\n".join(lines)).encode())
    assert (got.records, got.reasons) == (lines, [(0, 1, "not a JSON object")])
    got = read_bytes(tmp_path, ("[2026-11-27] a log\n" + "\n".join(lines)).encode())
    assert got.records == lines


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(['"', "\\", "]", "},{", "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@FUZZ
@given(
    st.lists(st.dictionaries(st.text(max_size=3), json_values, max_size=3), min_size=1, max_size=5),
    st.sampled_from([None, 0, 1, 3]),
    st.integers(1, 40),
)
def test_any_array_gives_its_objects_in_blocks_of_any_size(
    tmp_path: Path, rows: list[dict[str, Any]], indent: int | None, block: int
) -> None:
    rows = [{**row, "text": "t"} for row in rows]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", block)
        got = read(path)
    assert got.records == [json.dumps(row) for row in rows]


pieces = st.sampled_from(['"', "\\", "[", "]", "{", "}", ",", "\n", "\r\n", " ", "a", '{"text":"a"}', "é"])


def outcome(path: Path) -> Read | str:
    try:
        return read(path)
    except EntropyguardError as error:
        return str(error)


@FUZZ
@given(st.lists(pieces, max_size=30), st.integers(1, 30))
@example(pieces=["\\"], block=1)
def test_any_bytes_are_read_alike_in_blocks_of_any_size(tmp_path: Path, pieces: list[str], block: int) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"text": "sound"},' + "".join(pieces).encode())
    whole = outcome(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", block)
        again = outcome(path)
    if isinstance(whole, Read) and isinstance(again, Read):
        assert (again.records, again.where, again.rejected) == (whole.records, whole.where, whole.rejected)
    else:
        assert again == whole
