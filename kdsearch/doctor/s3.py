"""Does S3 let us do what a sweep does, with the credentials that boto3 finds?"""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import Any

from kdsearch.doctor.finding import Remark
from kdsearch.doctor.finding import first_line
from kdsearch.doctor.folder import PREFIX

CONNECT_SECONDS = 3
READ_SECONDS = 5

SOURCES = {
    "env": "the environment",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "iam-role": "the instance's role",
    "container-role": "the container's role",
    "assume-role": "an assumed role",
    "assume-role-with-web-identity": "a web identity's role",
    "sso": "single sign-on",
}
REFUSED = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired")
RIGHTS = "s3:PutObject, s3:GetObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload"
NO_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role"


@dataclass(frozen=True)
class S3Access:
    """Whose credentials reached which endpoint, and what was in the way."""

    source: str
    endpoint: str
    remark: Remark | None = None

    def __str__(self) -> str:
        return f"credentials from {self.source}, endpoint {self.endpoint}"


def try_s3(uri: str) -> S3Access:
    """Put, get, list and delete a tiny object below `uri` (`s3://bucket/prefix`)."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError
    from botocore.exceptions import HTTPClientError

    source = endpoint = "nowhere"
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    key = "/".join(part for part in (prefix.strip("/"), f"{PREFIX}{uuid.uuid4().hex}") if part)
    try:
        session = boto3.session.Session()
        client = session.client("s3", config=config)
        endpoint = str(client.meta.endpoint_url)
        credentials = session.get_credentials()
        if credentials is None:
            return S3Access(source, endpoint, Remark.bad("boto3 finds no credentials", NO_CREDENTIALS))
        source = SOURCES.get(credentials.method, credentials.method)
        return S3Access(source, endpoint, _round_trip(client, bucket, key))
    except ClientError as error:
        return S3Access(source, endpoint, _refusal(error, bucket, source, endpoint))
    except HTTPClientError as error:
        advice = "is it up, is AWS_ENDPOINT_URL_S3 right, is there a way through the network?"
        return S3Access(source, endpoint, Remark.bad(f"{endpoint} does not answer ({type(error).__name__})", advice))
    except (BotoCoreError, ValueError) as error:
        advice = "correct AWS_PROFILE, AWS_ENDPOINT_URL_S3 or the files in ~/.aws"
        return S3Access(source, endpoint, Remark.bad(f"boto3 cannot be used: {first_line(error)}", advice))


def _round_trip(client: Any, bucket: str, key: str) -> Remark | None:
    from botocore.exceptions import ClientError

    content = key.encode()
    # First, because some servers create a bucket that is missing when something is put into it.
    client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    client.put_object(Bucket=bucket, Key=key, Body=content)
    try:
        came_back = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except BaseException:
        with contextlib.suppress(Exception):
            client.delete_object(Bucket=bucket, Key=key)
        raise
    try:
        client.delete_object(Bucket=bucket, Key=key)
    except ClientError as error:
        found = f"objects can be put but not deleted ({_code(error)}); s3://{bucket}/{key} stays behind"
        return Remark.bad(found, f"allow {RIGHTS}: old checkpoints must go")
    if came_back != content:
        return Remark.bad(f"an object put into s3://{bucket} came back with another content", "repair the server")
    return None


def _refusal(error: Any, bucket: str, source: str, endpoint: str) -> Remark:
    code, step = _code(error), error.operation_name
    if code == "NoSuchBucket":
        return Remark.bad(f"there is no bucket {bucket} at {endpoint}", "create it, or correct storage=")
    if code in REFUSED:
        return Remark.bad(f"{endpoint} refuses the credentials from {source} ({code})", "correct or renew them")
    if code == "RequestTimeTooSkewed":
        return Remark.bad(
            f"{endpoint} has another time than this clock ({code})", "synchronise the clocks (chrony, NTP)"
        )
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        found = f"{step} is not allowed with the credentials from {source} ({code})"
        return Remark.bad(found, f"allow {RIGHTS} on {bucket}")
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "301"):
        return Remark.bad(f"bucket {bucket} is in another region ({code})", "set AWS_DEFAULT_REGION to the bucket's")
    return Remark.bad(f"{step} failed at {endpoint}: {_message(error)}", "is it an S3 server? look into its log")


def _message(error: Any) -> str:
    return f"{error.response.get('Error', {}).get('Message', 'no reason given')} ({_code(error)})"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))
