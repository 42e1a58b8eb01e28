"""The texts that are compared."""

from __future__ import annotations

import json
import re
import unicodedata

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.errors import DataFormatError
from entropyguard.core.params import ExactParams
from entropyguard.core.rows.content import nothing_to_compare
from entropyguard.core.rows.hashes import hash_columns, hashes_of
from entropyguard.core.rows.normalise import content_hash, hashed, normalise
from entropyguard.core.rows.text import column_of, texts_of

JSONL = {"format": "jsonl", "text_column": "text"}
PARQUET = {"format": "parquet", "text_column": "text"}
WHITE_SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"


def lines(*records: str) -> pa.Table:
    return pa.table({"record": pa.array(records, pa.large_string())})


def exact(unicode: str = "NFC", *, lowercase: bool = True, whitespace: bool = True) -> ExactParams:
    return ExactParams(unicode, lowercase, whitespace, 0)


def test_the_text_of_a_json_line_is_decoded() -> None:
    table = lines(
        '{"text": "plain"}',
        '{"text": "\\u00e9\\n\\ud83d\\ude00\\u0000"}',
        '{"text": "5"}',
        '{"text": "[not a list]"}',
        '{"text": "first", "text": "last"}',
        '{"text": "beside NaN", "n": NaN}',
        '{"text": "lone \\ud800!"}',
    )
    assert texts_of(table, JSONL).to_list() == [
        "plain",
        "é\n😀\0",
        "5",
        "[not a list]",
        "last",
        "beside NaN",
        "lone \ufffd\\ud800!",
    ]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_the_text_of_a_struct_is_its_field(kind: pa.DataType) -> None:
    record = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array(["a", "é"]).cast(kind)], names=["n.x", "text"])
    table = pa.table({"record": record})
    assert texts_of(table, PARQUET).to_list() == ["a", "é"]
    assert texts_of(table, PARQUET).dtype == pl.String
    assert column_of(table, PARQUET, "n.x").to_list() == [1, 2]


@settings(max_examples=200)
@given(
    st.lists(st.text(max_size=8) | st.from_regex(r"[-\[{t0-9][\]}.e0-9rue]*", fullmatch=True), max_size=5),
    st.booleans(),
)
def test_any_text_is_decoded_under_any_column_name(texts: list[str], ascii_only: bool) -> None:
    for name in ("text", "a b", "x.y", "é", ""):
        table = lines(*[json.dumps({"0": 1, name: text}, ensure_ascii=ascii_only) for text in texts])
        assert texts_of(table, {"format": "jsonl", "text_column": name}).to_list() == texts


def test_a_column_of_json_lines_has_the_type_of_its_values() -> None:
    table = lines(
        '{"n": 1, "f": 1, "s": "b", "b": true, "big": 1e999}', '{"f": 0.5, "s": "a", "big": ' + "9" * 400 + "}"
    )
    assert column_of(table, JSONL, "n").to_list() == [1, None]
    assert column_of(table, JSONL, "n").dtype == pl.Int64
    assert column_of(table, JSONL, "f").to_list() == [1.0, 0.5]
    assert column_of(table, JSONL, "s").to_list() == ["b", "a"]
    assert column_of(table, JSONL, "b").to_list() == [True, None]
    assert column_of(table, JSONL, "big").to_list() == [float("inf")] * 2
    assert column_of(table, JSONL, "nowhere").to_list() == [None, None]


def test_values_without_an_order_are_refused() -> None:
    with pytest.raises(DataFormatError, match="'n' holds int, str"):
        column_of(lines('{"n": 1}', '{"n": "1"}'), JSONL, "n")


