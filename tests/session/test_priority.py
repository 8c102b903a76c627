"""What people ask in cells and panels goes before what programs await."""

from __future__ import annotations

import asyncio
import threading

from nbconvo.services import ChatService
from nbconvo.session import Session, workspace


def queued() -> int:
    return sum(account.limits.queued for account in workspace.accounts())


async def test_an_ask_of_a_person_goes_before_those_that_a_program_awaits(provider):
    service = ChatService(base_url=provider.base_url, name="lab", max_concurrent=1)
    goes_on = threading.Event()
    provider.reply("first", deltas=2, hold=goes_on)
    rows = [
        asyncio.create_task(Session(service=service, model="m").ask(f"row {row}"))
        for row in range(6)
    ]
    while queued() < 5:
        await asyncio.sleep(0.001)
    person = Session(service=service, model="m")
    asked = person.asking.start(person.asking.prepare("person"))
    while queued() < 6:
        await asyncio.sleep(0.001)
    goes_on.set()
    await asyncio.gather(asked.wait(), *rows)
    said = [request.json["messages"][-1]["content"] for request in provider.requests]
    assert said == ["row 0", "person", *(f"row {row}" for row in range(1, 6))]
