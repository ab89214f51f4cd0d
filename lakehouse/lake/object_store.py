"""A lake in an S3-compatible object store: the one place that knows how to reach such a store.

Tables are read and written by delta-rs and Spark, which get their options here. Models, uploaded files
and the writer's lease are single objects. Keys come from where every AWS program finds them: the environment, `~/.aws`
or the machine's role; they are passed to delta-rs alone, and never stored.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, NoCredentialsError
from botocore.session import Session

from lakehouse.errors import LakehouseError
from lakehouse.settings import OBJECT_STORE, Settings

# A store that does not answer is reported after half a minute.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 10, 3
# Files on their way to Spark's workers.
UPLOADS = ".staging"
# The store refuses requests from clocks that are 15 minutes off, and each engine reports that differently.
MOST_SKEW_SECONDS = 300
# As many names as one request may hold.
MOST_AT_ONCE = 1000
# Bytes of an object that is read as a whole, unless a caller says how many.
LARGEST_OBJECT = 2**20
NOT_MET = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
NOT_THERE = ("NoSuchKey", "404")


class StoreRefusedError(LakehouseError):
    """The store does not answer, or refuses: the state of its tables is unknown."""


@dataclass(frozen=True)
class Kept:
    """An object as it was read.

    Attributes:
        content: its bytes.
        tag: changes with the content.
        age_seconds: since it was written, by the store's clock alone.
    """

    content: bytes
    tag: str
    age_seconds: float


class ObjectStore:
    """The objects below one prefix of a bucket."""

    def __init__(self, uri: str, *, endpoint: str | None, region: str) -> None:
        """Prepare a client; no request is made yet.

        Args:
            uri: such as s3a://bucket/prefix.
            endpoint: where the store answers; None is Amazon's.
            region: the store's region.
        """
        self.uri, self._endpoint, self._region = uri, endpoint, region
        self._bucket, _, prefix = uri.removeprefix(OBJECT_STORE).partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._session = Session()
        self._client = self._new_client()

    def _new_client(self) -> BaseClient:
        options = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            s3={"addressing_style": "path" if self._endpoint else "auto"},
            # Some compatible stores do not support Amazon's newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return self._session.create_client("s3", region_name=self._region, endpoint_url=self._endpoint, config=options)

    def delta_options(self) -> dict[str, str]:
        """How delta-rs reaches the store; keys that expire are the newest."""
        options = {"AWS_REGION": self._region}
        if self._endpoint:
            options |= {"AWS_ENDPOINT_URL": self._endpoint, "AWS_ALLOW_HTTP": str(self._endpoint.startswith("http:"))}
        keys = self._session.get_credentials()
        if keys:
            frozen = keys.get_frozen_credentials()
            options |= {"AWS_ACCESS_KEY_ID": frozen.access_key, "AWS_SECRET_ACCESS_KEY": frozen.secret_key}
            options |= {"AWS_SESSION_TOKEN": frozen.token} if frozen.token else {}
        return options

    def spark_options(self) -> dict[str, str]:
        """How Spark reaches the store; each machine of a cluster takes the keys from its own environment or files."""
        options = {
            "aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
            "endpoint.region": self._region,
            # Bounded: an unreachable store fails a task within a minute, not a quarter of an hour.
            "attempts.maximum": str(ATTEMPTS),
            "retry.limit": str(ATTEMPTS),
            "connection.establish.timeout": f"{CONNECT_SECONDS}s",
        }
        if self._endpoint:
            options |= {"endpoint": self._endpoint, "path.style.access": "true"}
            options["connection.ssl.enabled"] = str(self._endpoint.startswith("https:")).lower()
        return {f"spark.hadoop.fs.s3a.{name}": value for name, value in options.items()}

    def require(self) -> None:
        """Make sure that the store answers, takes the keys and has the bucket.

        Raises:
            StoreRefusedError: says what is wrong, in one line.
        """
        answer = self._ask("list_objects_v2", Prefix=self._prefix, MaxKeys=1)
        _require_same_time(answer)

    def objects(self, below: str = "") -> Iterator[tuple[str, str]]:
        """Names of all objects below a folder, each with its size and tag."""
        folder = f"{self._prefix}{below}/" if below else self._prefix
        more: dict[str, Any] = {}
        while True:
            answer = self._ask("list_objects_v2", Prefix=folder, MaxKeys=MOST_AT_ONCE, **more)
            for found in answer.get("Contents", ()):
                yield found["Key"].removeprefix(self._prefix), f"{found['Size']} {found['ETag']}"
            if not answer.get("IsTruncated"):
                return
            more = {"ContinuationToken": answer["NextContinuationToken"]}

    def read(self, name: str, most_bytes: int = LARGEST_OBJECT) -> Kept | None:
        """An object; None where there is none, or it is larger."""
        try:
            answer = self._ask("get_object", may_decline=NOT_THERE, Key=f"{self._prefix}{name}")
        except _Declined:
            return None
        if answer["ContentLength"] > most_bytes:
            return None
        try:
            content = answer["Body"].read()
        except BotoCoreError as error:
            raise self._unreachable(error) from None
        age = (_now_of(answer) - answer["LastModified"]).total_seconds()
        return Kept(content, answer["ETag"], age)

    def write(self, name: str, content: bytes) -> None:
        """Write an object, replacing one of the same name."""
        self._ask("put_object", Key=f"{self._prefix}{name}", Body=content)

    def write_if(self, name: str, content: bytes, tag: str | None) -> str | None:
        """Write an object if it is still as it was read: the store compares and writes in one step.

        Args:
            name: the object.
            content: what to write.
            tag: its tag when it was read; None where there was no object.

        Returns:
            Its new tag; None where another writer was faster.
        """
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            key = f"{self._prefix}{name}"
            answer = self._ask("put_object", may_decline=(*NOT_MET, *NOT_THERE), Key=key, Body=content, **condition)
        except _Declined:
            return None
        return str(answer["ETag"])

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects."""
        keys = [{"Key": f"{self._prefix}{name}"} for name in names]
        for start in range(0, len(keys), MOST_AT_ONCE):
            self._ask("delete_objects", Delete={"Objects": keys[start : start + MOST_AT_ONCE], "Quiet": True})

    def move(self, folder: str, target: str) -> None:
        """Move every object below a folder to another one: not atomic, but removal comes last."""
        names = [name for name, _ in self.objects(folder)]
        for name in names:
            source = {"Bucket": self._bucket, "Key": f"{self._prefix}{name}"}
            self._ask("copy_object", Key=f"{self._prefix}{target}{name.removeprefix(folder)}", CopySource=source)
        self.delete(names)

    @contextmanager
    def uploaded(self, files: Iterable[Path]) -> Iterator[list[str]]:
        """Upload local files so that every machine can read them, and delete them at the end; yields their URIs."""
        folder = f"{UPLOADS}/{uuid4().hex}"
        names = {f"{folder}/{number}-{file.name}": file for number, file in enumerate(files)}
        try:
            for name, file in names.items():
                with file.open("rb") as content:
                    self._ask("put_object", Key=f"{self._prefix}{name}", Body=content)
            yield [f"{self.uri}/{name}" for name in names]
        finally:
            self.delete(names)

    def delete_uploads(self) -> None:
        """Delete what killed runs have uploaded; the caller holds the writer's lease."""
        self.delete([name for name, _ in self.objects(UPLOADS)])

    def _ask(self, operation: str, *, may_decline: tuple[str, ...] = (), **arguments: Any) -> Mapping[str, Any]:
        """One request.

        Raises:
            StoreRefusedError: the store does not answer, or refuses.
            _Declined: its code is one of `may_decline`, which the caller handles.
        """
        ask: Callable[..., Mapping[str, Any]] = getattr(self._client, operation)
        try:
            return ask(Bucket=self._bucket, **arguments)
        except ClientError as error:
            declined = _Declined(error)
            if declined.code in may_decline:
                raise declined from None
            raise self._refused(declined) from None
        except NoCredentialsError:
            raise StoreRefusedError(
                f"there are no keys for {self.uri}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them "
                "into ~/.aws/credentials"
            ) from None
        except BotoCoreError as error:
            raise self._unreachable(error) from None

    def _refused(self, declined: "_Declined") -> StoreRefusedError:
        if declined.code in ("NoSuchBucket", "404"):
            return StoreRefusedError(f"there is no bucket {self._bucket} at {self._place}: make it, or check LAKE_URI")
        if declined.code in ("RequestTimeTooSkewed", "RequestExpired"):
            return _skewed("more than 15")
        if declined.status == 403 or declined.code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
            return StoreRefusedError(
                f"{self._place} does not let these keys use {self.uri} ({declined.code}): check AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials"
            )
        return StoreRefusedError(
            f"{self._place} refused ({declined.code}: {declined.message.rstrip('.')}): check the keys and LAKE_URI"
        )

    def _unreachable(self, error: BotoCoreError) -> StoreRefusedError:
        kind = type(error).__name__.removesuffix("Error")
        if isinstance(error, HTTPClientError | ConnectionError):
            return StoreRefusedError(f"{self._place} does not answer ({kind}): check AWS_ENDPOINT_URL and the network")
        return StoreRefusedError(f"{self.uri} cannot be used: {' '.join(str(error).split())}")

    @property
    def _place(self) -> str:
        return f"the object store at {self._endpoint}" if self._endpoint else f"Amazon S3 in {self._region}"


class _Declined(Exception):
    """An error code from the store."""

    def __init__(self, error: ClientError) -> None:
        details = error.response.get("Error", {})
        self.code, self.message = str(details.get("Code")), str(details.get("Message"))
        self.status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        super().__init__(self.code)


def store_of(settings: Settings) -> ObjectStore:
    """The object store of a lake that is in one."""
    return ObjectStore(settings.lake_uri, endpoint=settings.aws_endpoint_url, region=settings.aws_region)


def _now_of(answer: Mapping[str, Any]) -> datetime:
    """The store's clock."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)


def _require_same_time(answer: Mapping[str, Any]) -> None:
    skew = abs((datetime.now(UTC) - _now_of(answer)).total_seconds())
    if skew > MOST_SKEW_SECONDS:
        raise _skewed(f"{skew / 60:.0f}")


def _skewed(minutes: str) -> StoreRefusedError:
    return StoreRefusedError(
        f"this machine's clock is {minutes} minutes off the object store's, which refuses that: set it right (NTP)"
    )
