"""What can be set from outside, and how it is checked. One class, and long: a list of settings is read in one place.

Everything comes from environment variables. Where Temporal is and how to reach it is read by the SDK itself
(`temporalio.envconfig`): its variables and profiles are the same for every Temporal program.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.postgres.roles import NO_LONGER_PREFIX
from starter.adapter_registry import AND, BUILT_IN, OWN, STUB, names
from starter.light_variables import VARIABLES as OF_THE_LIGHT_CLIENT
from starter.nexus_endpoints import read_endpoints
from starter.settings_of_others import TEMPORAL_VARIABLES
from starter.settings_values import allowed
from workflows.messages.place import Language
from workflows.rules.worker_roles import WorkerRole

PREFIX: Final = "AFTERSALES_"
DEVELOPMENT_LOOKUP_KEY: Final = "for development only: not a secret"
_LOOKUP_KEY_LENGTH: Final = 32
_ALL_ROLES: Final = "all"
_NO_ROLES: Final = "none"
_ADAPTER: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*|[a-z][a-z0-9_-]*")
_HIGHEST_PORT: Final = 65_535
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Kubernetes sets such variables in every container for a Service called "aftersales-...".
_SERVICE_LINK: Final = re.compile(r"_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)")


class SettingsError(Exception):
    """A setting is wrong. The text is one line that names the variable and what it may be, never its value.

    Entry points print it and exit with code 2.
    """


class Settings(BaseSettings):
    """Everything that can be set from outside, apart from Temporal's own variables."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
        validate_by_alias=True,
        validate_by_name=True,
        validate_default=True,
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL to use, as `postgresql://user:password@host:port/database`, or with the password in a "
        "file that is read at each new connection: `postgresql://user@host:port/database?password_file=/path`. "
        "Without it, an embedded PostgreSQL runs on the state folder.",
    )
    state_dir: Path = Field(
        default=Path(".aftersales"),
        description="Folder of the embedded servers' data, logs and ports. One stack runs on it at a time.",
    )
    environment: Literal["development", "production"] = Field(
        default="development",
        description="In `production`, moving a case's clock and telling the payment gateway's stub how to "
        "behave are refused, and a lookup key, a key ring and a key store are required.",
    )
    task_queue: str = Field(
        default="aftersales",
        min_length=1,
        max_length=200,
        description="Temporal task queue of the cases. Beside it, money and what else goes outside have queues of "
        "their own, `<queue>-money` and `<queue>-notifications`.",
    )
    role: str = Field(
        default="all",
        min_length=1,
        description="What a worker process does: `all`, or some of `workflows`, `money` and `notifications`, with "
        "commas between. See [running.md](running.md).",
    )
    nexus_endpoints: str | None = Field(
        default=None,
        min_length=1,
        description="Nexus endpoints by which services in other namespaces may open and command cases, and as whom: "
        "`checkout=buyer,laurel-desk=merchant@m-laurel`, with `+` between several roles and several merchants; without "
        "`@`, of every merchant. Without it, workers answer no Nexus operation. See [nexus.md](nexus.md).",
    )
    health_listen: str | None = Field(
        default=None,
        min_length=1,
        description="Interface and port of a worker's `/livez`, `/readyz` and `/startupz`, as `host:port`; port 0 "
        "takes any that is free. Without it there are none.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="Days for which Temporal keeps the histories of ended cases; `aftersales setup` sets it on the "
        "namespace. Without it, the namespace keeps what it has. Case log and ledger are not affected.",
    )
    workflow_sandbox: bool | None = Field(
        default=None,
        description="Whether workflow code runs in the SDK's sandbox. Without it: on in development, off in "
        "production, where it would cost a third more of a worker's processor (running.md).",
    )
    sealed_commands: bool | None = Field(
        default=None,
        description="Whether commands that are not encrypted are refused, and those that are bound to no case: by the "
        "encryption of this project's clients, or by their field `case`. Without it: in production only.",
    )
    max_cached_workflows: int = Field(
        default=2000,
        ge=0,
        le=1_000_000,
        description="Cases that a worker keeps in memory (about 95 kB each with the sandbox, 65 without). "
        "It should hold the cases that are active at a time.",
    )
    max_concurrent_activities: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="Activities that a worker runs at a time, of each queue that it serves.",
    )
    max_concurrent_workflow_tasks: int | None = Field(
        default=None,
        ge=2,
        le=10_000,
        description="Workflow tasks that a worker carries out at a time: answers to commands, deadlines, next steps. "
        "Without it, as many as database connections, and four at the least. Of a backlog, so many are in front of "
        "whoever comes next, and each has ten seconds, on however much of a processor they share.",
    )
    max_pollers: int | None = Field(
        default=None,
        ge=2,
        le=200,
        description="Let a worker have up to so many pollers of each kind on a queue, as the server asks for "
        "them. Without it, the SDK's fixed five. More help where slots are free and tasks wait.",
    )
    notice_poll_seconds: int = Field(
        default=5,
        ge=1,
        le=3600,
        description="How often a worker with the role `notifications` looks for notices that others have queued, and "
        "for events to deliver by webhook.",
    )
    notice_days: int = Field(
        default=3,
        ge=1,
        le=30,
        description="Days for which a notice that a channel does not take is tried again, before it is left to an "
        "operator.",
    )
    notice_texts: Path | None = Field(
        default=None,
        description="Folder of own texts of notices, `<language>/<template>.txt`, to use instead of the built-in ones.",
    )
    event_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days for which events are kept in the feed ([events.md](events.md)). Workers with the role "
        "`notifications` remove older ones.",
    )
    closed_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="Days for which a closed case stays among the open ones, before it moves to the month of its end "
        "([capacity.md](capacity.md)). Longer than `AFTERSALES_RETENTION_DAYS`, so that no history of it is left.",
    )
    archive: str | None = Field(
        default=None,
        min_length=1,
        description="Where months of closed cases go: a folder that outlives the machine, or `s3://bucket/folder` with "
        "the rest from `AFTERSALES_S3_...`. Needs the extra `archive`. Without it they stay in the database.",
    )
    archive_months: int = Field(
        default=13,
        ge=1,
        le=1200,
        description="Months for which closed cases stay in the database before they are in the archive alone.",
    )
    webhooks: Path | None = Field(
        default=None,
        description="TOML file that says who is told of events by webhook, with secrets ([events.md](events.md)). A "
        "changed file is taken up by itself.",
    )
    webhook_days: int = Field(
        default=3,
        ge=1,
        le=30,
        description="Days for which an event that an endpoint does not take is tried again, before it is left to an "
        "operator.",
    )
    private_addresses: bool | None = Field(
        default=None,
        description="Whether webhooks may go to addresses that are not of the public internet, and without TLS. "
        "Without it: in development only.",
    )
    graceful_shutdown_seconds: int = Field(
        default=20,
        ge=0,
        le=600,
        description="How long a worker that is to stop lets its activities end. The process is gone 10 s later at "
        "the latest.",
    )
    deployment_name: str | None = Field(
        default=None,
        validation_alias="TEMPORAL_DEPLOYMENT_NAME",
        min_length=1,
        description="Worker deployment that a worker is a version of. Set by Temporal's worker controller. Without it "
        "and a build id, workers have no versions.",
    )
    build_id: str | None = Field(
        default=None,
        validation_alias="TEMPORAL_WORKER_BUILD_ID",
        min_length=1,
        description="Which version of the deployment this is. Set by Temporal's worker controller.",
    )
    database_roles: str = Field(
        default="aftersales",
        pattern=rf"^[a-z_][a-z0-9_]{{0,{NO_LONGER_PREFIX - 1}}}$",
        description="What the names of the database roles begin with that `aftersales setup` makes, such as "
        "`aftersales_worker`; `none` makes none. See [running.md](running.md#roles-of-the-databases).",
    )
    database_pool_size: int = Field(
        default=10, ge=1, le=1000, description="Database connections that one process holds at most."
    )
    payments: str = Field(
        default=STUB,
        description="Payment gateway: `stub`, which only says that it has paid; the name of an adapter that is built "
        "in or installed; or one of your own as `package.module:factory` ([adapters.md](adapters.md)). Production "
        "refuses the stub.",
    )
    payments_per_second: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Calls a second of one account at the payment provider, by one worker process. Without it, what "
        "the adapter says of its provider, if anything. See [adapters.md](adapters.md#a-provider-that-is-down).",
    )
    orders: str = Field(
        default=OWN,
        description="How orders come into our copy, which everything reads: `own`, where the order system only pushes "
        "them; else, as `AFTERSALES_PAYMENTS`, an adapter to a stream that the HTTP service reads beside "
        "([orders-in.md](orders-in.md#read-from-a-stream)).",
    )
    carriers: str = Field(
        default=STUB,
        description="Who is asked about parcels; as `AFTERSALES_PAYMENTS`. `none`: nobody, parcels are known as they "
        "are pushed ([orders-in.md](orders-in.md#parcels)) or as parties tell of them.",
    )
    numbers: str = Field(
        default=STUB,
        description="Who lends virtual numbers; as `AFTERSALES_PAYMENTS`. `none`: nobody, and requests for one are "
        "refused (`no_number_free`).",
    )
    notices: str = Field(
        default=STUB,
        description="Channels of notices ([notices.md](notices.md)): a factory of a mapping from `ChannelName` to "
        "`Channel`, as `AFTERSALES_PAYMENTS`; or several with `+` between, of which the first that has a channel "
        "counts: `smtp+notice-webhook`.",
    )
    key_ring: str = Field(
        default=OWN,
        description="Who keeps the key ring that everything is encrypted with: `own`, by `AFTERSALES_KEYS` or "
        "`AFTERSALES_KEY_FILE`; else an adapter to a key management service, as `AFTERSALES_PAYMENTS`.",
    )
    attachments: str = Field(
        default=OWN,
        description="Where the contents of attachments are kept, sealed: `own` is a folder beside an embedded "
        "database, and else the database, 8 MiB each at most; `files` is a folder that all processes share, `s3` a "
        "bucket (`AFTERSALES_FILES_FOLDER`, `AFTERSALES_S3_BUCKET`, ...); else as `AFTERSALES_PAYMENTS`. What the "
        "database keeps is read there, whatever is set.",
    )
    policies_dir: Path | None = Field(
        default=None,
        description="Folder of own policy profiles (`<name>.toml`), in addition to the built-in ones.",
    )
    calendar_overrides: Path | None = Field(
        default=None,
        description="File of own working days and holidays to use instead of the built-in one "
        "(`activities/calendar/overrides.toml`). The same for all processes.",
    )
    language: Language = Field(
        default="zh", description="Language of notices to customers and merchants, where a profile names none."
    )
    operators_language: Literal["zh", "en", "both"] = Field(
        default="both", description="Language of cases' pages and titles in the Temporal Web UI."
    )
    lookup_key: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_LOOKUP_KEY),
        description="Key of the hash by which cases are found for an account name, so that the name itself "
        f"is stored nowhere. At least {_LOOKUP_KEY_LENGTH} characters, the same for all processes, never "
        "changed. The default is refused in production.",
    )
    keys: SecretStr | None = Field(
        default=None,
        description="Key ring that everything is encrypted with, as `id:base64,id:base64` of 32 bytes each, the "
        "current key first. `aftersales keys new` makes one. Without it and without a key file, a ring is made in the "
        "state folder, but only beside an embedded server.",
    )
    key_file: Path | None = Field(
        default=None,
        description="File with the key ring instead, one `id:base64` a line. A changed file is taken up by itself. "
        "Without either, a ring is made in the state folder, but only beside an embedded server.",
    )
    reveals_per_hour: int = Field(
        default=60,
        ge=1,
        le=10_000,
        description="How often a merchant, an officer or an auditor may see a real phone or street, or reveal a "
        "customer's real data, within an hour.",
    )
    key_store_url: SecretStr | None = Field(
        default=None,
        description="Database with persons' keys, `postgresql://...`: another one than `DATABASE_URL`, replicated but "
        "never backed up beside it. Without it, development uses `<database>_keys` on the same server.",
    )
    codec_listen: str = Field(
        default="127.0.0.1:0",
        min_length=1,
        description="Interface and port of `aftersales codec serve`, as `host:port`; port 0 takes any that is free.",
    )
    codec_ui_origins: str | None = Field(
        default=None,
        description="Origins of the Web UIs whose pages may ask the codec server, with commas between: "
        "`https://temporal.example.com`. Without it, in development, the embedded Web UI's.",
    )
    codec_token_secret: SecretStr | None = Field(
        default=None,
        description="Secret under which the codec server's tokens are signed (HS256), at least 32 characters. "
        "Without it, development derives one from the key ring.",
    )
    codec_token_public_key: Path | None = Field(
        default=None,
        description="File with a PEM public key or a JSON Web Key Set instead: tokens of an identity provider "
        "(RS256, ES256) with a claim `role`, and for auditors `reason`.",
    )
    codec_token_issuer: str = Field(default="aftersales", min_length=1, description="What a token's `iss` must be.")
    codec_token_audience: str = Field(
        default="aftersales-codec", min_length=1, description="What a token's `aud` must be, or hold."
    )
    codec_token_hours: int = Field(
        default=24,
        ge=1,
        le=8760,
        description="A token for the codec server that counts for more hours than this from now on is refused.",
    )
    http_listen: str = Field(
        default="127.0.0.1:0",
        min_length=1,
        description="Interface and port of `aftersales http serve`, as `host:port`; port 0 takes any that is free "
        "([orders-in.md](orders-in.md)).",
    )
    http_token_secret: SecretStr | None = Field(
        default=None,
        description="Secret under which the HTTP service's tokens are signed (HS256), at least 32 characters. "
        "Without it, development derives one from the key ring.",
    )
    http_token_public_key: Path | None = Field(
        default=None,
        description="File with a PEM public key or a JSON Web Key Set instead: tokens of an identity provider "
        "(RS256, ES256) with a claim `role`: `orders`, `carriers` or `events`.",
    )
    http_token_issuer: str = Field(default="aftersales", min_length=1, description="What a token's `iss` must be.")
    http_token_audience: str = Field(
        default="aftersales-http", min_length=1, description="What a token's `aud` must be, or hold."
    )
    http_token_hours: int = Field(
        default=24,
        ge=1,
        le=8760,
        description="A token for the HTTP service that counts for more hours than this from now on is refused.",
    )
    http_proxies: int = Field(
        default=0,
        ge=0,
        le=9,
        description="How many proxies of yours stand before the HTTP service. Whoever asks is found that many places "
        "from the end of `X-Forwarded-For`, and limited by that address.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important messages that are logged."
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="How a worker's and the codec server's log lines are written; `json` tells the trace, the workflow "
        "and the activity of each.",
    )

    @field_validator("database_url", "key_store_url")
    @classmethod
    def _database_url_is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return value
        url = value.get_secret_value()
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        # Whoever parses it later quotes the piece that does not fit, which can be half of a password.
        if not _has_its_parts(url):
            raise ValueError(
                "must be postgresql://user:password@host:port/database; in user and password, characters such as "
                "/ # ? @ : [ ] and % are written as %2F %23 %3F %40 %3A %5B %5D and %25"
            )
        if urlsplit(url).password is not None and "password_file" in parse_qs(urlsplit(url).query):
            raise ValueError("has a password and a password_file: only one of them can count")
        return value

    @field_validator(*BUILT_IN)
    @classmethod
    def _adapter_can_be_named(cls, value: str, info: ValidationInfo) -> str:
        named = value.split(AND) if info.field_name == "notices" else [value]
        if not all(_ADAPTER.fullmatch(each) for each in named):
            raise ValueError("must be the name of an adapter, or package.module:factory")
        return value

    @field_validator("codec_listen", "http_listen", "health_listen")
    @classmethod
    def _listens_on_host_and_port(cls, value: str | None) -> str | None:
        if value is None:
            return value
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
            raise ValueError("must be host:port, such as 0.0.0.0:8081")
        return value

    @field_validator("nexus_endpoints")
    @classmethod
    def _endpoints_are_written_rightly(cls, value: str | None) -> str | None:
        if value is not None:
            read_endpoints(value)
        return value

    @field_validator("role")
    @classmethod
    def _roles_are_known(cls, value: str) -> str:
        words = _words(value)
        if not words or not (words == {_ALL_ROLES} or words <= set(WorkerRole)):
            raise ValueError(f"must be `{_ALL_ROLES}`, or some of {', '.join(WorkerRole)}, with commas between")
        return value

    @field_validator("lookup_key")
    @classmethod
    def _lookup_key_is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < _LOOKUP_KEY_LENGTH:
            raise ValueError(f"must be at least {_LOOKUP_KEY_LENGTH} characters long")
        return value

    @model_validator(mode="after")
    def _production_has_its_own_lookup_key(self) -> Self:
        if self.environment == "production" and self.lookup_key.get_secret_value() == DEVELOPMENT_LOOKUP_KEY:
            raise ValueError(
                f"{PREFIX}LOOKUP_KEY must be set in production, to at least {_LOOKUP_KEY_LENGTH} characters "
                "that nobody else knows"
            )
        return self

    @model_validator(mode="after")
    def _keys_are_where_they_must_be(self) -> Self:
        if self.key_ring != OWN and (self.keys is not None or self.key_file is not None):
            raise ValueError(f"{PREFIX}KEYS and {PREFIX}KEY_FILE can only be set where {PREFIX}KEY_RING is `{OWN}`")
        if self.keys is not None and self.key_file is not None:
            raise ValueError(f"only one of {PREFIX}KEYS and {PREFIX}KEY_FILE can be set")
        own_ring = self.key_ring == OWN
        if self.environment == "production" and own_ring and self.keys is None and self.key_file is None:
            raise ValueError(f"{PREFIX}KEY_FILE or {PREFIX}KEYS must be set in production")
        if self.environment == "production" and self.key_store_url is None:
            raise ValueError(f"{PREFIX}KEY_STORE_URL must be set in production")
        if self.key_store_url is not None and self.key_store_url == self.database_url:
            raise ValueError(f"{PREFIX}KEY_STORE_URL must be another database than DATABASE_URL")
        return self

    @model_validator(mode="after")
    def _a_version_has_name_and_build(self) -> Self:
        if (self.deployment_name is None) != (self.build_id is None):
            raise ValueError("TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID can only be set together")
        return self

    @property
    def roles(self) -> frozenset[WorkerRole]:
        """What a worker process does."""
        words = _words(self.role)
        return frozenset(role for role in WorkerRole if role in words or _ALL_ROLES in words)

    @property
    def role_prefix(self) -> str | None:
        """What the names of the databases' roles begin with; None where there are to be none."""
        return None if self.database_roles == _NO_ROLES else self.database_roles

    @property
    def versioned(self) -> bool:
        """Whether a worker is one of several versions that may run side by side."""
        return self.build_id is not None

    @property
    def development(self) -> bool:
        """Whether clocks may be moved and the payment gateway's stub may be told how to behave."""
        return self.environment == "development"

    @property
    def sandboxed(self) -> bool:
        """Whether workflow code runs in the SDK's sandbox."""
        return self.development if self.workflow_sandbox is None else self.workflow_sandbox

    @property
    def posts_anywhere(self) -> bool:
        """Whether webhooks may go to private addresses, and without TLS."""
        return self.development if self.private_addresses is None else self.private_addresses

    @property
    def requires_sealed(self) -> bool:
        """Whether a command in clear, or one that is bound to no case, is refused."""
        return not self.development if self.sealed_commands is None else self.sealed_commands

    @property
    def embeds_postgres(self) -> bool:
        """Whether the database is the embedded one, because none is named."""
        return self.database_url is None

    @property
    def embeds_temporal(self) -> bool:
        """Whether Temporal is the embedded server, because none of Temporal's own variables is set."""
        return not any(os.environ.get(name) for name in TEMPORAL_VARIABLES)


