"""Arrow IPC files, as `.arrow` and `.feather` are: the file format or the stream format, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.rows.source import Source

_FILE, _OLD_FEATHER = b"ARROW1", b"FEA1"
_ROWS_AT_ONCE = 8_192


class ArrowFile:
    """An Arrow file that is open, with what is asked of a `pyarrow.parquet.ParquetFile`."""

    def __init__(self, source: Source, file: pa.NativeFile) -> None:
        magic = file.read(len(_FILE))
        file.seek(0)
        if magic.startswith(_OLD_FEATHER):
            raise InputError(
                f"{source} is of the first version of Feather, which is not read any more. Write it again with an "
                "older pyarrow: `feather.write_feather(feather.read_table(FILE), NEW)`."
            )
        self._reader = pa.ipc.open_file(file) if magic == _FILE else pa.ipc.open_stream(file)
        self.schema_arrow: pa.Schema = self._reader.schema
        _check_types(source, self.schema_arrow)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows; a batch is held whole, since that is how the file has it, and handed on in parts."""
        if isinstance(self._reader, pa.RecordBatchFileReader):
            whole = (self._reader.get_batch(at) for at in range(self._reader.num_record_batches))
        else:
            whole = iter(self._reader)
        for batch in whole:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                yield batch.slice(start, _ROWS_AT_ONCE)


def _check_types(source: Source, schema: pa.Schema) -> None:
    """DataFormatError for a column whose type Parquet, of which checkpoints are made, has no place for."""
    for field in schema:
        try:
            pq.write_table(pa.schema([field]).empty_table(), pa.BufferOutputStream())
        except pa.ArrowException as error:
            raise DataFormatError(
                f"{source}: column {field.name!r} holds {field.type}, which is not read. "
                "Cast it to another type, or leave it out."
            ) from error


@contextmanager
def open_arrow(source: Source) -> Iterator[ArrowFile]:
    """An input file, with InputError wherever it proves to be no sound Arrow."""
    try:
        with source.arrow_file() as file:
            yield ArrowFile(source, file)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{source} cannot be read as Arrow IPC or Feather ({reason}). Check that the file is whole."
        ) from error
