"""Secrets of subscriptions at rest: nothing in plain text, keys that are replaced, and rows from before."""

import asyncio
import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import Connection, text

from services.notify.domain.identity import hash_token
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.sql.names import SqlNames
from services.notify.sql.seal_anew import holds_sealed, seal_anew
from services.notify.sql.subscriptions import SqlSubscriptions
from services.platform.db.engine import Database
from services.platform.db.migrate import config, upgrade
from services.platform.paging import PageQuery
from services.platform.security.sealing import Sealer
from services.platform.settings.config import SettingsError, embedded_url
from services.start import serve_command
from tests.component.notify.running import running_notify
from tests.parts.mail import Mailbox
from tests.parts.receiver import Answer, Receiver
from tests.unit.notify.samples import ALERT

OLD, NEW = b"o" * 32, b"n" * 32
SECRET, TOKEN, NONCE = "whsec_c2VjcmV0IG9mIGEgd2ViaG9vaw==", "token-that-ends-it", "nonce-that-proves-it"
URL = "https://user:pass-word@hooks.example.org/T0000/B0000/XXXX"
SUBSCRIPTION = Subscription(
    "sub_1", "desk", Draft(Webhook(URL), contact="someone@example.org"), "pending", 1, secrets=((SECRET, None),),
    nonce=NONCE, nonce_until=2**60, token=TOKEN,
)  # fmt: skip
HIDDEN = (SECRET, TOKEN, NONCE, URL, "pass-word", "someone@example.org")


def nothing(_connection: Any) -> None:
    return None


