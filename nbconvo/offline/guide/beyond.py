"""What the guide knows of tools, structured replies, images and files."""

from __future__ import annotations

from nbconvo.offline.guide.topic import Topic

__all__ = ["BEYOND"]

BEYOND = (
    Topic(
        "tools",
        ("--tools", "--confirm", "tools=", "tool call", "tool calls", "function calling"),
        ("tool", "tools"),
        """\
A model may call functions of yours that you name, and no others:

```
%%ask NAME --tools weather --confirm
Shall I take an umbrella to Oslo?
```

`weather` is a function in this notebook with annotated arguments; `--confirm` asks you before \
each call. I call none. Without a model `offline:echo` plays it: a line that is a call is made.

```
%%ask --model offline:echo --tools weather
weather(city="Oslo")
```""",
    ),
    Topic(
        "schema",
        ("--schema", "schema=", "structured reply", "structured replies", "structured output"),
        ("schema", "pydantic", "dataclass", "structured", ".parsed"),
        """\
A reply can be an object: a dataclass, a pydantic model, a TypedDict or a JSON Schema.

```
%%ask NAME --schema Joke --to joke
A joke about an octopus.
```

`joke.parsed` is a `Joke` then. I fill in none. Without a model `--model offline:echo` does, with \
the JSON in the cell, else with the least that fits.""",
    ),
    Topic(
        "images",
        ("--image", "--file", "images=", "files="),
        ("image", "images", "picture", "pictures", "pdf", "screenshot"),
        """\
Images and files go along with a cell's words:

```
%%ask NAME --image plot.png --file paper.pdf
Does the plot show what the paper says?
```

`--image` takes a path, an address, a variable that holds a picture or a figure, or `Out[3]`. It \
takes a model to look at them; `--model offline:echo` tells what came, such as \
`[image/png, 640 × 400]`.""",
    ),
)
