"""The magics: each parses its line, calls a session, and shows what comes.

What that takes is imported by the first magic that runs, so that ``%load_ext`` takes no time.
"""

from __future__ import annotations

import builtins
import keyword
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)

from nbconvo.errors import InputError
from nbconvo.magics.options import (
    MEDIA_OPTIONS,
    MODEL_OPTIONS,
    TOOL_OPTIONS,
    Options,
    option,
)

__all__ = ["ConvoMagics"]


@magics_class
class ConvoMagics(Magics):
    """``%%session``, ``%%ask``, ``%%exchange``, ``%panel`` and ``%convo``."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        # What the line of each %%session cell named when it last ran, by the session's name.
        self._named: dict[str | None, dict[str, Any]] = {}

    @no_var_expand
    @line_cell_magic
    @Options(
        option("name", nargs="?", help="the participant; without one, the notebook's own session"),
        option("--dir", help="directory of the log, or none to end it"),
        option(
            "--rpm",
            metavar="N",
            help="most requests a minute, for all who use the service, or none for no limit",
        ),
        option(
            "--tpm",
            metavar="N",
            help="most tokens a minute, for all who use the service, or none for no limit",
        ),
        option(
            "--budget",
            metavar="USD",
            help="most dollars that its requests may cost in all, or none for no limit",
        ),
        option("--raw", action="store_true", help="leave {{expressions}} in the text as they are"),
        *TOOL_OPTIONS,
        *MODEL_OPTIONS,
    )
    def session(self, line: str, cell: str | None = None) -> Any:
        """Give a participant its instructions: the text of the cell is its system prompt.

        ``%%session NAME`` begins a session, or changes it when run again; its history stays.
        ``%session`` lists the sessions; ``%session NAME`` makes one the current one, which a
        bare ``%%ask`` talks to, and changes only what its options name; ``none`` after an option
        takes it back. For example::

            %%session comedian --service openai --temperature 1.2
            As a comedian, you are sarcastically funny.

            %session comedian --model offline:eliza
        """
        from nbconvo.magics.arguments import equipment, overrides, parse
        from nbconvo.magics.sessions import adjust, begin_or_update, sessions_table

        args = parse(self.session, line)
        if cell is None and args.name is None:
            return sessions_table()
        if cell is None:
            named = overrides(args) | equipment(args, self.shell.user_ns)
            self._bind(adjust(args, named))
            return None
        system = self._text(cell, raw=args.raw)
        if not system:
            raise InputError("nothing in the cell: write the participant's instructions in it")
        named = overrides(args) | equipment(args, self.shell.user_ns)
        session = begin_or_update(args, system, named, self._named.get(args.name, {}))
        self._named[args.name] = named
        self._bind(session)
        return None

    @no_var_expand
    @line_cell_magic
    @Options(
        option(
            "names", nargs="*", help="whom to ask, several in a cell; none: the current session"
        ),
        option("--to", metavar="VAR", help="Python variable for the reply"),
        option("--background", action="store_true", help="answer while other cells run"),
        option("--quiet", action="store_true", help="show nothing"),
        option("--raw", action="store_true", help="leave {{expressions}} in the text as they are"),
        option("--dry-run", action="store_true", help="show what would be sent; send nothing"),
        option("--schema", metavar="NAME", help="type of the notebook that the reply keeps to"),
        *MEDIA_OPTIONS,
        *TOOL_OPTIONS,
        *MODEL_OPTIONS,
    )
    def ask(self, line: str, cell: str | None = None) -> Any:
        """Say something to one participant, or to several at once, and show the reply.

        ``%%ask NAME ...`` sends the text of the cell; ``%ask NAME text`` asks one, on one line.
        ``{{expression}}`` in the text becomes its value. Running a cell again replaces its turn.
        Names and options stand on the first line. For example::

            %%ask comedian critic --to replies
            What is so funny about {{topic}}?

            %ask comedian another one, please
        """
        from nbconvo.magics.arguments import equipment, overrides, parse, split_text, variable
        from nbconvo.magics.asking import Asking
        from nbconvo.session import workspace

        if cell is None:
            line, cell = split_text(self.ask, line, workspace.__contains__)
        args = parse(self.ask, line)
        variable(args.to, self.shell.user_ns)
        sessions = [workspace.get(name) for name in args.names] or [workspace.own()]
        text = self._text(cell, raw=args.raw)
        given = overrides(args) | equipment(args, self.shell.user_ns)
        asked = [(session, session.asking.prepare(text, **given)) for session in sessions]
        asking = Asking(self.shell, quiet=args.quiet, to=args.to)
        if args.dry_run:
            return asking.preview(asked)
        if args.background:
            asking.in_background(asked)
            return None
        return asking.now(asked)

    @no_var_expand
    @cell_magic
    @Options(
        option("names", nargs="+", help="the participants, in the order in which they speak"),
        option("--rounds", type=int, default=3, help="how often each speaks (default: 3)"),
        option("--to", metavar="VAR", help="Python variable for the list of turns"),
        option("--quiet", action="store_true", help="show nothing"),
        option("--raw", action="store_true", help="leave {{expressions}} in the text as they are"),
    )
    def exchange(self, line: str, cell: str) -> Any:
        """Let participants talk to each other, in turn, beginning with the text of the cell."""
        from nbconvo.magics.arguments import parse, variable
        from nbconvo.magics.asking import Asking
        from nbconvo.session import workspace

        args = parse(self.exchange, line)
        variable(args.to, self.shell.user_ns)
        sessions = [workspace.get(name) for name in args.names]
        opening = self._text(cell, raw=args.raw)
        return Asking(self.shell, quiet=args.quiet, to=args.to).exchange(
            sessions, opening, args.rounds
        )

    @no_var_expand
    @line_magic
    @Options(
        option("verb", nargs="?", default="list", help="what to do, see below"),
        option("words", nargs="*", help="a session, a service, a file: what the verb is for"),
        option("--force", action="store_true", help="export: overwrite a file that exists"),
        option("--keyring", action="store_true", help="key: keep it in the system keyring"),
        option("--forget", action="store_true", help="key: forget it, in the keyring too"),
        *MODEL_OPTIONS,
    )
    def convo(self, line: str) -> Any:
        """Look at sessions and change them.

        list                     the sessions
        show [NAME]              what was said
        usage                    requests, tokens and cost, by session and for the kernel
        key SERVICE              ask for its key, without showing it
        undo [NAME]              take the last exchange back
        retry [NAME]             ask the last message again, also one that failed
        reset [NAME]             begin afresh
        services                 the services, their keys and limits
        models [SERVICE [FILTER]]  what a service offers
        doctor                   what runs on this machine, and the line to use it
        export NAME FILE         as .jsonl, .csv or .md, by the file's ending
        """
        from nbconvo.magics import verbs
        from nbconvo.magics.arguments import parse
        from nbconvo.magics.asking import Asking

        args = parse(self.convo, line)
        return verbs.run(args.verb, args.words, args, Asking(self.shell))

    @no_var_expand
    @line_magic
    @Options(
        option("name", nargs="?", help="the session to show; without one, all of them"),
        option("--usage", action="store_true", help="show the rate limits only"),
        option("--static", action="store_true", help="show it as it is now, as plain HTML"),
    )
    def panel(self, line: str) -> Any:
        """Open a window onto the conversations and the rate limits, live.

        In it one can read, search, edit, branch, ask and stop; all panels show the same.
        """
        from nbconvo import host
        from nbconvo.magics.arguments import parse
        from nbconvo.panel.twin import Twin
        from nbconvo.panel.window import Window
        from nbconvo.session import workspace

        args = parse(self.panel, line)
        only = workspace.get(args.name) if args.name else None
        if args.static:
            return Twin(Window(only, usage=args.usage), most=Twin.WHOLE)
        if not host.shows_widgets():
            return Twin(Window(only, usage=args.usage))
        from nbconvo.panel import Panel

        return Panel(only, usage=args.usage)

    def _text(self, cell: str, *, raw: bool) -> str:
        from nbconvo.magics.interpolation import interpolate

        names = self.shell.user_ns
        return (cell if raw else interpolate(cell, names)).strip()

    def _bind(self, session: Any) -> None:
        """Give the notebook the Python name of a session, unless it means something else there."""
        from nbconvo.session import workspace

        names, name = self.shell.user_ns, session.name
        if name == workspace.DEFAULT:
            return
        usable = name.isidentifier() and not keyword.iskeyword(name)
        taken = names[name] if name in names else getattr(builtins, name, session)
        if usable and isinstance(taken, type(session)):
            names[name] = session
            return
        why = "is taken" if usable else "cannot be a variable"
        print(f"the Python name {name} {why}: the session is nbconvo.sessions[{name!r}]")
