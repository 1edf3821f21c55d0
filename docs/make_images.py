"""Makes the pictures of the documents from the program's own output: `python docs/make_images.py`.

The picture is a recording of a real run, not a drawing; run it again when the output changes.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from chrysalis_memory.cli.demo import command

IMAGES = Path(__file__).parent / "images"

THEME = TerminalTheme(
    (24, 26, 31),
    (212, 215, 221),
    [(24, 26, 31), (240, 113, 120), (126, 211, 146), (229, 192, 123), (97, 175, 239), (198, 146, 233), (86, 197, 209),
     (212, 215, 221)],
    [(92, 99, 112), (240, 113, 120), (126, 211, 146), (229, 192, 123), (97, 175, 239), (198, 146, 233), (86, 197, 209),
     (255, 255, 255)],
)  # fmt: skip

# Rich's own frame loads a font from elsewhere; a picture in a document loads nothing.
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Record `chrysalis demo`."""
    console = Console(record=True, width=112, force_terminal=True, highlight=False, file=io.StringIO())
    command.console = lambda: console
    command.demo()
    IMAGES.mkdir(exist_ok=True)
    console.save_svg(str(IMAGES / "demo.svg"), title="chrysalis demo", theme=THEME, code_format=FRAME)


if __name__ == "__main__":
    main()
