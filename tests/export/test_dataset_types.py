"""What a folder for `load_from_disk` may hold, as the real `datasets` has it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.dataset_types import check_loadable
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.run.request import Request
from entropyguard.run.settings import params_of

MAP = pa.map_(pa.string(), pa.int64())
TYPES = [
    *(pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.date32(), pa.date64()),
    *(pa.time32("s"), pa.time64("ns"), pa.timestamp("ns", "UTC"), pa.duration("us"), pa.month_day_nano_interval()),
    *(pa.decimal128(10, 2), pa.decimal256(50, 2), pa.decimal32(5, 2), pa.decimal64(5, 2), pa.uuid()),
    *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(3)),
    *(pa.list_(pa.int8()), pa.large_list(pa.int8()), pa.list_(pa.int8(), 2), pa.list_view(pa.int8())),
    *(pa.struct([("a", pa.string())]), pa.dictionary(pa.int32(), pa.string()), MAP),
    *(pa.list_(MAP), pa.list_(MAP, 2), pa.large_list(MAP), pa.struct([("a", pa.list_(MAP))])),
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_a_type_is_refused_where_datasets_has_no_name_for_it(kind: pa.DataType) -> None:
    schema = pa.schema([("x", kind)])
    try:
        Features.from_arrow_schema(schema)
    except ValueError:
        with pytest.raises(DataFormatError, match=r"--output out/: column 'x' holds .*`datasets` cannot load"):
            check_loadable(schema, "out/")
    else:
        check_loadable(schema, "out/")


def test_a_map_is_refused_before_anything_runs_and_only_for_a_folder(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "m": pa.array([[("k", 1)]], MAP)}), tmp_path / "a.parquet")
    sources = find_sources(str(tmp_path / "a.parquet"))
    with pytest.raises(DataFormatError, match="column 'm' holds map") as stopped:
        params_of(Request("a.parquet", "out/", no_semantic=True), sources)
    assert stopped.value.exit_code == 64
    params_of(Request("a.parquet", "out.parquet", no_semantic=True), sources)
