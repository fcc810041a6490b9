"""Alipay's signatures (RSA2): of requests, of answers, of callbacks. Pure.

A request is signed over its parameters in order; an answer over the text of its one member as it was sent, which is
lost once JSON has been parsed; a callback over its decoded fields without ``sign`` and ``sign_type``.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

_SPACE: Final = " \t\r\n"


class UnverifiedError(Exception):
    """An answer or a callback whose signature is missing, wrong, or by another key. It says nothing."""


@dataclass(frozen=True)
class Answer:
    """What the one member of an answer says."""

    said: dict[str, Any]


def text_to_sign(parameters: Mapping[str, str]) -> str:
    """The parameters that have a value, by name."""
    return "&".join(f"{name}={value}" for name, value in sorted(parameters.items()) if value)


def signature(parameters: Mapping[str, str], key: RSAPrivateKey) -> str:
    """The value of ``sign``."""
    return base64.b64encode(key.sign(text_to_sign(parameters).encode(), PKCS1v15(), SHA256())).decode()


def verified_answer(body: str, method: str, key: RSAPublicKey) -> Answer:
    """The member of an answer, once its signature has been verified.

    Raises:
        UnverifiedError: it is not Alipay's, or was changed.
    """
    try:
        members = _members(body)
        signed = members.get(f"{method.replace('.', '_')}_response") or members["error_response"]
        _verify(signed, str(json.loads(members["sign"])), key)
        said: Any = json.loads(signed)
    except (KeyError, ValueError, IndexError, RecursionError) as error:
        raise UnverifiedError("no answer with a signature") from error
    if not isinstance(said, dict):
        raise UnverifiedError("no answer")
    return Answer(said)  # pyright: ignore[reportUnknownArgumentType]


def verify_fields(fields: Mapping[str, str], key: RSAPublicKey) -> None:
    """Verify a callback's fields.

    Raises:
        UnverifiedError: they are not Alipay's, or were changed.
    """
    if fields.get("sign_type") != "RSA2":
        raise UnverifiedError("sign_type")
    signed = {name: value for name, value in fields.items() if name not in {"sign", "sign_type"}}
    _verify(text_to_sign(signed), fields.get("sign", ""), key)


def _verify(signed: str, sign: str, key: RSAPublicKey) -> None:
    try:
        key.verify(base64.b64decode(sign, validate=True), signed.encode(), PKCS1v15(), SHA256())
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise UnverifiedError("sign") from error


def _members(body: str) -> dict[str, str]:
    """The members of a JSON object, each with its text as it was sent."""
    decoder, members = JSONDecoder(), dict[str, str]()
    at = _after(body, 0, "{")
    while True:
        name, at = decoder.raw_decode(body, at)
        start = _after(body, at, ":")
        _, end = decoder.raw_decode(body, start)
        members[str(name)] = body[start:end]
        at = _skip(body, end)
        if body[at] == "}":
            return members
        at = _after(body, at, ",")


def _after(body: str, at: int, mark: str) -> int:
    at = _skip(body, at)
    if body[at] != mark:
        raise ValueError(mark)
    return _skip(body, at + 1)


def _skip(body: str, at: int) -> int:
    while body[at] in _SPACE:
        at += 1
    return at
