#!/usr/bin/env python3
"""Draws the panels of a dashboard from the data of a Prometheus, to see them without Grafana.

    python3 -m venv /tmp/render && /tmp/render/bin/pip install matplotlib
    /tmp/render/bin/python dashboards/render.py http://127.0.0.1:9090 --minutes 30

It writes overview.png beside it; `--dashboard` and `--output` choose others.
"""

import argparse
import json
import math
import pathlib
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from PIL import Image  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
COLORS = {"green": "#56a64b", "red": "#e02f44", None: "#3f4a5a"}
BACK, PAPER, INK, FAINT = "#f4f5f7", "#ffffff", "#24292e", "#8e96a3"


def ask(server, expression, start, end, step):
    for name in ("$namespace", "$instance", "$account"):
        expression = expression.replace(name, ".*")
    interval = max(10, round(4 * step))
    expression = expression.replace("$__rate_interval", f"{interval}s")
    query = {"query": expression, "start": start, "end": end, "step": step}
    url = f"{server}/api/v1/query_range?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url) as response:
        return json.load(response)["data"]["result"]


def legend(template, labels):
    for name, value in labels.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def shown(value, unit, mappings):
    for mapping in mappings:
        text = mapping["options"].get(f"{value:g}")
        if text:
            return text["text"]
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"
    if unit == "bytes":
        return f"{value / 2**20:.3g} MiB"
    return f"{value:.4g}"


def color_of(panel, value):
    found = None
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    has_alert = len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1
    return COLORS[found if has_alert else None]


def draw_stat(axes, panel, series):
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_xticks([])
    axes.set_yticks([])
    values = [float(one["values"][-1][1]) for one in series]
    value = values[0] if values else math.nan
    text = shown(value, defaults["unit"], defaults.get("mappings", []))
    axes.text(0.5, 0.42, text, ha="center", va="center", fontsize=17, weight="bold", color=color_of(panel, value))


def draw_lines(axes, panel, series, start):
    defaults = panel["fieldConfig"]["defaults"]
    lines = []
    for template, one in series:
        points = [(float(at) - start, float(value)) for at, value in one["values"]]
        points = [(at, value if math.isfinite(value) else math.nan) for at, value in points]
        if any(value > 0 for _, value in points):
            lines.append((legend(template, one["metric"]), *zip(*points)))
    # The fifteen that reach highest are enough to look at.
    lines.sort(key=lambda line: -max(v for v in line[2] if not math.isnan(v)))
    lines = lines[:15]
    if defaults["custom"].get("stacking") and lines:
        times = sorted({at for _, xs, _ in lines for at in xs})
        heights = []
        for _, xs, ys in lines:
            at = dict(zip(xs, ys))
            heights.append([0 if math.isnan(at.get(x, 0)) else at.get(x, 0) for x in times])
        axes.stackplot(times, heights, labels=[name for name, _, _ in lines], alpha=0.75)
    else:
        for name, xs, ys in lines:
            axes.plot(xs, ys, label=name, linewidth=1.3)
    if defaults["custom"].get("thresholdsStyle"):
        threshold = defaults["thresholds"]["steps"][-1]["value"]
        if threshold <= axes.get_ylim()[1] * 1.5:
            axes.axhline(threshold, color=COLORS["red"], linewidth=0.9, linestyle="--")
    axes.set_ylim(bottom=0)
    axes.grid(color="#e6e8eb", linewidth=0.6)
    axes.tick_params(labelsize=6.5, colors=FAINT, length=0)
    unit = {"s": "s", "ops": "/s", "reqps": "/s", "bytes": "B", "Bps": "B/s"}.get(defaults["unit"], "")
    axes.set_ylabel(unit, fontsize=6.5, color=FAINT)
    if lines:
        axes.legend(fontsize=6, ncol=3, loc="upper left", frameon=False, labelcolor=INK, handlelength=1.2, columnspacing=0.8)
        axes.set_ylim(top=axes.get_ylim()[1] * 1.35)


def draw(server, dashboard, minutes, output):
    end = time.time()
    start, step = end - minutes * 60, max(0.5, minutes * 60 / 300)
    panels = dashboard["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    plt.rcParams["font.family"] = "DejaVu Sans"
    figure = plt.figure(figsize=(13, rows * 0.26), facecolor=BACK)
    for panel in panels:
        place = panel["gridPos"]
        left, width = 0.012 + place["x"] / 24 * 0.976, place["w"] / 24 * 0.976
        bottom, height = 1 - (place["y"] + place["h"]) / rows, place["h"] / rows
        if panel["type"] == "row":
            figure.text(left + 0.002, bottom + height * 0.2, panel["title"], fontsize=10, weight="bold", color=INK)
            continue
        card = figure.add_axes([left + 0.002, bottom + 0.15 / rows, width - 0.004, height - 0.3 / rows], facecolor=PAPER)
        card.set_xticks([])
        card.set_yticks([])
        for spine in card.spines.values():
            spine.set_color("#dfe2e6")
        heading = 0.86 if panel["type"] == "stat" else 0.945
        card.text(0.03 if panel["type"] == "stat" else 0.015, heading, panel["title"], fontsize=7.5, color=INK, va="center", transform=card.transAxes)
        found = [(target["legendFormat"], one) for target in panel["targets"] for one in ask(server, target["expr"], start, end, step)]
        if panel["type"] == "stat":
            draw_stat(card, panel, [one for _, one in found])
            continue
        inner = figure.add_axes([left + 0.032, bottom + 0.95 / rows, width - 0.042, height - 2.1 / rows], facecolor=PAPER)
        for spine in inner.spines.values():
            spine.set_visible(False)
        draw_lines(inner, panel, found, start)
        inner.set_xlim(0, end - start)
    figure.savefig(output, dpi=90)
    # So few colors need no more; the file is kept with the sources.
    Image.open(output).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(output, optimize=True)
    print(output)


def main():
    parser = argparse.ArgumentParser(description="Draws a dashboard from the data of a Prometheus.")
    parser.add_argument("server", help="such as http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=30, help="how far to look back")
    parser.add_argument("--dashboard", type=pathlib.Path, default=HERE / "overview.json")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "overview.png")
    given = parser.parse_args()
    draw(given.server.rstrip("/"), json.loads(given.dashboard.read_text()), given.minutes, given.output)


if __name__ == "__main__":
    main()
