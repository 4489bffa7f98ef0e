"""An S3 bucket, or a compatible server's, as storage."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

from kdsearch.storage.base import checked
from kdsearch.storage.base import whole

MISSING = ("404", "NoSuchKey", "NotFound")
TAKEN = ("412", "PreconditionFailed")


class S3Storage:
    """Objects below one prefix of a bucket; S3 stores an object whole or not at all.

    Credentials, region and endpoint come from boto3's standard places only: environment (`AWS_ENDPOINT_URL_S3`,
    `AWS_ENDPOINT_URL`, …), shared files, instance role. Large contents go up in parts.
    """

    def __init__(self, bucket: str, prefix: str = "") -> None:
        """
        Raises:
            ValueError: no bucket.
        """
        if not bucket:
            raise ValueError("an S3 storage needs a bucket: s3://bucket/prefix")
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def local_path(self) -> Path | None:
        return None

    def read(self, path: str) -> bytes:
        return self._read(path)

    def read_part(self, path: str, start: int, length: int) -> bytes:
        if length == 0:
            return b""
        return whole(self._read(path, Range=f"bytes={start}-{start + length - 1}"), path, start, length)

    def write(self, path: str, content: bytes) -> None:
        self._client.upload_fileobj(io.BytesIO(content), self._bucket, self._key(path))

    def write_new(self, path: str, content: bytes) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.put_object(Bucket=self._bucket, Key=self._key(path), Body=content, IfNoneMatch="*")
        except ClientError as error:
            if _code(error) in TAKEN:
                return False
            if _code(error) != "NotImplemented":
                raise
            # A server that knows no conditions: the last writer wins.
            self.write(path, content)
        return True

    def exists(self, path: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.head_object(Bucket=self._bucket, Key=self._key(path))
        except ClientError as error:
            if _is_missing(error):
                return False
            raise
        return True

    def list(self, folder: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._key(folder)}/"
        )
        keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
        return sorted(key.removeprefix(self._prefix) for key in keys if not key.endswith("/"))

    def delete(self, path: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._key(path))

    def discard_partial(self, folder: str) -> None:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=f"{self._key(folder)}/"
        )
        for upload in [upload for page in pages for upload in page.get("Uploads", ())]:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def _read(self, path: str, **options: str) -> bytes:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(path), **options)
            content: bytes = answer["Body"].read()
        except ClientError as error:
            if _is_missing(error):
                raise FileNotFoundError(f"s3://{self._bucket}/{self._key(path)}") from error
            if error.response.get("Error", {}).get("Code") == "InvalidRange":
                return b""
            raise
        return content

    def _key(self, path: str) -> str:
        return self._prefix + checked(path)

    @functools.cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        # Checksums only where S3 demands them: many compatible servers reject the ones newer SDKs add by themselves.
        config = Config(
            # Few tries here: whoever can wait longer does so in its own way, and a checkpoint has its spool.
            retries={"mode": "standard", "max_attempts": 3},
            connect_timeout=5,
            read_timeout=30,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # A session of its own: boto3's shared one is not safe to make clients from in several threads.
        return boto3.session.Session().client("s3", config=config)

    def __getstate__(self) -> dict[str, Any]:
        # A client holds connections and locks: each process opens its own.
        return {name: value for name, value in self.__dict__.items() if name != "_client"}


def _is_missing(error: Any) -> bool:
    return _code(error) in MISSING


def _code(error: Any) -> Any:
    return error.response.get("Error", {}).get("Code")
