"""Reaching Temporal: where it is, how to get in, and how messages are encoded."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, Interceptor, Plugin
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import RetryConfig, RPCError

from activities.privacy.codec import encrypting_converter
from starter.settings import Settings, SettingsError, variable_name
from starter.stack.state_folder import Addresses, Embedded, StateFolder
from starter.telemetry.interceptors import tracing_interceptors
from starter.vault import key_provider
from workflows.rules.bilingual import Language, speak

DEFAULT_ADDRESS: Final = "localhost:7233"
_KINDS: Final[Mapping[str, IndexedValueType.ValueType]] = {
    "Text": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Double": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}


async def connect(
    settings: Settings,
    *,
    target: str | None = None,
    namespace: str | None = None,
    interceptors: Sequence[Interceptor] = (),
    plugins: Sequence[Plugin] = (),
    runtime: Runtime | None = None,
    converter: DataConverter | None = None,
    lazy: bool = False,
    retries: RetryConfig | None = None,
) -> Client:
    """Connects to Temporal. Whatever this client and its workers send is encrypted (P6).

    From then on this process writes for operators in the language that is set.

    Args:
        settings: Say whether Temporal is the embedded server of the state folder.
        target: Host and port to use instead of the configured or discovered ones. Namespace, TLS and API key
            stay as Temporal's environment configuration has them.
        namespace: Instead of the configured one.
        interceptors: Passed on to the client.
        plugins: Passed on to the client.
        runtime: Passed on to the client.
        lazy: Connect when something is asked first: for whoever has other work while Temporal is away.
        converter: Instead of the encrypting one, for histories that people are to read.
        retries: How a call is repeated that Temporal is not able to take now; else as the SDK has it, for 10 s.

    Raises:
        SettingsError: Temporal's environment configuration or the key ring is wrong.
        ConnectionError: nobody answers; the text names the address.
    """
    speak(Language(settings.operators_language))
    config = temporal_config(settings)
    address = target or config.get("target_host") or discover(settings).temporal_address
    try:
        return await Client.connect(
            address,
            namespace=namespace or config.get("namespace", "default"),
            api_key=config.get("api_key"),
            tls=config.get("tls"),
            rpc_metadata=config.get("rpc_metadata", {}),
            data_converter=converter or encrypting_converter(key_provider(settings)),
            interceptors=(*interceptors, *tracing_interceptors()),
            plugins=plugins,
            runtime=runtime,
            lazy=lazy,
            retry_config=retries,
        )
    except RPCError as error:
        reason = error.message
    except RuntimeError as error:
        reason = str(error)
    raise ConnectionError(f"Temporal at {address} cannot be reached: {reason}")


def temporal_config(settings: Settings) -> ClientConnectConfig:
    """What Temporal's environment configuration says; empty for the embedded server.

    Raises:
        SettingsError: a variable or the file of the configuration is wrong.
    """
    if settings.embeds_temporal:
        if not settings.development and (file := _usual_file()).exists():
            raise SettingsError(
                f"TEMPORAL_PROFILE or TEMPORAL_CONFIG_FILE must be set for {file} to count, or another of Temporal's "
                "variables: without one, an embedded server is meant"
            )
        return {}
    try:
        config = ClientConfigProfile.load().to_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        # The first line says what is wrong; those after it quote the file, which may hold an API key.
        reason = str(error).splitlines()[0]
    else:
        config.setdefault("target_host", DEFAULT_ADDRESS)
        return config
    raise SettingsError(f"Temporal's environment configuration is wrong: {reason}")


def _usual_file() -> Path:
    """Where Temporal's programs look for their configuration (Linux, macOS)."""
    mac = sys.platform == "darwin"
    folder = "~/Library/Application Support" if mac else os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "temporalio" / "temporal.toml"


def discover(settings: Settings) -> Addresses:
    """Where Temporal and the database are, the embedded ones as the running stack of the state folder tells.

    Raises:
        SettingsError: Temporal's environment configuration is wrong.
        ConnectionError: a server is to be the embedded one, and no stack runs on the state folder.
    """
    configured = temporal_config(settings).get("target_host")
    url = settings.database_url.get_secret_value() if settings.database_url else None
    if configured and url:
        return Addresses(configured, url)
    stack = StateFolder(settings.state_dir.resolve()).published() or Embedded()
    address, url = configured or stack.temporal_address, url or stack.database_url
    if address is None or url is None:
        missing = "Temporal" if address is None else "PostgreSQL"
        raise ConnectionError(
            f"no stack with {missing} runs on the state folder {settings.state_dir.resolve()}: start one with "
            f"`aftersales up`, name its folder in {variable_name('state_dir')}, or set TEMPORAL_ADDRESS and "
            "DATABASE_URL"
        )
    if configured:
        return Addresses(address, url)
    return Addresses(address, url, stack.ui_address, stack.metrics_address)


async def missing_search_attributes(client: Client, attributes: Mapping[str, str]) -> list[str]:
    """The names of those that the namespace lacks, as ``ensure_search_attributes`` would add them.

    Raises:
        ValueError: one exists with another type.
        RPCError: Temporal does not answer.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    listed = await client.operator_service.list_search_attributes(request)
    present = {**listed.system_attributes, **listed.custom_attributes}
    for name, kind in attributes.items():
        if present.get(name, _KINDS[kind]) != _KINDS[kind]:
            raise ValueError(f"the search attribute {name} exists with another type than {kind}")
    return [name for name in attributes if name not in present]


async def ensure_search_attributes(client: Client, attributes: Mapping[str, str]) -> list[str]:
    """Adds the search attributes that the namespace lacks, and returns their names.

    Args:
        client: Its namespace is meant.
        attributes: Type of each by name, as Temporal's command line writes it: ``{"CaseDue": "Datetime"}``.

    Raises:
        ValueError: one exists with another type.
    """
    operator = client.operator_service
    missing = {name: _KINDS[attributes[name]] for name in await missing_search_attributes(client, attributes)}
    if missing:
        await operator.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return sorted(missing)
