"""Data at a URL: the filesystem of its scheme, by fsspec, and its errors as ours.

Nothing of fsspec is loaded before a URL is named. Credentials and endpoints are those of the scheme's own tools.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from entropyguard.core.errors import DISK_FULL, EntropyguardError, UsageError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters or more: C:\ is a drive


class Trouble(Enum):
    """What may go wrong with a remote file, each with what is said of it (`{}` is its URL)."""

    NO_BUCKET = "{}: there is no such bucket. Check its name, and the endpoint (AWS_ENDPOINT_URL)."
    MISSING = "{} is missing. Check the URL."
    DENIED = "{}: access is denied. Check the credentials (AWS_ACCESS_KEY_ID, AWS_PROFILE) and what they allow."
    WRONG_KEYS = (
        "{}: the server does not accept these keys. "
        "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile (AWS_PROFILE)."
    )
    NO_KEYS = (
        "{}: no credentials were found. "
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws in AWS_PROFILE."
    )
    UNREACHABLE = "{}: the server cannot be reached. Check the network and the endpoint (AWS_ENDPOINT_URL)."
    CUT = "{}: the connection broke off, or the server is too busy, several times in a row. Run again later."
    CHANGED = "{} was replaced by someone else meanwhile; nothing was published. Run again."
    FULL = "{}: there is no room left, or a quota is used up. Make room there and run again."
    OTHER_REGION = "{}: the bucket is in another region. Set AWS_REGION to it."
    BAD_NAME = "{} is no valid name for the storage. Check the bucket's name and the key."
    WHOLE_ONLY = "{}: the server gives files as a whole only. Download it, and name the copy."
    BAD_ENDPOINT = "{}: the endpoint is no URL. Set AWS_ENDPOINT_URL to one, such as https://s3.example.com."


_BY_CODE = {
    "NoSuchBucket": Trouble.NO_BUCKET,
    "NoSuchKey": Trouble.MISSING,
    "NoSuchVersion": Trouble.MISSING,
    "404": Trouble.MISSING,
    "AccessDenied": Trouble.DENIED,
    "AllAccessDisabled": Trouble.DENIED,
    "AccountProblem": Trouble.DENIED,
    "InvalidObjectState": Trouble.DENIED,
    "401": Trouble.DENIED,
    "403": Trouble.DENIED,
    "InvalidAccessKeyId": Trouble.WRONG_KEYS,
    "SignatureDoesNotMatch": Trouble.WRONG_KEYS,
    "ExpiredToken": Trouble.WRONG_KEYS,
    "InvalidToken": Trouble.WRONG_KEYS,
    "TokenRefreshRequired": Trouble.WRONG_KEYS,
    "RequestTimeTooSkewed": Trouble.WRONG_KEYS,
    "PreconditionFailed": Trouble.CHANGED,
    "ConditionalRequestConflict": Trouble.CHANGED,
    "412": Trouble.CHANGED,
    "SlowDown": Trouble.CUT,
    "ServiceUnavailable": Trouble.CUT,
    "InternalError": Trouble.CUT,
    "RequestTimeout": Trouble.CUT,
    "429": Trouble.CUT,
    "500": Trouble.CUT,
    "502": Trouble.CUT,
    "503": Trouble.CUT,
    "504": Trouble.CUT,
    "507": Trouble.FULL,
    "QuotaExceeded": Trouble.FULL,
    "InsufficientStorage": Trouble.FULL,
    "XMinioStorageFull": Trouble.FULL,
    "XMinioAdminBucketQuotaExceeded": Trouble.FULL,
    "PermanentRedirect": Trouble.OTHER_REGION,
    "AuthorizationHeaderMalformed": Trouble.OTHER_REGION,
    "IllegalLocationConstraintException": Trouble.OTHER_REGION,
    "301": Trouble.OTHER_REGION,
    "InvalidBucketName": Trouble.BAD_NAME,
    "KeyTooLongError": Trouble.BAD_NAME,
}
"""By what S3 calls it, or the status of HTTP."""

_BY_CLASS = {
    "NoCredentialsError": Trouble.NO_KEYS,
    "PartialCredentialsError": Trouble.NO_KEYS,
    "ProfileNotFound": Trouble.NO_KEYS,
    "CredentialRetrievalError": Trouble.WRONG_KEYS,
    "UnauthorizedSSOTokenError": Trouble.WRONG_KEYS,
    "SSOTokenLoadError": Trouble.WRONG_KEYS,
    "ParamValidationError": Trouble.BAD_NAME,
    "FileExpired": Trouble.CHANGED,
    "EndpointConnectionError": Trouble.UNREACHABLE,
    "ConnectTimeoutError": Trouble.UNREACHABLE,
    "ProxyConnectionError": Trouble.UNREACHABLE,
    "SSLError": Trouble.UNREACHABLE,
    "ClientConnectorError": Trouble.UNREACHABLE,
    "ClientPayloadError": Trouble.CUT,
    "ServerDisconnectedError": Trouble.CUT,
    "HTTPClientError": Trouble.CUT,
    "IncompleteRead": Trouble.CUT,
    "ResponseParserError": Trouble.CUT,
    "IncompleteReadError": Trouble.CUT,
}
"""By the name of a class of botocore's or aiohttp's, or of one it is derived from: neither need be installed."""

_BY_PYTHON: list[tuple[tuple[type[OSError], ...], Trouble]] = [
    ((FileNotFoundError,), Trouble.MISSING),
    ((PermissionError,), Trouble.DENIED),
    ((TimeoutError, ConnectionError), Trouble.CUT),
]
_BY_MESSAGE = {
    "Invalid endpoint": Trouble.BAD_ENDPOINT,
    "The HTTP server doesn't": Trouble.WHOLE_ONLY,
    "Cannot seek streaming": Trouble.WHOLE_ONLY,
}
"""A ValueError that has no class of its own: botocore's, and two of fsspec's."""
_AT_FAULT = {errno.EBUSY, errno.EREMOTEIO}
"""A server's 503 and 500, by s3fs."""


