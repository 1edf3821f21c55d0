"""The links between memories, gathered into a bounded graph and drawn as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from chrysalis_memory import ChrysalisMemory, Memory
from chrysalis_memory.cli.output import console, for_people, one_line, print_row, short_id

NODES_MAX: Final = 200
"""Nodes of one drawing: more than anyone reads, and a bound for graphs that grow like trees."""

_KINDS: Final = (
    ("parents", "follows from"),
    ("children", "leads to"),
    ("evidence", "is supported by"),
    ("related", "is related to"),
)


@dataclass(frozen=True)
class Links:
    """One memory and, for each kind of link, the ids at its other end."""

    memory: Memory
    parents: tuple[str, ...]
    children: tuple[str, ...]
    evidence: tuple[str, ...]
    related: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Memories by id, from the one in the middle outwards; ids without a memory were forgotten or never came."""

    root: str
    depth: int
    nodes: dict[str, Links]

    def to_dict(self) -> dict[str, Any]:
        """Nodes and edges; an edge leads from the memory that names the link."""
        edges = [
            {"from": identity, "to": other, "kind": kind}
            for identity, links in self.nodes.items()
            for kind in ("parents", "evidence", "related")
            for other in getattr(links, kind)
        ]
        nodes = [{"id": identity, "content": links.memory.content} for identity, links in self.nodes.items()]
        return {"root": self.root, "nodes": nodes, "edges": edges}


def gather(memory: ChrysalisMemory, middle: Memory, depth: int) -> Graph:
    """All memories at most `depth` links away, nearest first, up to `NODES_MAX`."""
    children = _children(memory, middle)
    nodes: dict[str, Links] = {}
    border = [middle.id]
    for _ in range(depth + 1):
        reached: dict[str, None] = {}
        for identity in border:
            links = _links(memory, identity, children)
            if links is not None and len(nodes) < NODES_MAX:
                nodes[identity] = links
                reached.update(dict.fromkeys(other for kind, _ in _KINDS for other in getattr(links, kind)))
        border = [identity for identity in reached if identity not in nodes]
    return Graph(middle.id, depth, nodes)


def _children(memory: ChrysalisMemory, middle: Memory) -> dict[str, list[str]]:
    """Who names whom as parent, among the descendants."""
    children: dict[str, list[str]] = {}
    for descendant in memory.descendants(middle.id):
        for parent in descendant.parents:
            children.setdefault(parent, []).append(descendant.id)
    return children


def _links(memory: ChrysalisMemory, identity: str, children: dict[str, list[str]]) -> Links | None:
    found = memory.get(identity)
    if found is None:
        return None
    return Links(found, found.parents, tuple(children.get(identity, ())), found.evidence, found.related)


def draw(graph: Graph) -> None:
    """A tree on a terminal, an edge a line in a pipe."""
    if for_people():
        tree = Tree(_label(graph, graph.root))
        _grow(tree, graph, graph.root, {graph.root}, graph.depth)
        console().print(tree)
        return
    for edge in graph.to_dict()["edges"]:
        print_row(edge["from"], edge["kind"], edge["to"])


def _grow(tree: Tree, graph: Graph, identity: str, shown: set[str], depth: int) -> None:
    if depth == 0 or identity not in graph.nodes:
        return
    for kind, others in _kinds(graph.nodes[identity], shown):
        branch = tree.add(Text(kind, style="cyan"))
        shown.update(others)
        for other in others:
            _grow(branch.add(_label(graph, other)), graph, other, shown, depth - 1)


def _kinds(links: Links, shown: set[str]) -> Iterator[tuple[str, list[str]]]:
    for kind, words in _KINDS:
        if others := [other for other in getattr(links, kind) if other not in shown]:
            yield words, others


def _label(graph: Graph, identity: str) -> Text:
    label = Text(no_wrap=True, overflow="ellipsis").append(short_id(identity), style="bold")
    links = graph.nodes.get(identity)
    words = one_line(links.memory.content) if links else "not here: forgotten, expired or beyond the drawing"
    return label.append(f"  {words}", style="" if links else "dim")
