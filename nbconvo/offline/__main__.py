"""``python -m nbconvo.offline --port N``: the offline models, for OpenAI's and other clients."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from nbconvo.offline.models import MODELS
from nbconvo.offline.server import OfflineServer

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; return the exit code, 1 if the address can't be had."""
    arguments = _parser().parse_args(argv)
    try:
        asyncio.run(_serve(arguments.host, arguments.port, arguments.pace))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        # asyncio's own text repeats the address; a failed look-up has a negative number.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror or str(error)
        print(
            f"can't serve at {arguments.host}:{arguments.port}: {reason.lower()}; "
            f"choose another --port, or --port 0 for any free one",
            file=sys.stderr,
        )
        return 1
    return 0


async def _serve(host: str, port: int, pace: float) -> None:
    server = OfflineServer(pace)
    url = await server.start(host, port)
    try:
        print(f"nbconvo offline models ({', '.join(MODELS)}) at {url}", flush=True)
        await asyncio.Event().wait()
    finally:
        await server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nbconvo.offline",
        description="Serve nbconvo's offline models to clients of OpenAI's and Anthropic's APIs.",
    )
    parser.add_argument("--port", type=_port, default=0, help="default: any free one")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument(
        "--pace", type=_pace, default=0.012, help="seconds per piece; default: %(default)s"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _pace(text: str) -> float:
    try:
        pace = float(text)
    except ValueError:
        pace = -1.0
    if not 0 <= pace <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 60")
    return pace


if __name__ == "__main__":
    sys.exit(main())
