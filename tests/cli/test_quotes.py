"""``aftersales quote``: what a shopper may ask for, from our own books and with the client's own rights (G5)."""

from pathlib import Path

from tests.cli.shell import Shell
from tests.cli.test_cases import asks, loaded, order, written_down


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
    assert page.out.count("not as return: nothing has been sent yet (T1)") == 1, "reasons alike stand together"
    assert page.out.count("after 2 d: 自动退款") == 1
    assert unknown.code == 4
    assert "order_no" in unknown.err


async def test_lists_of_what_can_be_asked_and_disputed(worker_process: Shell, tmp_path: Path) -> None:  # G5, D1, R9
    shell, bought = worker_process, order()
    await loaded(shell, tmp_path, "orders", bought)
    case = await written_down(shell, *asks(bought, "10"))
    of_buyer, of_merchant = f"buyer:{bought['buyer_id']}", f"merchant:{bought['merchant_id']}"

    mine = await shell.json("askable", "--of", of_buyer)
    its = await shell.json("askable", "--of", of_merchant)
    quoted = await shell.json("quote", bought["order_no"], "--by-merchant")
    disputable = await shell.json("disputable", "--of", of_buyer)
    page = (await shell.run("askable", "--of", of_buyer)).out
    why_not = (await shell.run("disputable", "--of", of_merchant)).out
    other = order(buyer_id=bought["buyer_id"])
    await loaded(shell, tmp_path, "orders", other)
    bare = await shell.json("disputable", "--of", of_buyer, "--only", "orders")
    both = (await shell.run("disputable", "--of", of_buyer)).out
    wrong = await shell.run("askable", "--of", "platform:o-1", "--json")

    assert [each["order_no"] for each in mine["orders"]] == [bought["order_no"]]
    assert {way["asked"] for way in its["orders"][0]["ways"]} == {"merchant_refund"}
    assert {each["asked"] for each in quoted["options"]} == {"merchant_refund"}
    assert [(each["case_id"], each["refusal"]["code"]) for each in disputable["cases"]] == [(case, "not_open")]
    assert bought["order_no"] in page
    assert "no_longer_wanted" in page
    assert "open_dispute is not open" in why_not
    assert [(each["order_no"], each["refusal"]) for each in bare["orders"]] == [(other["order_no"], None)]
    assert bare["cases"] == []
    assert "100.00 CNY (L1 × 2)" in both
    whose = ("--order", other["order_no"], "--merchant", other["merchant_id"], "--buyer", other["buyer_id"])
    dispute = await written_down(shell, "open", "dispute", *whose, "--line", "L1:2:100", "--why", "other")
    assert (await shell.json("show", dispute))["asked"]["amount"] == 10_000, "what was listed opens"
    assert (wrong.code, wrong.failure["field"]) == (2, "whose"), wrong.err
