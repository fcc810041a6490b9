"""Contents of attachments in a store: sealed, whole or damaged, gone once their person is forgotten (D6, P6, X1)."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from temporalio.client import Client

from activities.gateways.attachment_files import AttachmentFiles
from activities.gateways.attachments import AttachmentDamaged, AttachmentStore, StoreUnreachable
from activities.gateways.attachments_s3 import S3Attachments, S3Settings
from activities.gateways.kits.attachments import Ground, promises
from activities.gateways.kits.promise import Promise
from activities.postgres.pool import open_pool
from activities.postgres.vault import OtherItemUnderKey, Vault
from starter.adapters import Alive
from starter.errors import Unreachable
from starter.privacy import AttachmentTooLarge, OtherMediaType, Privacy
from starter.settings import Settings, SettingsError
from starter.vault import attachment_store
from starter.virtual_numbers import VirtualNumbers
from tests.storage.money import open_case, some_id
from tests.storage.s3_server import s3_with
from workflows.messages.actors import officer
from workflows.messages.evidence import MAX_ATTACHMENT_BYTES, MediaType
from workflows.rules.media_types import is_of_type

OFFICER = officer("o-1")
PICTURE = b"\x89PNG\r\n\x1a\n a scratched lid"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_with("evidence") as endpoint:
        yield endpoint


def bucket(endpoint: str, name: str = "evidence") -> S3Attachments:
    key = SecretStr("k")
    return S3Attachments(S3Settings(bucket=name, endpoint=endpoint, region="us-east-1", access_key=key, secret_key=key))


@pytest.fixture(params=["files", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AttachmentStore:
    if request.param == "files":
        return AttachmentFiles(tmp_path / "attachments")
    return bucket(request.getfixturevalue("s3"))


@pytest.fixture
def ground(request: pytest.FixtureRequest, store: AttachmentStore, tmp_path: Path) -> Ground:
    if isinstance(store, S3Attachments):
        return Ground(store=store, unreachable=bucket(request.getfixturevalue("s3"), "nobodys"))
    (tmp_path / "file").write_text("no folder")
    return Ground(store=store, unreachable=AttachmentFiles(tmp_path / "file"))


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=5) as opened:
        yield opened


def kept_in(store: AttachmentStore | None, pool: asyncpg.Pool, vault: Vault, client: Client) -> Privacy:
    return Privacy(pool, Vault(vault.keys, vault.lookup_key, store), VirtualNumbers(client, "unused"))


class Down:
    """A store that does not answer."""

    async def put(self, name: str, sealed: bytes) -> None:
        raise StoreUnreachable(name)

    async def get(self, name: str) -> bytes | None:
        raise StoreUnreachable(name)

    async def delete(self, name: str) -> None:
        raise StoreUnreachable(name)


@pytest.mark.parametrize("promise", promises(), ids=str)
async def test_a_store_keeps_its_promises(promise: Promise[Ground], ground: Ground) -> None:
    await promise(ground)


async def test_a_store_gives_a_sign_of_life(store: AttachmentStore) -> None:
    assert isinstance(store, Alive)
    assert await store.ping()


async def test_a_bucket_of_others_and_a_name_out_of_the_folder(s3: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable):
        await bucket(s3, "nobodys").ping()
    with pytest.raises(ValueError, match="32 hex digits"):
        await AttachmentFiles(tmp_path).get("../secret")


async def test_a_content_is_sealed_there_read_by_who_may_and_gone_with_its_person(
    store: AttachmentStore, pool: asyncpg.Pool, vault: Vault, client: Client
) -> None:
    privacy = kept_in(store, pool, vault, client)
    case_id = (await open_case(pool)).case_id
    buyer_id = some_id("b")
    await pool.execute("UPDATE casebook.cases SET buyer_id = $2 WHERE case_id = $1", case_id, buyer_id)

    kept = await privacy.keep_attachment(case_id, "k", MediaType.PNG, PICTURE)
    again = await privacy.keep_attachment(case_id, "k", MediaType.PNG, PICTURE)
    with pytest.raises(OtherItemUnderKey):
        await privacy.keep_attachment(case_id, "k", MediaType.PNG, PICTURE + b"!")
    name = await pool.fetchval("SELECT stored_as FROM vault.items WHERE reference = $1", kept.uri)
    sealed = await store.get(name)

    assert again == kept
    assert sealed
    assert b"lid" not in sealed
    assert name not in kept.uri, "random: a reference says nothing of where it is"
    assert await privacy.read_attachment(case_id, kept.uri, OFFICER) == PICTURE
    with pytest.raises(Unreachable):
        await kept_in(None, pool, vault, client).read_attachment(case_id, kept.uri, OFFICER)
    await store.put(name, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(AttachmentDamaged):
        await privacy.read_attachment(case_id, kept.uri, OFFICER)
    await store.delete(name)
    with pytest.raises(AttachmentDamaged):
        await privacy.read_attachment(case_id, kept.uri, OFFICER)
    await store.put(name, sealed)

    with pytest.raises(Unreachable):
        await kept_in(Down(), pool, vault, client).forget(f"buyer/{buyer_id}", by=OFFICER, reason="asked")
    assert await privacy.read_attachment(case_id, kept.uri, OFFICER) is None, "the key went first"
    assert await store.get(name) == sealed
    done = await privacy.forget(f"buyer/{buyer_id}", by=OFFICER, reason="asked")
    assert done.complete
    assert await store.get(name) is None


async def test_what_a_store_has_not_taken_is_not_kept(pool: asyncpg.Pool, vault: Vault, client: Client) -> None:
    case_id = (await open_case(pool)).case_id
    key = some_id("k")

    with pytest.raises(Unreachable):
        await kept_in(Down(), pool, vault, client).keep_attachment(case_id, key, MediaType.PNG, PICTURE)
    kept = await kept_in(None, pool, vault, client).keep_attachment(case_id, key, MediaType.PNG, PICTURE)

    assert await kept_in(Down(), pool, vault, client).read_attachment(case_id, kept.uri, OFFICER) == PICTURE, (
        "what the database keeps is read there"
    )


async def test_size_and_type_are_looked_at_before_anything_is_kept(
    pool: asyncpg.Pool, vault: Vault, client: Client
) -> None:
    refuses = kept_in(Down(), pool, vault, client)

    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(MAX_ATTACHMENT_BYTES)):
        with pytest.raises(AttachmentTooLarge):
            await refuses.keep_attachment("refund/O/k", "k", MediaType.PNG, content)
    for media_type in set(MediaType) - {MediaType.PNG}:
        with pytest.raises(OtherMediaType):
            await refuses.keep_attachment("refund/O/k", "k", media_type, PICTURE)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0..JFIF", MediaType.JPEG),
        (PICTURE, MediaType.PNG),
        (b"RIFF\x10\0\0\0WEBPVP8 ", MediaType.WEBP),
        (b"\0\0\0\x18ftypheic\0\0\0\0", MediaType.HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", MediaType.HEIC),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", MediaType.MOV),
        (b"\0\0\0\x20ftypisom\0\0\2\0", MediaType.MP4),
        (b"%PDF-1.7\n", MediaType.PDF),
        ("箱子是空的".encode(), MediaType.TEXT),
    ],
)
def test_a_content_is_told_by_how_it_begins(content: bytes, media_type: MediaType) -> None:
    assert [each for each in MediaType if each is not MediaType.TEXT and is_of_type(content, each)] == (
        [media_type] if media_type is not MediaType.TEXT else []
    )
    assert is_of_type(content, media_type)
    for program in (b"MZ\x90\0", b"\x7fELF\x02", b"\0"):
        assert not is_of_type(program, media_type)


def test_settings_say_where_contents_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = "postgresql://u:p@h/d"
    assert isinstance(attachment_store(Settings(state_dir=tmp_path)), AttachmentFiles)
    assert attachment_store(Settings(state_dir=tmp_path, database_url=SecretStr(elsewhere))) is None
    monkeypatch.setenv("AFTERSALES_S3_BUCKET", "evidence")
    monkeypatch.setenv("AFTERSALES_S3_REGION", "eu-central-1")
    assert isinstance(attachment_store(Settings(attachments="s3")), S3Attachments)
    monkeypatch.setenv("AFTERSALES_FILES_FOLDER", str(tmp_path))
    assert isinstance(attachment_store(Settings(attachments="files")), AttachmentFiles)
    with pytest.raises(SettingsError, match="keeps no attachments"):
        attachment_store(Settings(attachments="builtins:object"))
