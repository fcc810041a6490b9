"""What may cross a border: nothing personal (P6), nothing mutable, no money but whole minor units (section 10)."""

import difflib
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import workflows.messages
from workflows.messages.actors import merchant
from workflows.messages.cases import Refusal
from workflows.messages.commands import Amend, Approve, Command, Reject, RejectReason
from workflows.messages.message import CaseId, Code, Identifier, Input, Message, Reference, Sha256
from workflows.messages.money import Money
from workflows.messages.problems import MOST_TOLD, problems
from workflows.messages.requests import LineAmount, MerchantRefundRequest, RefundReason, RefundRequest
from workflows.rules.admission import read

OUR_OWN_WORDS = frozenset(
    {
        "explanation",  # written by us, without data
        "no_deadline_because",
        "rule",
        "field",
        "name",  # of a fund's part
        "fund",
        "case_id",
        "run_id",
        "calendar",
        "policy",
        "command_key",
        "command_digest",
        "handed_over_to",
        "after",  # refund numbers, to page on from
        "next_after",
    }
)
"""Text fields that only our own code fills."""


def every_model() -> Iterator[type[BaseModel]]:
    for module in pkgutil.iter_modules(workflows.messages.__path__):
        for value in vars(importlib.import_module(f"workflows.messages.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Message | Input):
                yield value


def name_of(model: type[BaseModel]) -> str:
    return model.__name__


MODELS = sorted(set(every_model()), key=name_of)
INPUTS = [model for model in MODELS if issubclass(model, Input)]


def free_texts(schema: dict[str, Any]) -> Iterator[str]:
    """Properties that take any text: no pattern, no list of values, no format."""
    for owner in (schema, *schema.get("$defs", {}).values()):
        for name, each in owner.get("properties", {}).items():
            for option in each.get("anyOf", [each]):
                closed = {"pattern", "enum", "const", "format"} & option.keys()
                if option.get("type") == "string" and not closed:
                    yield name


@pytest.mark.parametrize("model", INPUTS, ids=name_of)
def test_nobody_can_send_free_text(model: type[BaseModel]) -> None:  # P6
    assert set(free_texts(model.model_json_schema())) == set()


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_we_tell_codes_and_our_own_words_only(model: type[BaseModel]) -> None:  # P6
    assert set(free_texts(model.model_json_schema())) <= OUR_OWN_WORDS


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_messages_are_frozen_and_keep_inputs_out_of_their_errors(model: type[BaseModel]) -> None:
    assert model.model_config.get("frozen")
    assert model.model_config.get("hide_input_in_errors")


def test_an_error_never_repeats_what_was_sent() -> None:  # P6
    with pytest.raises(ValidationError) as wrong:
        Approve.model_validate({"key": "王小明 13800000000", "by": merchant("m-1")})

    assert not re.search("王小明|13800000000", str(wrong.value))


def test_a_misspelt_field_is_an_error_that_names_it() -> None:
    with pytest.raises(ValidationError) as wrong:
        Approve.model_validate({"key": "k", "by": merchant("m-1"), "reson": "x"})

    assert wrong.value.errors()[0]["loc"] == ("reson",)


@pytest.mark.parametrize(
    ("kind", "meant"),
    [(Identifier, "an id of"), (CaseId, "a case's id"), (Code, "a code of"), (Reference, "a reference")],
)
def test_a_text_of_another_form_is_told_which_is_meant(kind: Any, meant: str) -> None:  # section 11
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(kind).validate_python("张三 called")

    (told,) = problems(wrong.value)

    assert told.reason.startswith(f"must be {meant}")
    assert "^" not in told.reason, "and no pattern"


def test_what_is_wrong_is_looked_at_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:  # section 11
    """A workflow task has two seconds; a message of a million unknown fields would take hours, again and again."""
    compared: list[str] = []

    def close(word: str, known: Sequence[str], **how: Any) -> list[str]:
        compared.append(word)
        return close_matches(word, known, **how)

    close_matches: Callable[..., list[str]] = difflib.get_close_matches
    monkeypatch.setattr(difflib, "get_close_matches", close)
    unknown = {f"reson{number}": 1 for number in range(MOST_TOLD * 3)}

    refused = read([{"key": "k", "by": merchant("m-1").model_dump(), **unknown}], Approve)
    with pytest.raises(ValidationError) as wrong:
        Approve.model_validate({"key": "k", "by": merchant("m-1"), **unknown, "r" * 10**6: 1})
    (first, more) = problems(wrong.value)

    assert isinstance(refused, Refusal)
    assert (refused.field, "perhaps reason" in refused.explanation) == ("?", True)
    assert (str(first), str(more)) == (f"?: {refused.explanation}", f"the message: {MOST_TOLD * 2 + 1} more findings")
    assert len(compared) <= MOST_TOLD * 2


@pytest.mark.parametrize("amount", [1.0, "100", True, -1, 10**15 + 1])
def test_an_amount_is_a_whole_number_of_minor_units(amount: Any) -> None:  # section 10
    with pytest.raises(ValidationError) as wrong:
        LineAmount.model_validate({"line": "1", "quantity": 1, "amount": amount})

    assert wrong.value.errors()[0]["loc"] == ("amount",)


@pytest.mark.parametrize("model", [RefundRequest, MerchantRefundRequest, Amend], ids=name_of)
def test_a_line_stands_once_in_a_request(model: type[BaseModel]) -> None:  # R8
    line = {"line": "1", "quantity": 1, "amount": 1}
    with pytest.raises(ValidationError, match="R8"):
        model.model_validate({"lines": [line, line], "reason": RefundReason.OTHER})


@pytest.mark.parametrize("attachments", [0, 21])
def test_a_rejection_has_attachments_and_not_without_end(attachments: int) -> None:  # R2, D6
    attachment = {"uri": "vault:e/1", "media_type": "image/png", "bytes": 1, "sha256": "1" * 64}
    with pytest.raises(ValidationError) as wrong:
        Reject.model_validate(
            {
                "key": "k",
                "by": merchant("m-1"),
                "reason": RejectReason.OTHER,
                "evidence": [attachment] * attachments,
            }
        )

    assert wrong.value.errors()[0]["loc"] == ("evidence",)


@pytest.mark.parametrize(
    ("money", "printed"),
    [
        (Money(amount=7_200, currency="CNY"), "72.00 CNY"),
        (Money(amount=5, currency="CNY"), "0.05 CNY"),
        (Money(amount=1_200, currency="JPY"), "1200 JPY"),
        (Money(amount=1_234, currency="KWD"), "1.234 KWD"),
        (Money(amount=12_345, currency="CLF"), "1.2345 CLF"),
        (Money(amount=1_200, currency="UYI"), "1200 UYI"),
        (Money(amount=1_200, currency="ABC"), "12.00 ABC"),
        (Money(amount=1_200, currency="XAU"), "12.00 XAU"),
    ],
)
def test_amounts_in_print(money: Money, printed: str) -> None:
    assert str(money) == printed


@pytest.mark.parametrize(
    ("kind", "placeholder", "real"),
    [
        (Identifier, "SF-replace-me", "SF-1"),
        (Identifier, "Replace_Me", "officer-1"),
        (CaseId, "refund/replace-me/k", "refund/o-1/k"),
        (Code, "replace_me", "goods_lost"),
        (Reference, "ticket:m-1/replace-me", "ticket:m-1/7"),
        (Reference, "vault:evidence/REPLACE_ME", "vault:evidence/7"),
        (Sha256, "0" * 64, "0" * 63 + "1"),
    ],
)
def test_what_stands_in_examples_is_taken_for_nothing(kind: Any, placeholder: str, real: str) -> None:  # section 12
    types = TypeAdapter[str](kind)

    assert types.validate_python(real) == real
    with pytest.raises(ValidationError, match="placeholder of an example: put in its place what is true"):
        types.validate_python(placeholder)


def test_every_command_has_a_name_of_its_own() -> None:
    def below(kind: type[Command]) -> Iterator[type[Command]]:
        for each in kind.__subclasses__():
            if each.__module__.startswith("workflows."):
                yield each
                yield from below(each)

    names = [kind.command_name() for kind in below(Command)]

    assert len(set(names)) == len(names)
    assert {"approve", "reject", "retain", "submit_evidence", "pay_in_advance"} <= set(names)
