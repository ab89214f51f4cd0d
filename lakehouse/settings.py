"""All settings, read in this one place from the environment and `.env`."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlparse

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lakehouse.errors import UsageError
from lakehouse.listeners import LISTENER_NAME, ByListener, Listener, read_listeners, require_time_zone

BYTES_PER_UNIT = {"m": 2**20, "g": 2**30}
# The only hosts to which Spotify redirects a browser without TLS.
LOOPBACK = ("127.0.0.1", "::1")
OBJECT_STORE = "s3a://"
# Files named after settings, for secrets that must not show in `docker inspect`.
SETTINGS_FOLDER = Path("data/settings")


class Settings(BaseSettings):
    """The settings of one process. Names are those of environment variables in lower case; see `.env.example`."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    lake_uri: str = "file:./data/lake"
    work_dir: Path = Path("data/work")
    aws_endpoint_url: Annotated[str, Field(pattern=r"^https?://[^/@\s]+$")] | None = None
    aws_region: str = "us-east-1"
    listener: Annotated[str, Field(pattern=LISTENER_NAME)] = "me"
    listener_time_zone: str = "UTC"
    listeners_file: Path = Path("data/listeners.toml")
    kaggle_csv: Path = Path("data/kaggle/dataset.csv")
    import_dir: Path = Path("data/import")
    demo: bool = False
    allow_synthetic: bool = False
    spark_master: str = "local[*]"
    spark_driver_memory: Annotated[str, NoDecode, Field(pattern=r"^[1-9]\d*[mg]$")] = "768m"
    lock_wait_seconds: Annotated[float, Field(ge=0)] = 60.0
    trino_port: Annotated[int, Field(ge=1, le=65535)] = 8080
    trino_memory: Annotated[str, NoDecode, Field(pattern=r"^[1-9]\d*[mg]$")] = "1g"
    trino_uri: Annotated[str, Field(pattern=r"^https?://[^/@\s]+:\d+$")] | None = None
    trino_password: SecretStr | None = None
    trino_certificate: Path | None = None
    stack_dir: Path = Path("data/stack")
    secrets_dir: Path = Path("data/secrets")
    superset_port: Annotated[int, Field(ge=1, le=65535)] = 8088
    superset_uri: Annotated[str, Field(pattern=r"^https?://[^/@\s]+:\d+$")] | None = None
    superset_trino_uri: SecretStr | None = None
    superset_database_uri: SecretStr | None = None
    redis_url: SecretStr | None = None
    maven_repository_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    spotify_client_id: str | None = None
    spotify_client_secret: SecretStr | None = None
    spotify_redirect_uri: str = "http://127.0.0.1:8888/callback"
    spotify_token_file: Path = Path("data/spotify/token.json")
    ask_reccobeats: bool = False
    poll_interval_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 30
    run_limit_minutes: Annotated[float, Field(gt=0)] = 180.0
    alert_webhook_url: SecretStr | None = None
    spotify_api_url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.spotify.com/v1"
    spotify_accounts_url: Annotated[str, Field(pattern=r"^https?://")] = "https://accounts.spotify.com"
    reccobeats_url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.reccobeats.com/v1"

    @field_validator("lake_uri")
    @classmethod
    def _absolute_lake_uri(cls, value: str) -> str:
        # Only names that every engine here accepts without escaping.
        if re.fullmatch(rf"{OBJECT_STORE}[a-z0-9][a-z0-9.-]+(/[\w.-]+)*/?", value, re.ASCII):
            return value.rstrip("/")
        parsed = urlparse(value)
        place = str(Path(parsed.path).resolve())
        # delta-rs gives these characters a meaning of their own, anywhere in the path.
        if parsed.scheme == "file" and not parsed.netloc and not set("%#?[]\\") & set(value + place):
            # Not as_uri(): Spark does not decode an escaped space or umlaut, delta-rs does; unescaped works for both.
            return f"file://{place}"
        raise ValueError(
            "must be a file URI such as file:./data/lake or a place in an object store such as s3a://bucket/lake, "
            f"without any of % # ? [ ] \\ in {place}"
        )

    @field_validator("listener_time_zone")
    @classmethod
    def _known_time_zone(cls, value: str) -> str:
        return require_time_zone(value)

    @field_validator("spotify_redirect_uri")
    @classmethod
    def _redirect_that_spotify_accepts(cls, value: str) -> str:
        parsed = urlparse(value)
        if parsed.scheme == "https" and parsed.hostname:
            return value
        if parsed.scheme == "http" and parsed.hostname in LOOPBACK and parsed.port:
            return value
        raise ValueError("must be https, or http on 127.0.0.1 or [::1] with a port: Spotify refuses `localhost`")

    @model_validator(mode="after")
    def _secrets_outside_the_lake(self) -> "Settings":
        for name, path in (("SPOTIFY_TOKEN_FILE", self.spotify_token_file), ("SECRETS_DIR", self.secrets_dir)):
            if path.resolve().is_relative_to(self.work_path):
                raise ValueError(f"{name} must lie outside LAKE_URI: the lake is for sharing, secrets are not")
        return self

    @model_validator(mode="after")
    def _lake_within_reach_of_the_cluster(self) -> "Settings":
        if self.has_cluster and not self.is_in_object_store:
            raise ValueError(
                "SPARK_MASTER names a cluster, whose machines cannot reach the folder in LAKE_URI: put the lake into "
                "an object store, such as s3a://bucket/lake"
            )
        return self

    @property
    def time_zone_is_set(self) -> bool:
        """Whether the listener set a time zone, so that it is not the default."""
        return "listener_time_zone" in self.model_fields_set

    @cached_property
    def listeners(self) -> dict[str, Listener]:
        """What `listeners_file` says of listeners, by name.

        Raises:
            UsageError: names the line and what is wrong there.
        """
        return read_listeners(self.listeners_file)

    def parameter(self, name: str) -> Any:
        """The setting of a name, as a transform takes it: with the values that listeners have of their own."""
        value = getattr(self, name)
        if name != "listener_time_zone":
            return value
        own = {listener: entry.time_zone for listener, entry in self.listeners.items() if entry.time_zone}
        return ByListener(value, own)

    @property
    def trino_address(self) -> str:
        """Where Trino answers: `trino_uri`, or the server that `lakehouse stack up` starts."""
        return self.trino_uri or f"http://127.0.0.1:{self.trino_port}"

    @property
    def superset_address(self) -> str:
        """Where Superset answers: `superset_uri`, or the server that `lakehouse stack up` starts."""
        return self.superset_uri or f"http://127.0.0.1:{self.superset_port}"

    @property
    def superset_browser_address(self) -> str:
        """Where a browser finds Superset: containers use its service name, browsers the published port."""
        in_container = urlparse(self.superset_uri or "").hostname == "superset"
        return f"http://127.0.0.1:{self.superset_port}" if in_container else self.superset_address

    @property
    def is_in_object_store(self) -> bool:
        """Whether the lake is in an object store, not in a folder of this machine."""
        return self.lake_uri.startswith(OBJECT_STORE)

    @property
    def has_cluster(self) -> bool:
        """Whether Spark runs on a cluster, not on this machine alone."""
        return not self.spark_master.startswith("local")

    @property
    def lake_path(self) -> Path:
        """The lake's local folder.

        Raises:
            UsageError: the lake is in an object store.
        """
        if self.is_in_object_store:
            raise UsageError(f"this works on a lake in a folder, LAKE_URI={self.lake_uri} is in an object store")
        return Path(urlparse(self.lake_uri).path)

    @property
    def work_path(self) -> Path:
        """Where this machine keeps its working state: locks, cursors, and answers and records not yet in a table.

        For a lake in a folder, that is the lake itself.
        """
        return self.work_dir.resolve() if self.is_in_object_store else self.lake_path


def in_bytes(memory: str) -> int:
    """The bytes that a setting such as 512m or 2g means."""
    return int(memory[:-1]) * BYTES_PER_UNIT[memory[-1]]


def load_settings() -> Settings:
    """Read the settings from the environment, else from `.env`, else from files of their names in `data/settings`.

    Raises:
        UsageError: settings are invalid, or the file of listeners is; the message names each with its reason.
    """
    try:
        settings = Settings(_secrets_dir=SETTINGS_FOLDER if SETTINGS_FOLDER.is_dir() else None)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read ({error.strerror}): check who owns it") from None
    except ValidationError as error:
        problems = "; ".join(_describe(detail) for detail in error.errors())
        raise UsageError(f"unusable setting in the environment or .env: {problems}") from None
    # Read at once, so that each command refuses a broken file.
    _ = settings.listeners
    return settings


def _describe(detail: ErrorDetails) -> str:
    """Describe an invalid setting; where several contradict each other, without their values."""
    message = detail["msg"].removeprefix("Value error, ")
    return f"{str(detail['loc'][0]).upper()}={detail['input']!r}: {message}" if detail["loc"] else message
