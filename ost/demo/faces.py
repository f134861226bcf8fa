"""Drawn faces: flat, friendly, the same for the same seed. No photograph, no script, no reference outside.

Plain SVG shapes with attributes only: no style, no link, no text, so that a
page with a strict policy can show one as an image.
"""

from __future__ import annotations

from random import Random

_SKINS = (
    ("#f6d7bd", "#e5b697"),
    ("#f1c9a5", "#dca57c"),
    ("#e6b58c", "#cf9365"),
    ("#d29f73", "#b67f52"),
    ("#b98158", "#9b663f"),
)
_HAIRS = ("#22201e", "#2e2622", "#3b2d26", "#4b382c")
_GREYS = ("#8d8a86", "#a9a6a1", "#6f6b67")
_GROUNDS = ("#dcebe8", "#efe6d6", "#e4e6f0", "#ece0e2", "#e3ead9", "#dfe8ef")
_CLOTHES = ("#35635f", "#5c6f8f", "#8a5a4d", "#6c6a4a", "#4d4f63", "#7a6681", "#94743c")


def face(seed: int, sex: str, age: int) -> bytes:
    """An SVG, square: head and shoulders."""
    rng = Random(f"face {seed}")
    skin, shade = rng.choices(_SKINS, (4, 5, 4, 2, 1))[0]
    grey = age > 58 or (age > 48 and rng.random() < 0.35)
    hair = rng.choice(_GREYS if grey else _HAIRS)
    width, chin = rng.choice((34, 36, 38, 40)), rng.choice((124, 127, 130))
    parts = [
        f'<rect width="160" height="160" fill="{rng.choice(_GROUNDS)}"/>',
        *_behind(rng, sex, hair),
        *_shoulders(rng, shade),
        _ear(80 - width, skin, shade),
        _ear(80 + width, skin, shade),
        _head(width, chin, skin),
        *_hair(rng, sex, hair, width, age),
        *_brows(rng, hair),
        *_eyes(rng),
        *_nose(rng, shade),
        *_mouth(rng, age, shade),
    ]
    if sex == "male" and rng.random() < 0.28:
        parts += _beard(rng, hair, width, chin)
    if age > 50:
        parts += _lines(rng, shade)
    if rng.random() < 0.34:
        parts += _glasses(rng)
    drawn = "".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="18 24 124 124">{drawn}</svg>'.encode()


def _line(path: str, colour: str, width: float) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round"/>'


