"""What a service with the light client does: run by an interpreter that has nothing else of ours."""

# pyright: basic, reportMissingImports=false

import asyncio
import importlib
import importlib.util
import json
import os
import sys
from typing import Any


def ours_in_sight() -> list[str]:
    """What of our server's packages can be imported at all."""
    names = ("asyncpg", "aiohttp", "sqlalchemy", "pydantic_settings", "opentelemetry", "iso4217", "jwt", "holidays")
    return [name for name in names if importlib.util.find_spec(name)]


async def ten_lines(lines: str) -> dict[str, Any]:
    """The lines of the page on the client."""
    said: dict[str, Any] = {}
    indented = "\n".join(f"    {line}" for line in lines.splitlines())
    exec(f"async def played(said):\n{indented}\n    said.update(view=view, outcome=outcome)", globals())
    await globals()["played"](said)
    return {
        "decided": said["view"].stage in ("paying", "settling", "closed"),
        "outcome": said["outcome"].outcome,
        "refunded": str(said["outcome"].refunded),
    }


async def without_a_key(words: dict[str, str]) -> dict[str, Any]:
    """Encrypted by a codec server, in every call that a service makes."""
    from aftersales import connected, errors
    from aftersales.messages.actors import buyer, merchant
    from aftersales.messages.commands import Approve, Withdraw

    said: dict[str, Any] = {}
    request = {
        "request_key": "k-1",
        "order_no": words["order"],
        "merchant_id": words["merchant"],
        "buyer_id": words["buyer"],
        "lines": [{"line": "1", "quantity": 1, "amount": 4000}],
        "reason": "no_longer_wanted",
    }
    async with connected() as aftersales:
        case = await aftersales.open_refund(request)
        said["asked"] = str((await case.view()).asked)
        said["again"] = (await aftersales.open_refund(request)).existed
        for name, wrong in (
            ("another body", request | {"reason": "other"}),
            ("another's order", request | {"request_key": "k-2", "buyer_id": "b-another"}),
            ("a wrong field", request | {"request_key": "k-3", "reason": "whim"}),
        ):
            try:
                await aftersales.open_refund(wrong)
            except errors.RefusedRequest as refused:
                said[name] = [refused.refusal.code, refused.refusal.field]
        for name, command in (
            ("stranger", Approve(key="a-1", by=merchant("m-another"))),
            ("withdrawn", Withdraw(key="w-1", by=buyer(words["buyer"]))),
            ("the same again", Withdraw(key="w-1", by=buyer(words["buyer"]))),
            ("too late", Approve(key="a-2", by=merchant(words["merchant"]))),
            ("a stranger too late", Approve(key="a-3", by=merchant("m-another"))),
        ):
            try:
                said[name] = (await case.act(command)).outcome
            except errors.RefusedCommand as refused:
                said[name] = [refused.refusal.code, refused.view is not None]
        said["outcome"] = (await case.outcome()).outcome
        try:
            await aftersales.case("refund/o-nobody/k-1").view()
        except errors.UnknownCase as unknown:
            said["unknown"] = str(unknown)
    return said


async def main() -> None:
    words = json.loads(sys.stdin.read())
    said: dict[str, Any] = {"in sight": ours_in_sight()}
    os.environ.update(words["with a key"])
    said["ten lines"] = await ten_lines(words["lines"])
    for name in words["with a key"]:
        if name.startswith("AFTERSALES_"):
            del os.environ[name]
    os.environ.update(words["with a codec server"])
    said["without a key"] = await without_a_key(words["case"])
    said["theirs"] = [importlib.import_module(name).WHOSE for name in ("workflows", "activities", "starter", "worker")]
    print(json.dumps(said))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
