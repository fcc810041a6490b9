"""What the environment says to the light client: the task queue, and what encrypts."""

import os
from collections.abc import Callable
from pathlib import Path

from temporalio.converter import DataConverter

from activities.privacy.codec import encrypting_converter
from activities.privacy.keys import FileKeys, FixedKeys, KeyProvider, KeyRingError, read_keys
from starter.errors import WrongSettings
from starter.light.remote_codec import RemoteCodec, remote_converter
from starter.light_variables import CODEC_ENDPOINT, CODEC_TOKEN, CODEC_TOKEN_FILE, KEY_FILE, KEYS, TASK_QUEUE


def task_queue_of_the_environment() -> str:
    """The task queue of the cases."""
    return os.environ.get(TASK_QUEUE) or "aftersales"


def converter_of_the_environment(namespace: str) -> DataConverter:
    """What encrypts: a codec server, or a key ring of one's own.

    Raises:
        WrongSettings: neither is named, both are, or what is named cannot be used.
    """
    named = [name for name in (KEYS, KEY_FILE, CODEC_ENDPOINT) if os.environ.get(name)]
    if len(named) != 1:
        raise WrongSettings(f"exactly one of {KEYS}, {KEY_FILE} and {CODEC_ENDPOINT} must be set")
    if named == [CODEC_ENDPOINT]:
        try:
            return remote_converter(RemoteCodec(os.environ[CODEC_ENDPOINT], namespace, _token()))
        except ValueError as error:
            raise WrongSettings(f"{CODEC_ENDPOINT}: {error}") from None
    try:
        return encrypting_converter(_ring(), shows=True)
    except KeyRingError as error:
        raise WrongSettings(f"{named[0]}: {error}") from None


def names_case(converter: DataConverter) -> bool:
    """Whether what it encrypts is bound to no workflow, so that each command must name its case (P6)."""
    return isinstance(converter.payload_codec, RemoteCodec)


def _ring() -> KeyProvider:
    if text := os.environ.get(KEYS):
        return FixedKeys(read_keys(text))
    path = Path(os.environ[KEY_FILE])
    try:
        read_keys(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise KeyRingError(f"{path} cannot be read") from None
    return FileKeys(path)


def _token() -> Callable[[], str]:
    text, file = os.environ.get(CODEC_TOKEN), os.environ.get(CODEC_TOKEN_FILE)
    if bool(text) == bool(file):
        raise WrongSettings(f"exactly one of {CODEC_TOKEN} and {CODEC_TOKEN_FILE} must be set")
    if text:
        return lambda: text

    def read() -> str:
        try:
            return Path(file or "").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise WrongSettings(f"{CODEC_TOKEN_FILE}: {file} cannot be read") from None

    return read