def _fill(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="{colour}"/>'


def _head(width: int, chin: int, skin: str) -> str:
    left, right = 80 - width, 80 + width
    return _fill(
        f"M{left} 74C{left} 36 {right} 36 {right} 74C{right} 104 {80 + width * 0.62:.1f} {chin} 80 {chin}"
        f"C{80 - width * 0.62:.1f} {chin} {left} 104 {left} 74Z",
        skin,
    )


def _ear(x: int, skin: str, shade: str) -> str:
    return f'<ellipse cx="{x}" cy="82" rx="6" ry="9" fill="{skin}" stroke="{shade}" stroke-width="1.5"/>'


def _shoulders(rng: Random, shade: str) -> list[str]:
    clothes = rng.choice(_CLOTHES)
    parts = [
        _fill("M66 112H94V140H66Z", shade),
        _fill("M22 160C24 138 46 132 66 129L80 142L94 129C114 132 136 138 138 160Z", clothes),
    ]
    collar = rng.randrange(3)
    if collar == 0:
        parts.append(_line("M66 129L80 143L94 129", "#f4f1ea", 4))
    elif collar == 1:
        parts.append(_line("M64 131C70 142 90 142 96 131", "#00000033", 3))
    return parts


def _behind(rng: Random, sex: str, hair: str) -> list[str]:
    """Long hair lies behind the head and the shoulders."""
    if sex == "male" or rng.random() < 0.3:
        return []
    low = rng.choice((120, 134, 146))
    return [_fill(f"M38 74C36 22 124 22 122 74L126 {low}C112 {low + 6} 48 {low + 6} 34 {low}Z", hair)]


def _hair(rng: Random, sex: str, hair: str, width: int, age: int) -> list[str]:
    left, right = 78 - width, 82 + width
    style = rng.randrange(5)
    if sex == "male" and age > 45 and rng.random() < 0.3:
        # Only the sides are left.
        return [
            _fill(f"M{left} 78C{left - 2} 62 {left + 4} 54 {left + 10} 52L{left + 9} 74Z", hair),
            _fill(f"M{right} 78C{right + 2} 62 {right - 4} 54 {right - 10} 52L{right - 9} 74Z", hair),
        ]
    top = f"M{left} 76C{left - 4} 26 {right + 4} 26 {right} 76"
    fringes = (
        f"L{right - 6} 62C{right - 20} 54 {left + 20} 54 {left + 6} 62Z",
        f"C{right - 4} 58 {right - 26} 50 {left + 18} 60C{left + 8} 62 {left + 4} 70 {left} 76Z",
        f"C{right - 8} 56 {left + 26} 62 {left + 4} 58Z",
        f"L{right - 5} 64L{right - 16} 54L{right - 26} 62L80 52L{left + 26} 62L{left + 16} 54L{left + 5} 64Z",
        f"C{right - 6} 48 {left + 6} 48 {left} 76Z",
    )
    return [_fill(top + fringes[style], hair)]


def _brows(rng: Random, hair: str) -> list[str]:
    lift, thick = rng.choice((0, 1, 2)), rng.choice((2.5, 3, 3.5))
    return [
        _line(f"M57 {72 - lift}Q65 {68 - lift} 72 {72 - lift}", hair, thick),
        _line(f"M88 {72 - lift}Q95 {68 - lift} 103 {72 - lift}", hair, thick),
    ]


def _eyes(rng: Random) -> list[str]:
    size = rng.choice((2.8, 3.2, 3.6))
    parts = []
    for x in (65, 95):
        parts.append(f'<ellipse cx="{x}" cy="81" rx="{size}" ry="{size + 0.6:.1f}" fill="#2b2522"/>')
        parts.append(f'<circle cx="{x + 1}" cy="79.6" r="1" fill="#ffffff"/>')
    if rng.random() < 0.5:
        parts += [
            _line("M59 78Q65 74.5 71 78", "#2b2522", 1.6),
            _line("M89 78Q95 74.5 101 78", "#2b2522", 1.6),
        ]
    return parts


def _nose(rng: Random, shade: str) -> list[str]:
    return [_line(rng.choice(("M80 84Q76 94 81 95", "M79 86L76 95H83", "M76 95Q80 98 84 95")), shade, 2.4)]


def _mouth(rng: Random, age: int, shade: str) -> list[str]:
    y = rng.choice((105, 107, 109))
    deep = rng.choice((3, 5, 7))
    colour = "#a3574d" if age < 60 else "#94605a"
    parts = [_line(f"M69 {y}Q80 {y + deep} 91 {y}", colour, 2.8)]
    if deep == 7:
        parts.append(_line(f"M66 {y - 2}Q65 {y} 67 {y + 2}", shade, 1.6))
    return parts


def _beard(rng: Random, hair: str, width: int, chin: int) -> list[str]:
    if rng.random() < 0.5:
        return [_line("M70 101Q80 97 90 101", hair, 3)]
    return [f'<ellipse cx="80" cy="{chin - 6}" rx="9" ry="5" fill="{hair}" fill-opacity="0.75"/>']


def _lines(rng: Random, shade: str) -> list[str]:
    parts = [_line("M64 100Q62 104 64 109", shade, 1.6), _line("M96 100Q98 104 96 109", shade, 1.6)]
    if rng.random() < 0.6:
        parts.append(_line("M68 62Q80 59 92 62", shade, 1.4))
    return parts


def _glasses(rng: Random) -> list[str]:
    colour = rng.choice(("#33302d", "#5a4636", "#46545c"))
    frame = f'fill="#ffffff" fill-opacity="0.18" stroke="{colour}" stroke-width="2.2"'
    if rng.random() < 0.5:
        lenses = [f'<circle cx="{x}" cy="81" r="11" {frame}/>' for x in (65, 95)]
    else:
        lenses = [f'<rect x="{x}" y="72" width="23" height="18" rx="5" {frame}/>' for x in (53.5, 83.5)]
    return [*lenses, _line("M76 80Q80 77 84 80", colour, 2.2), _line("M54 79L46 77M106 79L114 77", colour, 2)]
