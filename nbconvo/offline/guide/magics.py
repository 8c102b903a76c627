"""What the guide knows about the magics."""

from __future__ import annotations

from nbconvo.offline.guide.topic import Topic

__all__ = ["MAGICS"]

MAGICS = (
    Topic(
        "session",
        (
            "%%session",
            "%session",
            "system prompt",
        ),
        (
            "session",
            "sessions",
            "instruction",
            "instructions",
            "participant",
        ),
        """\
`%%session NAME` makes a session; the cell's body is its instruction:

```
%%session comedian --temperature 0.9 --dir logs/comedian
As a comedian, you are sarcastically funny
```

It also takes `--service`, `--model`, `--rpm`, `--tpm`, `--max-tokens` and `--option key=value`. \
Run the cell again with other words and the session changes, its history stays. `%session` lists \
all sessions, `%session NAME` makes one current, and no name at all means `default`.""",
    ),
    Topic(
        "ask",
        (
            "%%ask",
            "%ask",
        ),
        ("ask",),
        """\
`%%ask NAME` sends the cell's body and streams the reply in below it; without a name it asks the \
current session. Two names answer side by side:

```
%%ask comedian critic
What do you think of octopuses?
```

Options: `--to VAR` keeps the reply in a variable, `--background` frees the notebook meanwhile, \
`--quiet` shows nothing, `--raw` leaves `{{...}}` alone, `--dry-run` shows what would be sent. \
`%ask NAME text` fits on one line.""",
    ),
    Topic(
        "variable",
        ("--to", "--background", "--quiet", "--raw", "--dry-run", "dry run", "side by side"),
        ("variable", "background", "quiet", "raw"),
        """\
Options of `%%ask`:

| option | what it does |
|---|---|
| `--to joke` | keeps the reply in `joke`, a text with `.usage` and `.finish_reason` |
| `--background` | lets other cells run while the reply comes in |
| `--quiet` | shows nothing |
| `--raw` | sends `{{...}}` as it stands |
| `--dry-run` | shows the request and its tokens, sends nothing |

Model options such as `--temperature` hold for that cell only.""",
    ),
    Topic(
        "exchange",
        (
            "%%exchange",
            "%exchange",
            "nbconvo.exchange",
            "an exchange",
        ),
        (
            "exchange",
            "rounds",
            "participants",
            "each other",
        ),
        """\
`%%exchange` lets sessions talk with each other; the body opens it:

```
%%exchange comedian critic --rounds 3
Is a notebook a good place to talk?
```

They speak in turn, each with its own instruction, model and service, and hear the others by \
name. An interrupt keeps all that was said. In Python: \
`async for turn in nbconvo.exchange([a, b], opening, rounds=3)`.""",
    ),
    Topic(
        "models",
        ("which models", "what models", "list models", "--model", "%convo models"),
        ("models",),
        """\
`%convo models` lists what the current session's service has, `%convo services` the services. \
To choose:

```
%%session NAME --service openrouter --model VENDOR/MODEL
```

`--model SERVICE:MODEL` says both at once, and on a `%%ask` line it holds for that cell only. \
Without a service there are `guide` (me), `eliza` and `echo`.""",
    ),
    Topic(
        "convo",
        (
            "%convo",
            "undo",
            "retry",
            "reset",
        ),
        (
            "history",
            "forget",
            "regenerate",
            "delete",
        ),
        """\
`%convo` works on a conversation:

- `%convo list`: all sessions · `%convo show`: one, word by word
- `%convo undo`: take the last turn back · `%convo retry`: ask it anew
- `%convo reset`: begin afresh · `%convo usage`: tokens and requests
- `%convo services`, `%convo models`: what there is to connect
- `%convo export NAME FILE`: save it

Nothing said is destroyed: undo and retry keep the earlier turn beside the new one.""",
    ),
    Topic(
        "config",
        (
            "%config",
            "config",
            "default service",
            "nbconvo_service",
        ),
        (
            "default",
            "defaults",
            "settings",
            "setting",
            "configure",
            "configuration",
            "environment",
        ),
        """\
Defaults for all sessions:

```
%config NbConvo.service = "openai"
%config NbConvo.dir = "logs"
```

`%config NbConvo` shows every setting. What is nearer wins: the cell's line, then the session, \
`%config`, the environment (`NBCONVO_SERVICE`, `NBCONVO_MODEL`, `NBCONVO_DIR`), the built-in \
default, which is me.""",
    ),
    Topic(
        "interpolation",
        (
            "interpolation",
            "interpolate",
            "{{",
            "braces",
        ),
        (
            "expression",
            "expressions",
            "insert",
            "template",
            "placeholder",
            "dataframe",
            "variables",
        ),
        """\
`{{expression}}` in a cell's body is replaced by its Python value before it is sent:

```
%%ask analyst
Which of these columns matter? {{list(df.columns)}}
```

One pass only: what comes out is never expanded again. Single braces, as in JSON and LaTeX, pass \
untouched, and `--raw` turns it all off.""",
    ),
)