def stored(database: Database) -> bytes:
    """All that the tables hold, as it is stored."""
    with database.engine.connect() as connection:
        names = connection.dialect.get_table_names(connection)
        rows = [tuple(row) for name in names for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
    return repr([tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]).encode()


async def keep(database: Database, key: bytes) -> None:
    await SqlSubscriptions(database, Sealer([key])).add(SUBSCRIPTION, [], nothing)


async def test_the_tables_hold_no_secret_in_plain_text_and_give_it_back(database: Database) -> None:
    await keep(database, OLD)
    assert [secret for secret in HIDDEN if secret.encode() in stored(database)] == []
    store = SqlSubscriptions(database, Sealer([OLD]))
    loaded = await store.load("sub_1")
    assert (loaded.draft, loaded.secrets, loaded.nonce, loaded.token) == (
        SUBSCRIPTION.draft, SUBSCRIPTION.secrets, NONCE, TOKEN,
    )  # fmt: skip
    for found in (await store.find(token=TOKEN), await store.find(nonce=NONCE)):
        assert found == loaded
    assert await store.find(token="another") is None
    assert await SqlNames(database, Sealer([NEW, OLD])).subscriptions_at(URL, None) == ["sub_1"]


async def test_with_a_new_key_in_front_everything_is_sealed_anew_and_the_old_one_may_go(database: Database) -> None:
    await keep(database, OLD)
    assert await seal_anew(database, Sealer([OLD, NEW])) == 0
    assert await seal_anew(database, Sealer([NEW, OLD])) == 1
    assert await seal_anew(database, Sealer([NEW])) == 0
    assert (await SqlSubscriptions(database, Sealer([NEW])).load("sub_1")).secrets == SUBSCRIPTION.secrets
    assert await SqlNames(database, Sealer([NEW])).subscriptions_at(URL, None) == ["sub_1"]


async def test_a_wrong_key_is_told_and_changes_nothing(database: Database) -> None:
    await keep(database, OLD)
    before = stored(database)
    with pytest.raises(SettingsError, match=r"encrypted 1 of 1 subscriptions: TRUCEWATCH_SECRET_KEY must hold that"):
        await seal_anew(database, Sealer([NEW]))
    assert stored(database) == before


async def test_a_damaged_row_does_not_keep_the_others_from_being_read(database: Database) -> None:
    await keep(database, OLD)

    def copy(connection: Connection) -> None:
        columns = "owner, version, state, sealed, target_hash, created_at, reason, token_hash"
        moved = f"INSERT INTO subscriptions (id, {columns}) SELECT 'sub_2', {columns} FROM subscriptions"
        connection.execute(text(moved))

    await database.write(copy)
    store = SqlSubscriptions(database, Sealer([OLD]))
    _, found, _ = await store.changed_since(0)
    assert [s.id for s in found] == ["sub_1"]
    assert [s.id for s in await store.page(None, PageQuery())] == ["sub_1"]


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def shown(directory: Path, secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Which file shows which secret."""
    return [(name, s) for name, content in files(directory).items() for s in secrets if s.encode() in content]


def upgrade_to_plain(database: Database) -> None:
    """The tables as they were, with a webhook and a mailbox that are to be proved."""
    with database.engine.connect() as connection, connection.begin():
        command.upgrade(config(connection), "0002")
        channels = ({"type": "webhook", "url": URL}, {"type": "email", "to": "a@example.org"})
        for id, channel in zip(("hook", "mail"), channels, strict=True):
            row = {
                "id": id, "draft": json.dumps({"channel": channel}).encode(), "token": f"{id}-{TOKEN}",
                "target": channel.get("url") or channel.get("to"),
                "secrets": json.dumps([[SECRET, None]]).encode(),
                "nonce": f"hook-{NONCE}" if id == "hook" else hash_token(f"mail-{NONCE}"),
                "content": json.dumps({"challenge": f"{id}-{NONCE}"}).encode(),
                "kind": "challenge" if id == "hook" else "confirm",
            }  # fmt: skip
            connection.execute(
                text(
                    "INSERT INTO subscriptions VALUES (:id, 'desk', 1, 'pending', :draft, :target, 1, NULL, :secrets,"
                    " :nonce, 4000000000000000, NULL, '', :token)"
                ),
                row,
            )
            connection.execute(
                text(
                    "INSERT INTO deliveries VALUES (:id, :id, :id, :kind, NULL, 0, '', 'pending', 1, 1, NULL, 0, 0,"
                    " NULL, NULL, :content)"
                ),
                row,
            )


async def test_rows_from_before_are_encrypted_and_still_prove_and_end(database_url: str) -> None:
    database, sealer = Database(database_url), Sealer([OLD])
    upgrade_to_plain(database)
    assert NONCE.encode() in stored(database)
    upgrade(database.engine)
    assert not await holds_sealed(database)
    assert await seal_anew(database, sealer) == 2
    assert await holds_sealed(database)
    assert [secret for secret in HIDDEN if secret.encode() in stored(database)] == []
    store = SqlSubscriptions(database, sealer)
    for id in ("hook", "mail"):
        loaded = await store.find(nonce=f"{id}-{NONCE}")
        assert loaded is not None
        assert (loaded.id, loaded.nonce, loaded.secrets) == (id, f"{id}-{NONCE}", ((SECRET, None),))
        assert await store.find(token=f"{id}-{TOKEN}") == loaded
        assert await SqlNames(database, sealer).subscriptions_at(loaded.target, None) == [id]
    await database.close()


async def test_the_file_holds_nothing_in_plain_text_after_rows_from_before_were_encrypted(tmp_path: Path) -> None:
    database = Database(embedded_url(tmp_path))
    upgrade_to_plain(database)
    assert shown(tmp_path, [SECRET]) != []
    upgrade(database.engine)
    await seal_anew(database, Sealer([OLD]))
    assert shown(tmp_path, HIDDEN) == []
    await database.close()


async def test_the_files_of_a_running_service_hold_no_secret_in_plain_text(
    tmp_path: Path, receiver: Receiver, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, smtp_url=smtp.url) as notify:
        hook = await notify.subscribe(name="Desk", channel={"type": "webhook", "url": receiver.url("/hidden-path")})
        await notify.call("POST", "/v1/subscriptions", {"channel": {"type": "email", "to": "hidden@example.org"}})
        await notify.settle()
        (letter,) = await smtp.arrived(1, 5, "hidden@example.org")
        part = letter.message.get_body(("plain",))
        assert part is not None
        token = part.get_content().split("confirm?token=", 1)[1].split()[0]
        rotated = await notify.call("POST", f"/v1/subscriptions/{hook['id']}/rotate-secret")
        hidden = [hook["secret"], rotated.json()["secret"], token, "/hidden-path"]
        secrets = {s.token for s in notify.service.state["directory"].subscriptions.values()}
        assert {"notify.db", "notify.db-wal"} <= set(files(tmp_path))
        assert shown(tmp_path, [*hidden, *secrets]) == []


async def test_a_notice_to_the_contact_address_does_not_keep_it_in_plain_text(
    tmp_path: Path, receiver: Receiver, smtp: Mailbox
) -> None:
    async with running_notify(tmp_path, smtp_url=smtp.url) as notify:
        hook = {"type": "webhook", "url": receiver.url("/gone")}
        await notify.subscribe(name="Desk", channel=hook, contact="owner@example.org")
        await notify.confirm(smtp, "owner@example.org")
        smtp.forget()
        receiver.answer("/gone", Answer(status=410))
        await notify.push(ALERT)
        await notify.settle()
        assert len(smtp.letters("owner@example.org")) == 1
        assert shown(tmp_path, ["owner@example.org"]) == []


def test_a_service_with_a_wrong_key_says_so_in_one_sentence_and_ends_with_2(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    database = Database(embedded_url(data))
    upgrade(database.engine)
    Path(data / "trucewatch.lock").touch()

    async def prepare() -> None:
        await keep(database, OLD)
        await database.close()

    asyncio.run(prepare())
    wrong = base64.b64encode(NEW).decode()
    for env, sentence in (({"TRUCEWATCH_SECRET_KEY": wrong}, "the secret key is not the one"), ({}, "is missing and")):
        ended = CliRunner().invoke(serve_command, ["--data", str(data), "--port", "0"], env=env)
        assert ended.exit_code == 2, ended.output
        assert sentence in ended.output
        assert len(ended.output.splitlines()) == 1
