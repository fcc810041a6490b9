"""The key ring: reading it, finding a key by its id, and taking up a changed file."""

import base64
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from activities.gateways.kits.keys import Ground, promises, run
from activities.gateways.kits.promise import Promise
from activities.privacy import keys
from activities.privacy.keys import FileKeys, FixedKeys, Key, KeyRingError, UnknownKey, new_key, read_keys, unique_id

SECRET = base64.b64encode(b"s" * 32).decode()


async def test_the_first_key_is_current_and_all_are_found_by_their_ids() -> None:
    ring = FixedKeys(read_keys(f"# ours\n new:{SECRET}, old:{base64.b64encode(b'o' * 32).decode()}\n"))
    assert (await ring.current()).id == "new"
    assert (await ring.named("old")).secret == b"o" * 32
    with pytest.raises(UnknownKey, match="'older'"):
        await ring.named("older")


@pytest.mark.parametrize(
    ("ring", "reason"),
    [
        ("", "at least one key"),
        ("# none\n", "at least one key"),
        (f"a:{SECRET},a:{SECRET}", "more than once"),
        ("a:" + base64.b64encode(b"s" * 31).decode(), "key 1 .* 32 bytes"),
        (f"a:{SECRET}\nb:{SECRET[:-1]}!", "key 2 "),
        (f"a b:{SECRET}", "key 1 "),
        (SECRET, "key 1 "),
    ],
)
def test_a_malformed_ring_is_refused_without_telling_any_of_it(ring: str, reason: str) -> None:
    with pytest.raises(KeyRingError, match=reason) as refused:
        read_keys(ring)
    assert SECRET[:8] not in str(refused.value)


def test_a_new_key_is_one_that_a_ring_takes_and_never_the_same() -> None:
    first, second = read_keys(f"{new_key('a')}\n{new_key('b')}")
    assert (first.id, len(first.secret)) == ("a", 32)
    assert first.secret != second.secret
    assert base64.b64encode(first.secret).decode() not in repr(first)


async def test_a_key_that_was_just_added_to_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(new_key("a"))
    ring = FileKeys(path)
    assert (await ring.current()).id == "a"
    path.write_text(f"{new_key('b')}\n{path.read_text()}")
    os.utime(path, ns=(1, 1))
    assert (await ring.named("b")).id == "b", "an unknown id is looked for in the file as it is now"
    assert (await ring.current()).id == "b"
    with pytest.raises(UnknownKey):
        await ring.named("c")


async def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match=f"{tmp_path}/keys cannot be read: FileNotFoundError"):
        await FileKeys(tmp_path / "keys").current()


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """A ring in a file that is looked at each time."""
    monkeypatch.setattr(keys, "_LOOK_AGAIN_SECONDS", 0)
    path = tmp_path / "ring"
    path.write_text(new_key("first"))

    async def renew() -> str:
        new_id = unique_id("kit")
        path.write_text(f"{new_key(new_id)}\n{path.read_text()}")
        os.utime(path, ns=(1, path.stat().st_size))
        return new_id

    @asynccontextmanager
    async def unreadable() -> AsyncGenerator[None]:
        path.rename(tmp_path / "elsewhere")
        yield
        (tmp_path / "elsewhere").rename(path)

    return Ground(provider=FileKeys(path), renew=renew, unreadable=unreadable)


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_a_ring_in_a_file_keeps_the_promises(promise: Promise[Ground], ground: Ground) -> None:
    await promise(ground)


async def test_a_ring_that_never_changes_keeps_the_promises() -> None:
    assert await run(Ground(provider=FixedKeys(read_keys(new_key("a"))))) == {}


class Helpful(FixedKeys):
    """Gives the current key where it does not know one."""

    async def named(self, key_id: str) -> Key:
        try:
            return await super().named(key_id)
        except UnknownKey:
            return await self.current()


class Short(FixedKeys):
    """Gives keys of 128 bits."""

    async def current(self) -> Key:
        key = await super().current()
        return Key(key.id, key.secret[:16])

    async def named(self, key_id: str) -> Key:
        key = await super().named(key_id)
        return Key(key.id, key.secret[:16])


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [(Helpful, "a_key_that_is_not_there_is_refused"), (Short, "a_key_is_as_a_ring_holds_it")],
)
async def test_a_ring_that_breaks_a_promise_is_found(wrong: type[FixedKeys], broken: str) -> None:
    found = await run(Ground(provider=wrong(read_keys(new_key("a")))))
    assert found.keys() == {broken}, found
