"""Which errors say that a storage is away or full for now, not that something is wrong with what was asked of it."""

from __future__ import annotations

import errno

_PASSING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ESTALE,
    errno.EAGAIN,
    errno.EBUSY,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ETIMEDOUT,
}
_PASSING_CODES = {
    "SlowDown",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "ServiceUnavailable",
    "InternalError",
    "Throttling",
    # Another writer was at the same object in the same moment.
    "ConditionalRequestConflict",
}


def is_storage_away(error: BaseException) -> bool:
    """Whether the same call may succeed later: no connection, a server in trouble, a full disk."""
    if isinstance(error, OSError):
        return error.errno in _PASSING
    module = type(error).__module__
    if module.startswith(("botocore", "boto3", "s3transfer", "urllib3")):
        return _is_s3_away(error)
    return False


def _is_s3_away(error: BaseException) -> bool:
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import ClientError
    from botocore.exceptions import ConnectionError
    from botocore.exceptions import HTTPClientError

    if isinstance(error, S3UploadFailedError):
        # Raised by the transfer manager while it handles the error that says what happened.
        return error.__context__ is None or _is_s3_away(error.__context__)
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response.get("Error", {}).get("Code") in _PASSING_CODES
    return isinstance(error, HTTPClientError | ConnectionError)
