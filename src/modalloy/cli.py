"""The command `modalloy`: puts the verbs together and turns what goes wrong into one sentence."""

import errno
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import modalloy
from modalloy.commands.adapt import adapt
from modalloy.commands.calibrate import calibrate
from modalloy.commands.check import check
from modalloy.commands.compare import compare
from modalloy.commands.compress import compress
from modalloy.commands.demo import demo
from modalloy.commands.design import design
from modalloy.commands.doctor import doctor
from modalloy.commands.draw import draw
from modalloy.commands.economize import economize
from modalloy.commands.evaluate import evaluate
from modalloy.commands.evidence import evidence
from modalloy.commands.explain import explain
from modalloy.commands.export import export
from modalloy.commands.federate import federate
from modalloy.commands.harden import harden
from modalloy.commands.init import init
from modalloy.commands.predict import predict
from modalloy.commands.pretrain import pretrain
from modalloy.commands.rollback import rollback
from modalloy.commands.search import search
from modalloy.commands.serve import serve
from modalloy.commands.simulate import simulate
from modalloy.commands.site import site
from modalloy.commands.terminal import INTERRUPTED, REFUSED, write_look_alikes
from modalloy.commands.train import train
from modalloy.commands.tune import tune
from modalloy.commands.watch import watch
from modalloy.commands.wheelhouse import wheelhouse
from modalloy.errors import ModalloyError
from modalloy.machine.limits import rest_soon

VERBS = (  # in the order of --help
    init,
    check,
    pretrain,
    train,
    tune,
    evaluate,
    compare,
    predict,
    explain,
    search,
    draw,
    calibrate,
    adapt,
    harden,
    federate,
    site,
    simulate,
    design,
    economize,
    compress,
    export,
    serve,
    rollback,
    watch,
    evidence,
    doctor,
    wheelhouse,
    demo,
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OF = {  # modules that the package `modalloy-runtime` does without -> the package that brings them
    "torch": "modalloy",
    "transformers": "modalloy",
    "sklearn": "modalloy",
    "threadpoolctl": "modalloy",
    "scipy": "modalloy",
    "matplotlib": "modalloy",
    "ruamel": "modalloy",
    "rich": "modalloy",
    "packaging": "modalloy",
    "openpyxl": "openpyxl",
    "openvino": "openvino",
}


class Verbs(TyperGroup):
    """Turns what went wrong into one sentence on stderr and an exit code; never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was typed."""
        try:
            return super().invoke(ctx)
        except ModalloyError as error:
            for line in str(error).splitlines():
                typer.echo(f"error: {line}", err=True)
            raise typer.Exit(REFUSED) from error
        except ModuleNotFoundError as error:
            if (lacking := not_installed(error)) is None:
                raise
            verb = ctx.invoked_subcommand or "modalloy"
            typer.echo(f"error: {verb} needs {lacking}; run: pip install {OF[lacking]}", err=True)
            raise typer.Exit(REFUSED) from error
        except UnicodeEncodeError as error:
            letter = error.object[error.start]
            typer.echo(
                f"error: this terminal writes in {error.encoding}, which has no {letter!a}; set "
                "PYTHONUTF8=1 and ask again.",
                err=True,
            )
            raise typer.Exit(REFUSED) from error
        except OSError as error:
            if error.errno not in FULL:
                raise
            where = f" under {error.filename}" if error.filename else ""
            typer.echo(f"error: the disk{where} is full; free some space.", err=True)
            raise typer.Exit(REFUSED) from error
        except KeyboardInterrupt as error:
            verb = ctx.invoked_subcommand or "modalloy"
            typer.echo(f"error: {verb} was interrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=Verbs,
    help="One table in, one trained multimodal model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help costs no import of rich
)
for verb in VERBS:
    app.command()(verb)


def not_installed(error: ModuleNotFoundError) -> str | None:
    """The module of another package that is not here; None for anything else that was not found."""
    name = (error.name or "").split(".")[0]
    return name if name in OF and find_spec(name) is None else None


def _version(asked: bool) -> None:
    """Print the version and stop."""
    if asked:
        typer.echo(modalloy.__version__)
        raise typer.Exit


@app.callback()
def modalloy_command(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One table in, one trained multimodal model out."""
    if context.invoked_subcommand != "init":  # what that prints is read again, letter for letter
        write_look_alikes()


def main() -> None:
    """The command `modalloy`."""
    rest_soon()
    app()
