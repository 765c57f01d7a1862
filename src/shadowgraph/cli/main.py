"""The command `shadowgraph`: verbs, faults and exit codes.

Here live: the assembly of the verbs and the one place where a fault becomes a message and an exit code.
Not here: what a verb does.
"""

from __future__ import annotations

import copy
import errno
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer
import typer.main
from typer.exceptions import TyperException

import shadowgraph
from shadowgraph.cli.audit import audit_command
from shadowgraph.cli.compare import compare_command
from shadowgraph.cli.corpus import corpus_app
from shadowgraph.cli.doctor import doctor_command
from shadowgraph.cli.inspect import inspect_command
from shadowgraph.cli.output import drop_output, emit_fault, emit_traffic, fetched, help_of
from shadowgraph.cli.scan import scan_command
from shadowgraph.cli.score import score_command
from shadowgraph.cli.series import series_command
from shadowgraph.cli.study import study_app
from shadowgraph.errors import Defect, EnvironmentFault, ShadowgraphError, printable

INTERRUPTED = 130
REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)

app = typer.Typer(
    name="shadowgraph",
    help="Lab and auditor for benchmark shadows: matched training runs, update spectra, honest answers.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(study_app, name="study")
app.add_typer(corpus_app, name="corpus")
app.command("inspect")(inspect_command)
app.command("scan")(scan_command)
app.command("compare")(compare_command)
app.command("series")(series_command)
app.command("score")(score_command)
app.command("audit")(audit_command)
app.command("doctor")(doctor_command)
for _verb in (*app.registered_commands, *study_app.registered_commands, *corpus_app.registered_commands):
    _verb.help = help_of(_verb.callback)


def _show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(shadowgraph.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Lab and auditor for benchmark shadows: matched training runs, update spectra, honest answers."""


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that work is left in order."""


def _on_terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def main(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name.

    Returns:
        The exit code: 0 done, 1 gate failed, 2 usage or specification, 3 input rejected, 4 inconclusive,
        5 environment, 70 a defect of ours, 130 and 143 interrupted.
    """
    as_json = "--json" in arguments
    if list(arguments) in ([], ["study"], ["corpus"]):
        arguments = [*arguments, "--help"]
    command = typer.main.get_command(_called(arguments))
    before = fetched()
    try:
        code = command.main(args=list(arguments), prog_name="shadowgraph", standalone_mode=False)
    except ShadowgraphError as fault:
        return emit_fault(fault, as_json)
    except TyperException as error:
        return emit_fault(_usage(error), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except Terminated:
        typer.echo("terminated; the same command goes on where this one stopped", err=True)
        return 143
    except (BrokenPipeError, SystemExit):  # the command's own machinery turns the first into the second
        drop_output()
        return 0
    except Exception as error:  # noqa: BLE001  the last net
        return _unforeseen(error, as_json)
    emit_traffic(before)
    return _interrupted() if code == INTERRUPTED else int(code or 0)


def _called(arguments: Sequence[str]) -> typer.Typer:
    """The program with the verb that is called alone, so that no other's options are worked out; else whole."""
    verb = next(iter(arguments), "")
    commands = [command for command in app.registered_commands if command.name == verb]
    groups = [group for group in app.registered_groups if group.name == verb]
    if not commands and not groups:
        return app
    narrow = copy.copy(app)
    narrow.registered_commands, narrow.registered_groups = commands, groups
    return narrow


def _unforeseen(error: Exception, as_json: bool) -> int:
    """No memory or no room is the environment's fault; all else is a defect of ours, shown whole."""
    if isinstance(error, MemoryError):
        return emit_fault(EnvironmentFault("out of memory", hint="free memory or use fewer workers"), as_json)
    if isinstance(error, OSError) and error.errno in REFUSED:
        drop_output()
        return emit_fault(_refused(error), as_json)
    traceback.print_exception(error)
    return emit_fault(Defect(f"{type(error).__name__}: {error}", hint="please report this"), as_json)


def _refused(error: OSError) -> EnvironmentFault:
    """A full or failing device as a fault."""
    where = printable(str(error.filename)) if error.filename else "output"
    return EnvironmentFault(f"cannot be written ({error.strerror})", where=where, hint="free space or write elsewhere")


def _flushed(code: int) -> int:
    """Write out what stdout still holds; a reader that left does not change the exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
    except OSError as error:
        drop_output()
        return emit_fault(_refused(error), as_json=False)
    return code


def _interrupted() -> int:
    """Say what an interrupt leaves; the command's own machinery may have turned Ctrl-C into this code already."""
    typer.echo("interrupted; the same command goes on where this one stopped", err=True)
    return INTERRUPTED


def _usage(error: TyperException) -> ShadowgraphError:
    """A wrong command line as a fault of ours."""
    from shadowgraph.errors import SpecError

    return SpecError(" ".join(error.format_message().split()).rstrip("."), hint="see --help")


def run() -> None:
    """Entry point of the installed script."""
    signal.signal(signal.SIGTERM, _on_terminate)
    sys.exit(_flushed(main(sys.argv[1:])))
