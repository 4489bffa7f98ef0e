"""Storage: named bytes in a folder or an S3 bucket, written whole or not at all."""

from __future__ import annotations

from kdsearch.storage.away import is_storage_away
from kdsearch.storage.base import Storage
from kdsearch.storage.local import LocalStorage
from kdsearch.storage.patient import PatientStorage

__all__ = ["LocalStorage", "PatientStorage", "Storage", "is_storage_away", "open_storage"]


def open_storage(uri: str) -> Storage:
    """The storage at `uri`, a folder or `s3://bucket/prefix`; opening neither creates nor contacts anything.

    Raises:
        ValueError: an S3 address without a bucket.
    """
    if uri.startswith("s3://"):
        from kdsearch.storage.s3 import S3Storage

        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        return S3Storage(bucket, prefix.strip("/"))
    return LocalStorage(uri)
