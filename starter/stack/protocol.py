"""What the starter of a stack and its keeper say to each other: one JSON object a line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, TypeAdapter


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Start(_Line):
    """First line to the keeper: which servers to run, on which folder."""

    state_dir: Path
    temporal: bool
    postgres: bool
    search_attributes: Mapping[str, str]
    headless: bool
    codec_endpoint: str | None
    """Where the Web UI is to have payloads decoded."""
    owner: int
    """Process id of the starter."""


class Restart(_Line):
    """Later lines to the keeper: stop this server if it still runs, and start it on the same addresses."""

    server: Literal["temporal", "postgres"]


class Running(_Line):
    """The keeper's answer when the servers it was asked for accept connections."""

    kind: Literal["running"] = "running"
    temporal_address: str | None = None
    ui_address: str | None = None
    metrics_address: str | None = None
    postgres_url: str | None = None
    temporal_pid: int | None = None
    postgres_pid: int | None = None


class Failed(_Line):
    """The keeper's answer when that was not to be."""

    kind: Literal["failed"] = "failed"
    reason: str


Answer = Running | Failed
answers: TypeAdapter[Answer] = TypeAdapter(Annotated[Answer, Discriminator("kind")])
