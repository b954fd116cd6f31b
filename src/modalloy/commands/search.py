"""`modalloy search`: finds rows by text, picture, sound or row, and answers from them."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet
from modalloy.commands.terminal import take_cores

How = Annotated[
    Literal["exact", "usearch"],
    typer.Option("--index", help="exact, or usearch: a graph, for tables beyond 1 M rows."),
]
Text = Annotated[str | None, typer.Option("--text", help="Words to look for.")]
Image = Annotated[
    str | None, typer.Option("--image", metavar="FILE", help="A picture to look for.")
]
Audio = Annotated[
    str | None, typer.Option("--audio", metavar="FILE", help="A recording to look for.")
]
Row = Annotated[int | None, typer.Option("--row", help="Rows like this one, from 0.")]
Like = Annotated[
    str | None, typer.Option("--like", metavar="TABLE", help="Rows like each of a table's.")
]
Answer = Annotated[
    str | None, typer.Option("--answer", help="A question; answered from the rows found.")
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Condition on a column: line=3, load=2..5. Again for more."),
]
Follow = Annotated[
    Path | None,
    typer.Option("--follow", metavar="FILE", help="Go on with a dialogue kept in this file."),
]


def search(
    run: RunFolder,
    text: Text = None,
    image: Image = None,
    audio: Audio = None,
    row: Row = None,
    like: Like = None,
    answer: Answer = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Table to search in; else the run's own.")
    ] = None,
    where: Where = None,
    top: Annotated[int, typer.Option("--top", help="How many rows.")] = 10,
    column: Annotated[
        str | None, typer.Option("--column", help="Column that reads the query, of several.")
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Column to compare with; else whole rows.")
    ] = None,
    index: How = "exact",
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Folder of the index; else beside the run.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the index anew.")] = False,
    shorten: Annotated[
        float | None,
        typer.Option("--shorten", help="Share of nearest rows that shorter vectors must keep."),
    ] = None,
    follow: Follow = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Page to write.")
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Find rows by text, picture, sound or row.

    In a run that was pretrained with `contrast` any column is compared with any other; in any other
    run a column with itself, and whole rows with whole rows.
    """
    take_cores()
    asked: dict[str, Any] = {"text": text, "image": image, "audio": audio, "row": row, "like": like}
    asked |= {"answer": answer, "where": where or (), "top": top}
    asked |= {"column": column, "against": against, "follow": follow}
    kept: dict[str, Any] = {"index": index, "folder": folder, "rebuild": rebuild, "sheet": sheet}
    kept["shorten"] = shorten
    found = modalloy.search(run, table, **asked, **kept, out=out, quiet=False)
    typer.echo(found.text())
    if out is not None:
        typer.echo(f"\nThe page is {out}; open it in a browser.")
