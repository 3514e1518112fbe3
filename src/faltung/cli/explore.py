"""``faltung explore``: each idea in the browser, on sizes, kernels, pictures, networks of yours."""

from __future__ import annotations

import click

EXAMPLE = "slide"
PORT = 8642


@click.command(short_help="Open the explorer in the browser, or save it as one page.")
@click.argument("view", required=False)
@click.option("--model", metavar="MODEL", help="An ONNX file, or a network of the zoo by its name.")
@click.option("--image", metavar="IMAGE", help="A picture of yours, or cat, coffee, camera.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Where to listen, on this machine alone; the next one that is free. 0 for any.",
)
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option("--save", metavar="PAGE.html", help="Write one page that needs no server, and end.")
def explore(
    *,
    view: str | None,
    model: str | None,
    image: str | None,
    port: int,
    no_open: bool,
    save: str | None,
) -> None:
    """Open a VIEW of the explorer in the browser, until Ctrl-C.

    The page answers on this machine alone, and only to whoever has its whole address. --save
    writes it as one file that works from disk, with no network and no server. Without the extra
    explorer (pip install 'faltung[explorer]') such a page is written and opened.
    """
    from faltung.cli import exploring
    from faltung.cli.screen import Screen, command

    exploring.check(view, save)
    screen = Screen.open()
    if view is None:
        screen.say(f"$ {command('explore', EXAMPLE)}\n", "bold")
    wanted = exploring.Wanted(view or EXAMPLE, model, image)
    if save is not None:
        exploring.save(screen, wanted, save)
    elif exploring.has_server():
        exploring.serve(screen, wanted, port, is_opened=not no_open)
    else:
        exploring.stand_in(screen, wanted, is_opened=not no_open)
