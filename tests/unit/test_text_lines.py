"""Text files are cut at newlines and nowhere else."""

import json
from pathlib import Path

import pytest

from activities.privacy.keys import new_key, read_keys
from starter.commands.failures import UsageError
from starter.commands.request_lines import Line, lines_of
from starter.commands.text_lines import lines_in

CUT_BY_PYTHON = ("\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""What ``str.splitlines`` takes for the end of a line."""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_each_record_is_one_line_whatever_stands_in_it(tmp_path: Path, ending: str) -> None:
    records = [{"street": f"路{character}7号"} for character in CUT_BY_PYTHON if character >= "\x80"]
    file = tmp_path / "orders.jsonl"
    file.write_bytes("".join(json.dumps(each, ensure_ascii=False) + ending for each in records).encode())

    assert [json.loads(line) for line in lines_in(file, "FILE") if line.strip()] == records


def test_a_byte_order_mark_belongs_to_no_line(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}\n{"a": 2}')

    assert lines_in(file, "FILE") == ['{"a": 1}', '{"a": 2}']


@pytest.mark.parametrize("content", [b"\xff\xfe{\x00", "姓名".encode("gb18030")], ids=["utf-16", "gb18030"])
def test_another_encoding_is_refused_and_not_guessed(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(content)

    with pytest.raises(UsageError, match="UnicodeDecodeError"):
        lines_in(file, "FILE")


async def test_requests_are_cut_in_the_same_way(tmp_path: Path) -> None:
    first, second = f'{{"a": "x{"".join(CUT_BY_PYTHON)}y"}}'.encode(), b'{"a": 2}'
    file = tmp_path / "requests.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + first + b"\n" + second + b"\r\n")

    with file.open("rb") as source:
        found = [line async for line in lines_of(source)]

    assert found == [Line(1, first + b"\n"), Line(2, second + b"\r\n")]


def test_a_key_rings_comment_ends_at_its_newline() -> None:
    (key,) = read_keys(f"# of the shop\u2028a note, with a comma\n{new_key('a')}\r\n")

    assert len(key.secret) == 32