def test_an_unknown_column_of_a_struct_is_named() -> None:
    record = pa.StructArray.from_arrays([pa.array(["a"])], names=["text"])
    with pytest.raises(DataFormatError, match="no column 'n'; there are: text"):
        column_of(pa.table({"record": record}), PARQUET, "n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Black\tCAT ", "the black cat"),
        ("\u3000wide\u2003space\x85", "wide space"),
        ("E\u0301TE\u0301", "été"),
        ("İ STRASSE ẞ", "i\u0307 strasse ß"),
        ("a\x1fb", "a\x1fb"),  # a separator, but no white space
        ("\ufb01n", "\ufb01n"),
        (" \n ", ""),
    ],
)
def test_a_text_is_normalised(text: str, expected: str) -> None:
    assert normalise(pl.Series([text, "plain", ""]), exact()).to_list() == [expected, "plain", ""]


def test_each_normalisation_can_be_left_out() -> None:
    texts = pl.Series(["\ufb01  E\u0301"])
    assert normalise(texts, exact("NFKC")).to_list() == ["fi é"]
    assert normalise(texts, exact("none")).to_list() == ["\ufb01 e\u0301"]
    assert normalise(texts, exact(lowercase=False)).to_list() == ["\ufb01 É"]
    assert normalise(texts, exact(whitespace=False)).to_list() == ["\ufb01  é"]


def test_no_texts_are_normalised_to_none() -> None:
    assert normalise(pl.Series([], dtype=pl.String), exact()).to_list() == []
    assert content_hash(pl.Series([], dtype=pl.String)).shape == (0, 2)


known = st.characters(codec="utf-8", max_codepoint=0x2FFF)  # assigned long ago: any Unicode version agrees


@settings(max_examples=200)
@given(st.lists(st.text(known, max_size=12) | st.text(" \n\u3000aBé", max_size=6), max_size=6))
def test_the_shortcuts_change_nothing(texts: list[str]) -> None:
    given = pl.Series(texts, dtype=pl.String)
    composed = pl.Series([unicodedata.normalize("NFC", text) for text in texts], dtype=pl.String)
    expected = [re.sub(WHITE_SPACE, " ", text).strip(" ") for text in composed.str.to_lowercase().to_list()]
    assert normalise(given, exact()).to_list() == expected
    alone = [normalise(pl.Series([text]), exact()).item() for text in texts]
    assert normalise(given, exact()).to_list() == alone


@settings(max_examples=50)
@given(st.lists(st.text(max_size=20), max_size=6))
def test_the_hash_is_that_of_each_text(texts: list[str]) -> None:
    hashes = content_hash(pl.Series(texts, dtype=pl.String))
    assert hashes.dtype == np.uint64
    assert [int(high) << 64 | int(low) for high, low in hashes] == [
        xxhash.xxh3_128_intdigest(text.encode()) for text in texts
    ]


@settings(max_examples=200)
@given(
    st.lists(st.text(known, max_size=12) | st.text(" \n\t\u3000aBÉ", max_size=6), max_size=8),
    st.builds(ExactParams, st.sampled_from(["NFC", "NFKC", "none"]), st.booleans(), st.booleans(), st.just(0)),
)
def test_hashed_is_the_hash_and_the_length_of_the_normalised_texts(texts: list[str], params: ExactParams) -> None:
    given = pl.Series(texts, dtype=pl.String)
    hashes, lengths = hashed(given, params)
    normal = normalise(given, params)
    assert (hashes == content_hash(normal)).all()
    nothing = set(nothing_to_compare(given).tolist())
    assert lengths.tolist() == [0 if at in nothing else len(text) for at, text in enumerate(normal.to_list())]
    columns, both = pa.table(hash_columns(hashes, lengths)), np.concatenate([hashes, hashes[1:]])
    assert (hashes_of(pa.concat_tables([columns, columns.slice(1)])["hash"]) == both).all()
    assert columns["characters"].to_pylist() == lengths.tolist()


def test_the_hash_of_a_slice_is_that_of_its_texts() -> None:
    texts = pl.concat([pl.Series(["a", "b"]), pl.Series(["c" * 100, "d"])], rechunk=False)
    assert (content_hash(texts.slice(1, 2)) == content_hash(pl.Series(["b", "c" * 100]))).all()
