"""``aftersales quote``: what a shopper may ask for, from our own books and with the client's own rights (G5)."""

from pathlib import Path

from tests.cli.shell import Shell
from tests.cli.test_cases import loaded, order


async def test_a_quote_of_an_order(worker_process: Shell, tmp_path: Path) -> None:  # G5
    bought = await loaded(worker_process, tmp_path, "orders", order())

    found = await worker_process.json("quote", bought["order_no"])
    page = await worker_process.run("quote", bought["order_no"])
    unknown = await worker_process.run("quote", "nobody")

    paid = sum(line["paid"] for line in bought["lines"])
    refunds = [each for each in found["options"] if each["asked"] == "refund" and not each["refusal"]]
    assert {sum(line["amount"] for line in each["lines"]) for each in refunds} == {paid}
    assert {each["refusal"]["code"] for each in found["options"] if each["asked"] == "return"} == {"not_shipped"}
    assert "no_longer_wanted" in page.out
    assert unknown.code == 4
    assert "order_no" in unknown.err
