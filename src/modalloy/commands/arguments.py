"""Arguments and options that several commands share, so that they are named and told alike."""

from pathlib import Path
from typing import Annotated

import typer

Table = Annotated[str, typer.Argument(help="Table file, folder of pictures, or sqlite:///...")]
JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="Job file, as `init` prints it.")]
Sheet = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="Sheet of an Excel file; else first.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit code 3 where columns or cells are not as in training."),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `train` wrote.")]
RunOrBundle = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder that `train` wrote, or a bundle.")
]
Live = Annotated[
    Path | None,
    typer.Option("--live", metavar="DIR", help="Folder of the served model; else RUN.live."),
]
DeviceName = Annotated[
    str, typer.Option("--device", help="cpu, gpu, npu, or auto for the fastest that is here.")
]
Trust = Annotated[
    Path | None,
    typer.Option("--trust", metavar="KEY.PUB", help="Key that a bundle must be signed with."),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        "--adapter", metavar="NAME", help="One of the run's adapters, or none; else usual."
    ),
]