def load_settings(**overrides: object) -> Settings:
    """Reads the settings from the environment; `overrides` (by field name, as from a command line) go first.

    Raises:
        SettingsError: a value is wrong, one that is required is missing, or the environment holds an
            ``AFTERSALES_`` variable that does not exist.
    """
    _refuse_unknown_variables(os.environ)
    try:
        return Settings(**overrides)  # pyright: ignore[reportArgumentType] -- pydantic checks them
    except ValidationError as error:
        # Without its inputs, and not chained: a secret must not come out in a traceback either.
        problems = [
            _problem(tuple(detail["loc"]), detail["type"], detail["msg"])
            for detail in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    raise SettingsError("; ".join(problems))


def variable_name(field: str) -> str:
    """The environment variable of a field of `Settings`."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else PREFIX + field.upper()


def _has_its_parts(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    user, _, hosts = parts.netloc.rpartition("@")
    ports = [host.removeprefix("[").rpartition("]")[2].rpartition(":") for host in hosts.split(",")]
    return (
        "@" not in f"{user}{parts.path}{parts.query}"
        and not parts.fragment
        and not _BROKEN_ESCAPE.search(user)
        and all(not colon or (port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT) for _, colon, port in ports)
    )


def _words(value: str) -> set[str]:
    return {word.strip() for word in value.split(",") if word.strip()}


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = {variable_name(field) for field in Settings.model_fields} | set(OF_THE_LIGHT_CLIENT)
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.upper() in known or _SERVICE_LINK.search(name):
            continue
        bare = name.upper().removeprefix(PREFIX)
        if _is_of_an_adapter(name.upper()):
            continue
        near = [bare] if bare in known else difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else "known are " + ", ".join(sorted(known))
        raise SettingsError(f"{name} is not a setting: {hint}")


def _is_of_an_adapter(variable: str) -> bool:
    """Whether it begins as those of an adapter that is built in or installed: ``AFTERSALES_ACME_...`` of ``acme``.

    It is checked where the adapter is made, which may be in another process.
    """
    return any(variable.startswith(f"{PREFIX}{name.replace('-', '_').upper()}_") for name in names())


def _problem(location: tuple[int | str, ...], kind: str, message: str) -> str:
    own_words = message.removeprefix("Value error, ")
    if not location:
        return own_words
    name = str(location[0])
    field = next((key for key in Settings.model_fields if name in {key, variable_name(key)}), None)
    if field is None:
        return f"{name} is not a setting"
    if kind == "value_error":
        return f"{variable_name(field)} {own_words}"
    return f"{variable_name(field)} must be {allowed(Settings.model_fields[field])}"
