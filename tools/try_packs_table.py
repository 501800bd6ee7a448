"""What became of the packs that were tried, and the table of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Tried:
    """What became of a pack.

    Attributes:
        install: the command that its report gives.
        advice: such commands that were followed before.
        seconds: of its import.
        ran: the classes of nodes that ran; `lacking`, `complains`, `failed`: the others, with the
            reason. A node complains if its own code refuses the generated values.
    """

    name: str
    state: str = "not started"
    error: str = ""
    install: str = ""
    advice: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    nodes: int = 0
    ran: list[str] = field(default_factory=list[str])
    lacking: dict[str, str] = field(default_factory=dict[str, str])
    complains: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def share(self) -> float:
        """Of the nodes that need nothing which is not here, the share that ran."""
        tried = len(self.ran) + len(self.failed)
        return len(self.ran) / tried if tried else 1.0


def table(results: list[Tried]) -> str:
    """The results in Markdown."""
    lines = [
        "| pack | imports | seconds | nodes | ran | need what is not here | complain | failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in results:
        imports = "yes" if each.state == "loaded" else f"{each.state}: {each.error[:120]}"
        rest = f"{len(each.lacking)} | {len(each.complains)} | {len(each.failed)}"
        numbers = f"{len(each.ran)} ({each.share:.0%}) | {rest}"
        lines.append(f"| {each.name} | {imports} | {each.seconds:.1f} | {each.nodes} | {numbers} |")
    return "\n".join(lines)
