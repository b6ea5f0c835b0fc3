#!/usr/bin/env python3
"""Draws what a program prints as a terminal, in SVG: lines read from stdin appear at the time they came.

terminal.py COMMAND < OUTPUT > PICTURE. Without animation, for readers who prefer that, all lines show.
"""

import html
import sys
import time

WIDTH = 118
LINE, LETTER, MARGIN, BAR = 19, 8.4, 16, 34
COLORS = {
    "completed": "#7ee787", "rejected": "#ff7b72", "failed": "#ff7b72", "held": "#ffa657",
    "processing": "#79c0ff", "uploading": "#79c0ff", "collecting": "#79c0ff", "queued": "#8b949e",
}


def lines():
    start = time.monotonic()
    yield 0.0, sys.argv[1]
    for line in sys.stdin:
        yield time.monotonic() - start + 0.6, line.rstrip("\n")


def wrapped(line):
    while len(line) > WIDTH:
        at = line.rfind(" ", 40, WIDTH)
        at = at if at > 0 else WIDTH
        yield line[:at]
        line = "      " + line[at:].lstrip()
    yield line


def colored(line):
    words = html.escape(line, quote=False)
    for state, color in COLORS.items():
        words = words.replace(f" {state} ", f' <tspan fill="{color}">{state}</tspan> ', 1)
    return words


def main():
    rows = [(at, part) for at, line in lines() for part in wrapped(line)]
    width = round(WIDTH * LETTER + 2 * MARGIN)
    height = BAR + len(rows) * LINE + MARGIN
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(sys.argv[1])}">\n'
        "<style>text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "fill:#e6edf3;white-space:pre}"
        "@media (prefers-reduced-motion:no-preference){text{animation:show .01s both}"
        "@keyframes show{from{opacity:0}to{opacity:1}}}</style>\n"
        f'<rect width="{width}" height="{height}" rx="10" fill="#0d1117"/>\n'
        '<g><circle cx="20" cy="17" r="6" fill="#ff5f57"/><circle cx="40" cy="17" r="6" fill="#febc2e"/>'
        '<circle cx="60" cy="17" r="6" fill="#28c840"/></g>'
    )
    for row, (at, line) in enumerate(rows):
        y = BAR + (row + 1) * LINE - 5
        style = f' style="animation-delay:{at:.2f}s"'
        print(f'<text x="{MARGIN}" y="{y}" xml:space="preserve"{style}>{colored(line)}</text>')
    print("</svg>")


main()
