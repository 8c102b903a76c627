"""What the guide knows besides: Python, logs, limits, interrupts, errors, itself."""

from __future__ import annotations

from nbconvo.offline.guide.topic import Topic

__all__ = ["MORE"]

MORE = (
    Topic(
        "python",
        (
            "from python",
            "in python",
            "nbconvo.session",
            "nbconvo.run",
            "python api",
        ),
        (
            "python",
            "await",
            "asyncio",
            "api",
            "script",
        ),
        """\
The same in Python, from any cell:

```python
import nbconvo
teacher = nbconvo.Session(system="You are a patient teacher.")
reply = await teacher.ask("What is a limiter?")
reply.usage
```

`async for delta in teacher.stream(...)` gives the pieces, and `nbconvo.run(teacher.ask(...))` \
works where `await` doesn't. A session made by `%%session teacher` is the Python name `teacher` \
too.""",
    ),
    Topic(
        "log",
        (
            "export",
            "--dir",
            "dir=",
            "jsonl",
            "to_pandas",
        ),
        (
            "log",
            "logs",
            "csv",
            "save",
            "file",
            "record",
            "pandas",
            "directory",
        ),
        """\
To keep what is said:

- `%%session NAME --dir logs/NAME` (or `Session(dir=...)`) writes every event to a file of JSON \
lines while you talk: one file per run, no keys in it
- `%convo export NAME talk.md` writes the conversation; `.md`, `.csv` and `.jsonl` choose the \
format, and nothing is overwritten without `--force`
- in Python: `session.to_markdown()`, `.to_csv()`, `.to_jsonl()`, `.to_pandas()`""",
    ),
    Topic(
        "limits",
        (
            "rate limit",
            "rate limits",
            "--rpm",
            "--tpm",
            "limiter",
            "429",
            "too many requests",
        ),
        (
            "limit",
            "limits",
            "rpm",
            "tpm",
            "quota",
            "per minute",
            "requests",
        ),
        """\
A limiter stands before every request, so that a service needn't refuse it:

```
%%session NAME --service openrouter --rpm 20 --tpm 40000
```

`--rpm` is requests and `--tpm` tokens per minute. Sessions with the same service and key share \
one limiter; who asks first goes first. After a 429 all wait as long as the service says, then \
try again. In Python: `OpenRouterService(max_requests_per_minute=20)`.""",
    ),
    Topic(
        "interrupt",
        ("interrupt", "interrupting", "cancel", "abort", "ctrl-c", "stop button"),
        ("stop", "halt", "hangs", "stuck"),
        """\
Press the stop button (or `I`, `I` outside a cell) while a reply streams in. The request is \
closed at once, what came so far stays in the history, marked `stopped`, and the next cell runs. \
`%convo undo` takes the part back, `%convo retry` asks again.""",
    ),
    Topic(
        "errors",
        (
            "401",
            "404",
            "connection refused",
            "wrong key",
        ),
        (
            "error",
            "errors",
            "refused",
            "fails",
            "failed",
        ),
        """\
What the usual errors mean:

- **401**: the key is wrong; look at `OPENAI_API_KEY` or `OPENROUTER_API_KEY`
- **404**: no such model there; `%convo models` lists them
- **429**: too fast; set `--rpm`. A used-up quota is not tried again
- **connection refused**: is the server running, and at that port?

A failed `%%ask` leaves the history as it was: mend it and run the cell again.""",
    ),
    Topic(
        "toys",
        (
            "eliza",
            "nbconvo.offline",
            "offline models",
        ),
        (
            "echo",
            "toy",
            "toys",
            "offline",
        ),
        """\
Beside me there are two toys without a model: `eliza`, a listener made of rules, and `echo`, \
which says your words again:

```
%%session therapist --service offline --model eliza
```

Other programs can talk to all three: `python -m nbconvo.offline --port 8123` serves them to \
clients of OpenAI's and Anthropic's APIs, at `http://127.0.0.1:8123/v1`.""",
    ),
    Topic(
        "privacy",
        (
            "privacy",
            "leave this machine",
            "leaves this machine",
        ),
        (
            "private",
            "internet",
            "secret",
            "safe",
            "cost",
            "costs",
            "price",
            "money",
            "pay",
            "upload",
        ),
        """\
What you ask me stays on this machine and costs nothing: I am a small server inside the kernel. \
Once a model is connected, the session's messages go to its service and nowhere else, and the \
service may charge for them: `%convo usage` counts, `%%ask --dry-run` shows a request without \
sending it. Keys are never written to logs or notebooks.""",
    ),
    Topic(
        "about",
        (
            "nbconvo",
            "who are you",
            "what are you",
            "what can you do",
            "what is this",
        ),
        (
            "hello",
            "hi",
            "hey",
            "help",
            "topics",
            "guide",
        ),
        """\
I know nbconvo, which makes a conversation with a language model live in a notebook:

1. `%%session NAME` gives a participant its instruction
2. `%%ask NAME` asks it, the reply streams in below
3. `%%exchange A B` lets two of them talk

Ask me how to **connect** a model, about a **magic**, **`{{expressions}}`**, **Python**, **logs**, \
**rate limits**, **interrupting**, or what was said **so far**.""",
    ),
    Topic(
        "thanks",
        (
            "thanks",
            "thank you",
        ),
        (
            "great",
            "nice",
            "well done",
            "bye",
            "goodbye",
        ),
        "With pleasure. When you connect a model, your cells stay as they are; only who answers "
        "changes.",
    ),
)