def is_url(spec: str) -> bool:
    """Whether this names something by a scheme, such as `s3://bucket/key`; `C:\\x`, `-` and paths do not."""
    return _SCHEME.match(spec) is not None


def shown(url: str) -> str:
    """The URL as it may be printed: without a password, and without a query, which may hold a signature."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return url if "@" not in parts.netloc else url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def filesystem(url: str) -> tuple[Any, str]:
    """fsspec's filesystem for the URL, and the path in it, without the scheme.

    Listings are never taken from a cache. UsageError for a scheme nobody knows, or whose package is missing.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        cure = 'pip install "entropyguard[s3]"' if scheme in {"s3", "s3a"} else str(error).partition("\n")[0]
        raise UsageError(f"{scheme}:// needs a package that is not installed: {cure}.") from error
    except ValueError as error:
        raise UsageError(f"{shown(url)}: {error}. Name a path, or a URL such as s3://bucket/key.") from error
    return fs, path


@contextmanager
def remote_errors(url: str, kind: type[EntropyguardError]) -> Iterator[None]:
    """What the filesystem of the URL raises inside becomes an error of this kind, with one line that says what to do.

    Around calls of the filesystem only: it takes every OSError for the filesystem's.
    """
    try:
        yield
    except EntropyguardError:
        raise
    except Exception as error:
        trouble = trouble_of(error)
        if trouble is not None:
            raise kind(trouble.value.format(shown(url))) from error
        if not isinstance(error, OSError) and not _of_a_client(error):
            raise  # a bug is no trouble of the storage
        said = str(error).partition("\n")[0] or type(error).__name__
        raise kind(f"{shown(url)}: {said.rstrip('.')}. Check the storage and run again.") from error


def trouble_of(error: BaseException) -> Trouble | None:
    """What an error of a filesystem means, told from it and from what it was raised from; None: something else."""
    chain = list(_chain(error))
    for one in chain:
        if (trouble := _by_code(one)) is not None:
            return trouble
    for one in chain:
        for cls in type(one).__mro__:
            if (trouble := _BY_CLASS.get(cls.__name__)) is not None:
                return trouble
    return _by_python(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from; not what was merely being handled then, which may be older."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _by_code(error: BaseException) -> Trouble | None:
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else getattr(error, "status", None)
    return _BY_CODE.get(str(code))


def _by_python(error: BaseException) -> Trouble | None:
    for classes, trouble in _BY_PYTHON:
        if isinstance(error, classes):
            return trouble
    if isinstance(error, OSError):
        return Trouble.FULL if error.errno in DISK_FULL else Trouble.CUT if error.errno in _AT_FAULT else None
    said = str(error) if isinstance(error, ValueError) else ""
    return next((trouble for begins, trouble in _BY_MESSAGE.items() if said.startswith(begins)), None)


def _of_a_client(error: Exception) -> bool:
    """Whether the error is one of the package that talks to the server."""
    return type(error).__module__.partition(".")[0] in {"botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec"}
