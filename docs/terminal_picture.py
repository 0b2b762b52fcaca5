"""Make ``docs/terminal.svg``, the picture of the terminal in the README: ``python docs/terminal_picture.py``."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CAPTURE, STREAM, COLUMNS = "captures/time-wait-beside-close-wait.pcap", 2, 110
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>{styles}.{unique_id}-matrix{{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;\
font-size:{char_height}px;line-height:{line_height}px;white-space:pre}}.{unique_id}-title{{font-size:0}}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>\
</clipPath>{lines}</defs>{chrome}<g transform="translate({terminal_x}, {terminal_y})" \
clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""  # as rich has it, without a typeface from a network


def main() -> None:
    """Draw the ladder as a terminal shows it."""
    sys.path.insert(0, str(ROOT))
    from rich.console import Console
    from rich.text import Text

    import analyzer
    from analyzer.views.ladder import ladder_lines

    result = analyzer.analyze(ROOT / CAPTURE, keep_segments=True)
    lines = [line.coloured for line in ladder_lines(result, STREAM, COLUMNS, brief=True)]
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="standard")
        console.print(Text(f"$ teardown timeline {CAPTURE} --stream {STREAM} --brief", "bold"))
        console.print(Text.from_ansi("\n".join(lines)), no_wrap=True, highlight=False)
        picture = console.export_svg(title="", code_format=SVG, unique_id="terminal")
    (ROOT / "docs" / "terminal.svg").write_text(picture, "utf8")


if __name__ == "__main__":
    main()
