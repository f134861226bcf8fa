"""Charts of an evaluation as SVG: the DET curve, the two distributions, a histogram. Attributes only, no style.

Each has its table beside it in the report. Colours follow the program's: teal, ink, amber; shapes differ too,
so that a grey print reads the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

INK, MUTED, LINE, TEAL, AMBER, SOFT = "#1c2322", "#55605d", "#d9d3c6", "#0b5d63", "#b3730a", "#deebe9"
FONT = 'font-family="Noto Sans TC, Noto Sans CJK TC, PingFang TC, Microsoft JhengHei, sans-serif"'
WIDTH, HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 22, 14, 52


def _text(x: float, y: float, text: str, anchor="middle", size=13, fill=MUTED, turn=False) -> str:
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{turned}>'
        f"{escape(text)}</text>"
    )


def _frame(parts: list[str], label: str, width: int = WIDTH, height: int = HEIGHT) -> Markup:
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(label)}" {FONT}>{"".join(parts)}</svg>'
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g}\u00a0%"


class _Log:
    """A logarithmic axis from `low` to 1 over `length` points; zero lies at its foot."""

    def __init__(self, low: float, length: float):
        self.low, self.length = low, length

    def __call__(self, value: float) -> float:
        return self.length * (1 - math.log10(max(value, self.low)) / math.log10(self.low))

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(round(math.log10(self.low)), 1)]


def det(figures: dict, label: str, fmr_word: str, fnmr_word: str, eer_word: str, small_word: str) -> Markup:
    """The DET curve of figures.measure with its band, on logarithmic axes; "" without a curve.

    Left of 3 / impostor comparisons no FMR is established (rule of 3); that part is tinted.
    """
    points = figures["det"]
    if not points:
        return Markup("")
    inner_w, inner_h = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    low_x = 10.0 ** math.floor(math.log10(1 / figures["impostor"]))
    low_y = 10.0 ** math.floor(math.log10(1 / figures["genuine"]))
    x_axis, y_axis = _Log(min(low_x, 1e-3), inner_w), _Log(min(low_y, 1e-2), inner_h)

    def x(v: float) -> float:
        return _LEFT + x_axis(v)

    def y(v: float) -> float:
        return _TOP + inner_h - y_axis(v)

    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{inner_w}" height="{inner_h}" fill="#ffffff" stroke="{LINE}"/>']
    unsure = x(min(1.0, 3 / figures["impostor"]))
    if unsure > _LEFT + 1:
        parts.append(f'<rect x="{_LEFT}" y="{_TOP}" width="{unsure - _LEFT:.1f}" height="{inner_h}" fill="#f1ece1"/>')
    for tick in x_axis.ticks():
        parts.append(f'<path d="M{x(tick):.1f} {_TOP}v{inner_h}" stroke="{LINE}" stroke-width="0.6"/>')
        parts.append(_text(x(tick), HEIGHT - 33, _percent(tick)))
    for tick in y_axis.ticks():
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}h{inner_w}" stroke="{LINE}" stroke-width="0.6"/>')
        parts.append(_text(_LEFT - 6, y(tick) + 4, _percent(tick), anchor="end"))
    band = figures["det_band"]
    if band:
        over = [f"{x(fmr):.1f},{y(high):.1f}" for fmr, _, high in band]
        under = [f"{x(fmr):.1f},{y(low):.1f}" for fmr, low, _ in reversed(band)]
        parts.append(f'<polygon points="{" ".join(over + under)}" fill="{TEAL}" fill-opacity="0.14"/>')
    # Equal error rates lie where both axes show the same number.
    low = max(x_axis.low, y_axis.low)
    parts.append(
        f'<path d="M{x(low):.1f} {y(low):.1f}L{x(1):.1f} {y(1):.1f}" stroke="{MUTED}" '
        'stroke-width="0.8" stroke-dasharray="3 3"/>'
    )
    path = f"M{x(points[0][1]):.1f} {y(points[0][2]):.1f}"
    for _, fmr, fnmr in points[1:]:
        path += f"H{x(fmr):.1f}V{y(fnmr):.1f}"
    parts.append(f'<path d="{path}" fill="none" stroke="{TEAL}" stroke-width="2"/>')
    if figures["eer"]:
        parts.append(f'<circle cx="{x(figures["eer"]):.1f}" cy="{y(figures["eer"]):.1f}" r="4" fill="{AMBER}"/>')
        parts.append(_text(x(figures["eer"]) + 8, y(figures["eer"]) - 6, eer_word, anchor="start", fill=INK))
    if unsure > _LEFT + 80:
        # At the top: the curve and the EER lie at the bottom left when a device is good.
        parts.append(_text(_LEFT + 6, _TOP + 14, small_word, anchor="start", size=12))
    parts.append(_text(_LEFT + inner_w / 2, HEIGHT - 10, fmr_word, fill=INK, size=14))
    parts.append(_text(14, _TOP + inner_h / 2, fnmr_word, fill=INK, size=14, turn=True))
    return _frame(parts, label)


def distributions(histogram: dict, threshold: float, label: str, words: dict[str, str]) -> Markup:
    """Scores of genuine and impostor comparisons, each as a share of its own; "" when there are none.

    `words`: genuine, impostor, score, share, threshold.
    """
    genuine, impostor = histogram["genuine"], histogram["impostor"]
    if not sum(genuine) and not sum(impostor):
        return Markup("")
    inner_w, inner_h = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    shares = [[n / max(1, sum(side)) for n in side] for side in (impostor, genuine)]
    top = max(max(side) for side in shares)
    # The impostors crowd near zero; on a square root the genuine ones can be seen beside them.
    def height(share: float) -> float:
        return inner_h * math.sqrt(share / top) if top else 0.0

    step = inner_w / len(genuine)
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{inner_w}" height="{inner_h}" fill="#ffffff" stroke="{LINE}"/>']
    for side, fill, opacity in ((shares[0], AMBER, "0.55"), (shares[1], TEAL, "0.75")):
        for n, share in enumerate(side):
            if share:
                h = height(share)
                parts.append(
                    f'<rect x="{_LEFT + n * step:.1f}" y="{_TOP + inner_h - h:.1f}" width="{step * 0.9:.1f}" '
                    f'height="{h:.1f}" fill="{fill}" fill-opacity="{opacity}"/>'
                )
    at = _LEFT + inner_w * threshold / histogram["top"]
    parts.append(f'<path d="M{at:.1f} {_TOP}v{inner_h}" stroke="{INK}" stroke-width="1.2" stroke-dasharray="4 3"/>')
    parts.append(_text(at + 5, _TOP + 14, f"{words['threshold']} {threshold:g}", anchor="start", fill=INK))
    for n in range(6):
        value = histogram["top"] * n / 5
        parts.append(_text(_LEFT + inner_w * n / 5, HEIGHT - 33, f"{value:g}" + ("+" if n == 5 else "")))
    for share in (0.01, 0.1, 0.25, 0.5, 1.0):
        if share <= top:
            yy = _TOP + inner_h - height(share)
            parts.append(f'<path d="M{_LEFT} {yy:.1f}h{inner_w}" stroke="{LINE}" stroke-width="0.6"/>')
            parts.append(_text(_LEFT - 6, yy + 4, _percent(share), anchor="end"))
    for n, (fill, word) in enumerate(((AMBER, words["impostor"]), (TEAL, words["genuine"]))):
        parts.append(f'<rect x="{WIDTH - 180}" y="{_TOP + 30 + 18 * n}" width="11" height="11" fill="{fill}"/>')
        parts.append(_text(WIDTH - 163, _TOP + 40 + 18 * n, word, anchor="start", fill=INK))
    parts.append(_text(_LEFT + inner_w / 2, HEIGHT - 10, words["score"], fill=INK, size=14))
    parts.append(_text(14, _TOP + inner_h / 2, words["share"], fill=INK, size=14, turn=True))
    return _frame(parts, label)


def bars(counts: Sequence[int], names: Sequence[str], label: str, axis: str, preferred_from: int = 0) -> Markup:
    """A small histogram; the bars before `preferred_from` are amber. "" when empty."""
    if not sum(counts):
        return Markup("")
    height, bottom = 170, 40
    inner_w, inner_h = WIDTH - 20, height - bottom - 22
    step, top = inner_w / len(counts), max(counts)
    parts = []
    for n, count in enumerate(counts):
        h = inner_h * count / top
        x, y = 10 + n * step, 18 + inner_h - h
        fill = AMBER if n < preferred_from else TEAL
        parts.append(
            f'<rect x="{x + step * 0.08:.1f}" y="{y:.1f}" width="{step * 0.84:.1f}" height="{h:.1f}" fill="{fill}"/>'
        )
        if count:
            parts.append(_text(x + step / 2, y - 4, str(count), fill=INK))
        parts.append(_text(x + step / 2, height - bottom + 10, names[n], size=12))
    parts.append(f'<path d="M10 {18 + inner_h}h{inner_w}" stroke="{MUTED}"/>')
    parts.append(_text(10 + inner_w / 2, height - 8, axis, fill=INK, size=14))
    return _frame(parts, label, WIDTH, height)
