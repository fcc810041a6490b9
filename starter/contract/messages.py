"""One JSON Schema with a definition for every message, made for generators of code in other languages.

A bundle and not a file for each message: what messages share is then one type in the generated code. Its root is an
object that no message is: it maps each workflow's name to its request, its result and its commands, so that typed
languages get a typed map of the names as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from activities.gateways.order_records import OrderChange
from starter.contract import docstrings
from starter.contract.workflows import Contract
from starter.http_service.answers import PushAnswer, PushSums
from workflows.messages.cases import Refusal
from workflows.messages.events import Event, FeedPage
from workflows.messages.message import Input
from workflows.messages.nexus import AftersalesNexus
from workflows.messages.parcels import CarrierEvent

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_REF: Final = "#/$defs/"
_MEMBERS: Final = "x-members"
"""Where the texts of members wait: pydantic sets an enumeration's description last."""


class _ForGenerators(GenerateJsonSchema):
    """Names types and not fields, and says what the source says of each field and member."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A generator would make a type of every title."""
        del schema
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        properties = made.get("properties", {})
        for name, text in docstrings.of_fields(schema["cls"]).items():
            if name in properties:
                properties[name]["description"] = _both(text, properties[name].get("description", ""))
        made["properties"] = {name: _apart(each) for name, each in properties.items()}
        # What tells one message from another has a default, and must be written all the same.
        if tags := [name for name, each in properties.items() if "const" in each]:
            made["required"] = [*made.get("required", []), *tags]
        return made

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        made = super().typed_dict_schema(schema)
        for name, text in docstrings.of_fields(schema["cls"]).items():  # pyright: ignore[reportTypedDictNotRequiredAccess]
            made["properties"][name] = _apart({**made["properties"][name], "description": text})
        return made

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        texts = docstrings.of_fields(schema["cls"])
        members = [f"- `{each.value}`: {texts[each.name]}" for each in schema["members"] if each.name in texts]
        return super().enum_schema(schema) | ({_MEMBERS: members} if members else {})


def schema(contracts: Sequence[Contract]) -> Schema:
    """The bundle: requests and commands as they are read, results and views as they are written."""
    messages: dict[type[BaseModel], JsonSchemaMode] = {Refusal: "serialization"}
    messages |= {each: _mode(each) for contract in contracts for each in _messages(contract)}
    maps = {f"{each.name}Workflow": _map(each) for each in contracts}
    definitions = _definitions(messages) | maps
    return {
        "$schema": DIALECT,
        "$id": "urn:aftersales:messages",
        "title": "Workflows",
        "description": "Written by `make docs`. What each workflow is started with, what it gives, and what it takes.",
        **_object({each.name: _ref(f"{each.name}Workflow") for each in contracts}),
        "$defs": dict(sorted(definitions.items())),
    }


def events() -> Schema:
    """The schema of what is told of cases: a page of the feed, with all that it consists of (X4)."""
    definitions = _definitions({FeedPage: "serialization"})
    page = definitions.pop(FeedPage.__name__)
    return {"$schema": DIALECT, "$id": "urn:aftersales:events", **page, "$defs": dict(sorted(definitions.items()))}


def http() -> Schema:
    """The schema of what goes over HTTP: what is pushed and answered (X2), read (X4), and posted to webhooks (X4)."""
    doors: dict[str, dict[str, type[Any]]] = {
        "order": {"takes": OrderChange, "gives": PushAnswer},
        "parcel_event": {"takes": CarrierEvent, "gives": PushAnswer},
        "sums": {"gives": PushSums},
        "events": {"gives": FeedPage},
        "webhook": {"gives": Event},
    }
    messages: dict[type[Any], JsonSchemaMode] = {each: _mode(each) for door in doors.values() for each in door.values()}
    return {
        "$schema": DIALECT,
        "$id": "urn:aftersales:http",
        "title": "Doors",
        "description": "Written by `make docs`. What is pushed to the HTTP service, one or a line of many, and what it "
        "answers, line by line and last with the sums; a page of the feed; and the body that a webhook is sent.",
        **_object(
            {
                name: _object({side: _ref(message.__name__) for side, message in door.items()})
                for name, door in doors.items()
            }
        ),
        "$defs": dict(sorted(_definitions(messages).items())),
    }


def nexus() -> Schema:
    """The schema of the Nexus service: what each operation takes and gives."""
    operations = nexus_operations()
    messages: dict[type[BaseModel], JsonSchemaMode] = {}
    for takes, gives in operations.values():
        messages |= {takes: _mode(takes), gives: _mode(gives)}
    return {
        "$schema": DIALECT,
        "$id": "urn:aftersales:nexus",
        "title": "Operations",
        "description": "Written by `make docs`. What each operation of the Nexus service `Aftersales` takes and gives.",
        **_object(
            {
                name: _object({"takes": _ref(takes.__name__), "gives": _ref(gives.__name__)})
                for name, (takes, gives) in operations.items()
            }
        ),
        "$defs": dict(sorted(_definitions(messages).items())),
    }


def nexus_operations() -> dict[str, tuple[type[BaseModel], type[BaseModel]]]:
    """What each operation of the Nexus service takes and gives."""
    return {name: get_args(said) for name, said in AftersalesNexus.__annotations__.items()}


def _definitions(messages: Mapping[type[Any], JsonSchemaMode]) -> Schema:
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (each.__name__, mode, TypeAdapter(each)) for each, mode in messages.items()
    ]
    _, made = TypeAdapter.json_schemas(adapters, schema_generator=_ForGenerators)
    definitions: Schema = made["$defs"]
    for each in definitions.values():
        if members := each.pop(_MEMBERS, None):
            each["description"] = "\n".join([each["description"], "", *members])
    return definitions


def _both(of_field: str, of_type: str) -> str:
    said = of_type.removesuffix(".").lower() in of_field.lower()
    return of_field if said else f"{of_field} {of_type}"


def _apart(schema: Schema) -> Schema:
    """A reference with words beside it, as generators understand it: some would make another type of it."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    return {"allOf": [{"$ref": schema["$ref"]}], **{name: each for name, each in schema.items() if name != "$ref"}}


def _messages(contract: Contract) -> list[type[BaseModel]]:
    taken = [*contract.updates.values(), *contract.signals.values(), *contract.queries.values()]
    sides = [side for each in taken for side in (each.takes, each.gives)]
    return [contract.request, contract.result, *(side for side in sides if side)]


def _mode(message: type[Any]) -> JsonSchemaMode:
    return "validation" if issubclass(message, Input) else "serialization"


def _map(contract: Contract) -> Schema:
    return {
        "title": f"{contract.name}Workflow",
        "description": contract.summary,
        **_object(
            {
                "request": _ref(contract.request.__name__),
                "result": _ref(contract.result.__name__),
                "queries": _types({name: each.gives for name, each in contract.queries.items()}),
                "updates": _types({name: each.takes for name, each in contract.updates.items()}),
                "signals": _types({name: each.takes for name, each in contract.signals.items()}),
            }
        ),
    }


def _types(named: Mapping[str, type[BaseModel] | None]) -> Schema:
    return _object({name: _ref(each.__name__) for name, each in named.items() if each})


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"{_REF}{name}"}
