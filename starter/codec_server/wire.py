"""What goes over the wire: payloads in Temporal's JSON, their bytes in base64."""

import base64
import json
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from temporalio.api.common.v1 import Payload

MOST_PAYLOADS: Final = 1000
"""In one request."""


class MalformedBody(ValueError):  # noqa: N818 -- named after what it is
    """A body is not what it must be. The text quotes nothing of it."""


class TooManyPayloads(ValueError):  # noqa: N818
    """More payloads than ``MOST_PAYLOADS`` in one request."""


def _from_base64(value: object) -> bytes:
    # A plain b64decode passes over what is no base64, and so would change a payload without a word.
    if not isinstance(value, str):
        raise ValueError("must be base64")
    return base64.b64decode(value, validate=True)


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


_Bytes = Annotated[bytes, BeforeValidator(_from_base64)]


class _Payload(_Wire):
    metadata: dict[str, _Bytes] | None = None
    data: _Bytes | None = None


class _Body(_Wire):
    payloads: list[_Payload] = []
    """Left out where there are none, as in all of Temporal's JSON: a query without input is ``{}``."""


def read(body: bytes) -> list[Payload]:
    """The payloads of a request's body.

    Raises:
        MalformedBody: it is no such JSON.
        TooManyPayloads: it holds too many.
    """
    try:
        found = _Body.model_validate_json(body).payloads
    except ValidationError:
        found = None
    if found is None:
        raise MalformedBody('the body must be {"payloads": [{"metadata": {...}, "data": ...}]} with bytes in base64')
    if len(found) > MOST_PAYLOADS:
        raise TooManyPayloads(f"a request may hold {MOST_PAYLOADS} payloads at most")
    return [Payload(metadata=each.metadata or {}, data=each.data or b"") for each in found]


def written(payloads: Sequence[Payload]) -> str:
    """An answer's body."""
    return json.dumps({"payloads": [_written(each) for each in payloads]})


def _written(payload: Payload) -> dict[str, object]:
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}
