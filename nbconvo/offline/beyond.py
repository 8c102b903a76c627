"""What the models that have only words say of tools, schemas, images and files. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nbconvo.offline.heard import asked, brief, enclosed
from nbconvo.offline.least import least
from nbconvo.offline.offer import Offer
from nbconvo.specs import ToolSpec
from nbconvo.spelling import called

__all__ = ["echo_cell", "example", "named"]


def named(messages: Sequence[Mapping[str, Any]], offer: Offer) -> str:
    """Name what came beside words, such as "the tool `weather`"; empty if nothing did."""
    tools = [f"`{name}`" for name in offer.callable]
    things = [f"the tool{'s' * (len(tools) > 1)} {', '.join(tools)}"] if tools else []
    if offer.schema is not None:
        things.append(f"the schema `{offer.schema.name}`")
    things += [brief(thing) for thing in enclosed(messages)]
    return " and ".join(filter(None, ["; ".join(things[:-1]), *things[-1:]]))


def echo_cell(messages: Sequence[Mapping[str, Any]], offer: Offer) -> str:
    """Return the cell in which ``echo`` plays it."""
    tools, things = offer.callable, enclosed(messages)
    images = [thing for thing in things if thing.startswith(("image/", "image at "))]
    line = ["%%ask --model offline:echo"]
    line += [f"--tools {','.join(tools)}"] if tools else []
    line += [f"--schema {offer.schema.name}"] if offer.schema is not None else []
    line += ["--image IMAGE"] * len(images) + ["--file FILE"] * (len(things) - len(images))
    says = brief(asked(messages)) or "Look."
    for tool in list(tools.values())[:1]:
        says = example(tool)
    return f"```\n{' '.join(line)}\n{says}\n```"


def example(tool: ToolSpec) -> str:
    """Return the call of a tool with the least that it takes, as code."""
    return called(tool.name, json.dumps(least(tool.parameters, "...")))
