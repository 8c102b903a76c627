"""What the guide knows about connecting each service."""

from __future__ import annotations

from nbconvo.offline.guide.topic import Topic

__all__ = ["SERVICES"]

SERVICES = (
    Topic(
        "connect",
        (
            "connect a model",
            "connect you",
            "real model",
            "no model",
            "api key",
            "api keys",
            "another service",
        ),
        (
            "connect",
            "connected",
            "service",
            "services",
            "key",
            "keys",
            "provider",
            "install",
            "setup",
            "set up",
        ),
        """\
Three ways to a real model; run one cell and ask again:

- **OpenAI**, with `OPENAI_API_KEY` set: `%session NAME --service openai`
- **OpenRouter**, with `OPENROUTER_API_KEY` set: `%session NAME --service openrouter`
- **your own server**, no key: `%session NAME --service http://localhost:11434/v1 --model MODEL`

NAME keeps its instructions and its history. Ask me about any one: OpenAI, OpenRouter, Ollama, \
LM Studio, vLLM or llama.cpp.""",
    ),
    Topic(
        "openai",
        (
            "openai",
            "openai_api_key",
            "openai_base_url",
            "gpt",
            "chatgpt",
        ),
        (),
        """\
For **OpenAI**, put the key into `OPENAI_API_KEY` before Jupyter starts, or in a cell that \
doesn't save it:

```python
import os, getpass
os.environ["OPENAI_API_KEY"] = getpass.getpass()
```

Then give a session that service:

```
%%session NAME --service openai
You are a patient teacher.
```

`%convo models` lists the models, `--model` picks one. `OPENAI_BASE_URL` sends the same requests \
to another address.""",
    ),
    Topic(
        "openrouter",
        ("openrouter", "open router", "openrouter_api_key"),
        ("claude", "gemini", "anthropic", "mistral"),
        """\
**OpenRouter** has models of many makers behind one key. Put it into `OPENROUTER_API_KEY`, then:

```
%%session NAME --service openrouter --model VENDOR/MODEL
As a comedian, you are sarcastically funny
```

`%convo models` lists what there is. Free models have low limits: `--rpm 20` keeps you under \
them.""",
    ),
    Topic(
        "ollama",
        ("ollama", "11434"),
        ("local", "locally", "offline model", "own machine", "laptop", "gpu", "free"),
        """\
With **Ollama** a model runs on this machine, without a key:

1. in a terminal: `ollama pull MODEL`
2. in a cell:

```
%%session NAME --service http://localhost:11434/v1 --model MODEL
You are brief.
```

Its context is small unless you raise it; a long conversation is cut there without a word. \
LM Studio, vLLM and llama.cpp connect the same way, at their own addresses.""",
    ),
    Topic(
        "lmstudio",
        ("lm studio", "lmstudio", "lm-studio", "1234"),
        (),
        """\
In **LM Studio**, load a model and start the server (its *Developer* tab), then:

```
%%session NAME --service http://localhost:1234/v1 --model MODEL
You are brief.
```

No key is needed unless you switched that on. `%convo models` shows the names it goes by.""",
    ),
    Topic(
        "vllm",
        ("vllm", "v-llm"),
        ("8000", "cluster"),
        """\
**vLLM** serves one model, by default on port 8000. Start it with `vllm serve MODEL`, then:

```
%%session NAME --service http://localhost:8000/v1 --model MODEL
You are brief.
```

On another machine, use its address in place of `localhost`.""",
    ),
    Topic(
        "llamacpp",
        ("llama.cpp", "llamacpp", "llama cpp", "llama-server", "llama server", "gguf", "8080"),
        (),
        """\
**llama.cpp** comes with a server. Start it with `llama-server -m FILE.gguf`, then:

```
%%session NAME --service http://127.0.0.1:8080/v1
You are brief.
```

It serves the one model it was started with.""",
    ),
    Topic(
        "compatible",
        (
            "openai-compatible",
            "openai compatible",
            "base url",
            "base_url",
            "endpoint",
            "http",
            "https",
        ),
        (
            "compatible",
            "server",
            "url",
            "address",
            "proxy",
        ),
        """\
Any server that speaks OpenAI's chat completions is a service by its address:

```
%%session NAME --service http://HOST:PORT/v1 --model MODEL
```

Usual addresses on one machine: Ollama `http://localhost:11434/v1`, LM Studio \
`http://localhost:1234/v1`, vLLM `http://localhost:8000/v1`, llama.cpp \
`http://127.0.0.1:8080/v1`. `OPENAI_BASE_URL` moves `--service openai` there as well.""",
    ),
)
