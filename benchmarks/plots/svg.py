"""A drawing as text: no library, no font from elsewhere, and the reader's light or dark."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

__all__ = ["Drawing"]

_STYLE = """
svg { color-scheme: light dark; }
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 13px; fill: #1f2328; }
.quiet { fill: #59636e; font-size: 12px; }
.title { font-size: 14px; font-weight: 600; }
.strong { font-weight: 600; }
.ground { fill: #ffffff; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.mark { stroke-width: 2; fill: none; }
.c0 { stroke: #0969da; } .f0 { fill: #0969da; }
.c1 { stroke: #bc4c00; } .f1 { fill: #bc4c00; }
.c2 { stroke: #1a7f37; } .f2 { fill: #1a7f37; }
.c3 { stroke: #6e7781; } .f3 { fill: #6e7781; }
.dashed { stroke-dasharray: 5 4; }
.thin { stroke-width: 1.2; }
.faint { stroke-width: 1; opacity: 0.6; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .quiet { fill: #9198a1; } .ground { fill: #0d1117; } .grid { stroke: #2b333d; }
.c0 { stroke: #58a6ff; } .f0 { fill: #58a6ff; } .c1 { stroke: #f0883e; } .f1 { fill: #f0883e; }
.c2 { stroke: #3fb950; } .f2 { fill: #3fb950; } .c3 { stroke: #8b949e; } .f3 { fill: #8b949e; }
}
"""


class Drawing:
    """Lines, dots and words on a ground of its own; (0, 0) is the upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" aria-label={quoteattr(title)}>',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{height}" rx="8"/>',
        ]

    def text(self, x: float, y: float, words: str, *, style: str = "", anchor: str = "start") -> None:
        """Words whose base line starts, ends or has its middle at the point."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """A straight line."""
        self._parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>')

    def path(self, points: list[tuple[float, float]], style: str) -> None:
        """A line through the points."""
        through = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{through}" class="{style}"/>')

    def dot(self, x: float, y: float, style: str, radius: float = 4.5) -> None:
        """A filled circle."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{style}"/>')

    def __str__(self) -> str:
        return "\n".join([*self._parts, "</svg>"]) + "\n"
