"""What people ask in cells and panels goes before what programs await."""

from __future__ import annotations

import asyncio
import threading

from nbconvo.services import ChatService
from nbconvo.session import Session, workspace


async def until_queued(count: int) -> None:
    while sum(account.limits.queued for account in workspace.accounts()) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_an_ask_of_a_person_goes_before_those_that_a_program_awaits(provider):
    service = ChatService("sk-test-0000", provider.base_url, max_concurrent=1)
    goes_on = threading.Event()
    provider.reply("first", deltas=2, hold=goes_on)
    rows = [
        asyncio.create_task(Session(service=service, model="m").ask(f"row {row}"))
        for row in range(6)
    ]
    await until_queued(5)
    person = Session(service=service, model="m")
    asked = person.asking.start(person.asking.prepare("person"))
    await until_queued(6)
    goes_on.set()
    await asyncio.gather(asked.wait(), *rows)
    said = [request.json["messages"][-1]["content"] for request in provider.requests]
    assert said == ["row 0", "person", *(f"row {row}" for row in range(1, 6))]
