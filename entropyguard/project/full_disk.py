"""A full disk, met by DVC: it goes on for ever, or ends without a word, since its log lies on that disk as well."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entropyguard.core.errors import DISK_FULL
from entropyguard.core.storage.temporary import temporary_file

_ROOM = bytes(256 << 10)


def is_full(folder: Path) -> bool:
    """Whether the disk, or a quota, has no room for a little more there."""
    try:
        with temporary_file(folder) as probe:
            probe.write_bytes(_ROOM)
    except OSError as error:
        return error.errno in DISK_FULL
    return False


def end_on_full_disk() -> None:
    """Let DVC, in this process, end where SQLite has no room, in place of trying again without end.

    Read in diskcache 5.6.3, which holds DVC's notes on files: `Cache._transact` tries again after every
    OperationalError, as if the database were locked, and reaches it through this one property.
    """
    import sqlite3

    from diskcache import Cache

    dvcs_own = Cache._sql.fget

    def sql(cache: Any) -> Callable[..., Any]:
        execute = dvcs_own(cache)

        def checked(*arguments: Any) -> Any:
            try:
                return execute(*arguments)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                    number = errno.ENOSPC if is_full(Path(cache.directory)) else errno.EIO
                    raise OSError(number, os.strerror(number), cache.directory) from error
                raise

        return checked

    Cache._sql = property(sql)
