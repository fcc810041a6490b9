"""As whom callers through Nexus may act, and what they are told where it does not work."""

import pytest
from nexusrpc import HandlerError, HandlerErrorType
from temporalio.api.common.v1 import Payload
from temporalio.converter import NexusSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from activities.privacy.codec import encrypting_converter
from activities.privacy.keys import FixedKeys, new_key, read_keys
from starter.errors import UnknownCase, Unreachable
from starter.nexus.handlers import AftersalesHandlers
from starter.nexus.operations import answering
from starter.nexus_endpoints import read_endpoints
from workflows.messages.actors import CLOCK, buyer, carrier, merchant, officer
from workflows.messages.converter import for_outside
from workflows.messages.nexus import AftersalesNexus, CaseNamed


def test_an_endpoint_acts_as_its_roles_and_for_its_merchants_only() -> None:
    endpoints = read_endpoints("checkout=buyer, desk=merchant+platform@m-1+m-2")
    checkout, desk = endpoints["checkout"], endpoints["desk"]

    assert [checkout.may_act_as(each) for each in (buyer("b-1"), merchant("m-1"), officer("o-1"))] == [
        True,
        False,
        False,
    ]
    assert [desk.may_act_as(each) for each in (merchant("m-2"), merchant("m-3"), officer("o-1"))] == [True, False, True]
    assert not any(each.may_act_as(who) for each in endpoints.values() for who in (carrier("sf"), CLOCK))
    assert [checkout.may_see("m-3"), desk.may_see("m-3"), desk.may_see("m-1")] == [True, False, True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("checkout", "roles"),
        ("checkout=carrier", "roles"),
        ("checkout=buyer+", "roles"),
        ("check out=buyer", "once"),
        ("a=buyer,a=merchant", "once"),
        ("a=merchant@", "ids"),
        (" , ", "at least one"),
    ],
)
def test_a_setting_that_is_written_wrongly_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_endpoints(text)


LIMIT = "cannot attach more than 32 callbacks to a workflow (32 callbacks already attached)"


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        (RPCError(LIMIT, RPCStatusCode.FAILED_PRECONDITION, b""), HandlerErrorType.RESOURCE_EXHAUSTED, False),
        (RPCError("gone", RPCStatusCode.UNAVAILABLE, b""), HandlerErrorType.UNAVAILABLE, True),
        (Unreachable("the database does not answer"), HandlerErrorType.UNAVAILABLE, True),
        (TimeoutError(), HandlerErrorType.UNAVAILABLE, True),
        (UnknownCase("refund/o-1/r-1"), HandlerErrorType.NOT_FOUND, False),
    ],
)
def test_only_what_may_come_right_is_tried_again(error: Exception, kind: HandlerErrorType, again: bool) -> None:
    with pytest.raises(HandlerError) as told, answering():
        raise error

    assert (told.value.type, told.value.retryable) == (kind, again)


def test_each_operation_is_carried_out() -> None:
    declared = set(AftersalesNexus.__annotations__)

    assert declared == {name for name in vars(AftersalesHandlers) if not name.startswith("_")}


async def test_what_goes_to_another_namespace_is_in_clear_and_nothing_else() -> None:
    converter = encrypting_converter(FixedKeys(read_keys(new_key("k"))))
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"{}")
    outside = for_outside(CaseNamed(case="refund/o-1/r-1")).payload
    nexus = converter.with_context(NexusSerializationContext("checkout", "Aftersales", "view"))
    assert converter.payload_codec
    assert nexus.payload_codec

    sealed, told = await converter.payload_codec.encode([plain, outside])

    assert (sealed.metadata["encoding"], told) == (b"binary/aes-256-gcm", outside)
    assert await nexus.payload_codec.encode([plain]) == [plain]


async def test_an_error_tells_another_namespace_nothing_of_its_cause() -> None:
    from temporalio.api.failure.v1 import Failure

    converter = encrypting_converter(FixedKeys(read_keys(new_key("k"))))
    failure = Failure()
    try:
        raise HandlerError("internal", type=HandlerErrorType.INTERNAL) from ValueError("张三丰")
    except HandlerError as error:
        converter.failure_converter.to_failure(error, converter.payload_converter, failure)

    assert failure.message == "internal"
    assert not failure.HasField("cause")
    assert "张三丰" not in str(failure)
    assert not failure.stack_trace
