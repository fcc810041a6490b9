"""P6, shown: the whole demo with marked personal data, and then a search for every mark in every place.

The search itself is shown to work: what is put into each place past its guard is found there.
"""

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

import starter.demo.run as demo
from starter.codec_server import development_settings, ui_endpoint
from starter.codec_server import running as codec_server
from starter.connection import connect
from starter.demo.run import opened_theatre, play_all
from starter.settings import Settings
from starter.stack import Stack, embedded_stack, ports
from starter.stack.state_folder import StateFolder
from starter.vault import key_provider
from tests.privacy.marks import Mark, mark_the_demo
from tests.privacy.places import Watched, files_of_postgres, of_temporal, of_the_web_ui, plant, told
from tests.privacy.searching import found
from workflows.messages.converter import data_converter
from workflows.messages.search_attributes import declarations

if TYPE_CHECKING:
    from playwright.async_api import Page

MARKS = [str(each) for each in Mark]
UNGUARDED = "羴羴未加密"
"""Put into each place past its guard."""
ENCRYPTED = "麤麤已加密"
"""Sent to Temporal as carelessly, but through the codec."""
IN_TEMPORAL = {"Temporal's database", "histories", "visibility"}
OF_THE_PROCESS = {"worker log", "spans", "metrics"}


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_demo_leaves_nothing_of_anybody_in_clear(
    state_dir: Path, browser_page: "Page", monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_the_demo(monkeypatch)
    watched, settings = Watched(state_dir), Settings(state_dir=state_dir, task_queue="demo", workflow_sandbox=False)
    traced = functools.partial(connect, interceptors=[watched.interceptor], runtime=watched.runtime)
    monkeypatch.setattr(demo, "connect", traced)

    keys, port = key_provider(settings), ports.choose(["codec"], StateFolder.at(state_dir).ports)["codec"]
    endpoint = ui_endpoint(port)

    with watched.logging():
        async with (
            embedded_stack(settings, search_attributes=declarations(), codec_endpoint=endpoint) as stack,
            opened_theatre(settings, stack) as theatre,
            codec_server(
                await development_settings(keys, port=port, ui_address=stack.ui_address),
                keys,
                theatre.pool,
                theatre.aftersales.vault,
            ),
        ):
            played = await play_all(theatre)
            assert all(each.found.outcome or each.found.refused for each in played)
            await _the_marks_were_in_use(theatre.pool)
            client = theatre.skipper.client
            careless = await connect(settings, target=stack.temporal_address, converter=data_converter)
            _put_past_the_guards(watched)
            await plant(careless, UNGUARDED)
            await plant(client, ENCRYPTED)
            places = {
                **await of_temporal(client, StateFolder.at(state_dir), stack.metrics_address),
                **await watched.seen(),
                "events, which webhooks tell": await _told(theatre.pool),
                "Web UI": await of_the_web_ui(browser_page, _ui(stack), client, [UNGUARDED, ENCRYPTED]),
            }
            in_postgres = await files_of_postgres(theatre.pool, state_dir)

    hits = {place: found([*MARKS, UNGUARDED, ENCRYPTED], content) for place, content in places.items()}
    assert ENCRYPTED in hits["Web UI"], "the operator's pages are decoded"
    personal = {place: marks - {UNGUARDED, ENCRYPTED} for place, marks in hits.items()}
    assert not any(personal.values()), told(personal)
    assert not [place for place in IN_TEMPORAL if ENCRYPTED in hits[place]], "the codec is a guard too"
    assert not [mark for mark in MARKS if mark.encode() in in_postgres], "the vault holds nothing in clear"
    blind = {place for place in IN_TEMPORAL | OF_THE_PROCESS | {"Web UI"} if UNGUARDED not in hits[place]}
    assert not blind, f"what was put there is not found in {blind}"


def _put_past_the_guards(watched: Watched) -> None:
    logging.getLogger("tests").warning("about %s", UNGUARDED)
    with watched.tracer.start_as_current_span("about a person", attributes={"name": UNGUARDED}):
        pass
    watched.runtime.metric_meter.create_counter("about_a_person", "a test's", "").add(1, {"name": UNGUARDED})


async def _the_marks_were_in_use(pool: asyncpg.Pool) -> None:
    """What cannot be found must have been there: in the vault, under seal."""
    counted = await pool.fetchrow(
        """
        SELECT (SELECT count(*) FROM vault.recipients) AS recipients, (SELECT count(*) FROM vault.items) AS items,
               (SELECT count(*) FROM disputes.statements) AS statements, (SELECT count(*) FROM shop.remarks) AS remarks
        """
    )
    assert counted
    assert all(counted.values()), dict(counted)


def _ui(stack: Stack) -> str:
    assert stack.ui_address
    return stack.ui_address


async def _told(pool: asyncpg.Pool) -> bytes:
    """All that others are told of the demo's cases, as it leaves us (X4)."""
    events = [row["event"].encode() for row in await pool.fetch("SELECT event FROM events.feed")]
    assert events
    return b"\n".join(events)
