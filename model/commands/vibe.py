"""`run.py vibe …`: likes and dislikes from the command line.

In: parsed flags. Out: lines for a person, or with `--json` one JSON object as the last line of stdout; an
exit code. Parsing imports nothing heavy; the encoder is loaded by the commands that look at pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.commands.answers import Answer, parsers, shared_flags, tell
from model.errors import ConfigError

if TYPE_CHECKING:
    from model.memory.vibe.exchange import ImportReport
    from model.memory.vibe.taste import Influence
    from model.run.vibe import VibeMemory


def run(flags: argparse.Namespace) -> int:
    """Run an action; returns the exit code. Raises the project's errors."""
    from model.run.vibe import VibeMemory, vibe_path

    if flags.memory is not None and flags.profile is not None:
        raise ConfigError("--memory, --profile: both name a file; use one of them")
    vibe = VibeMemory(flags.memory or vibe_path(flags.profile))
    return tell(ACTIONS[flags.action][1](vibe, flags), flags)


def _like(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    from model.memory.vibe.exchange import import_pictures

    liked = flags.action == "like"
    report = import_pictures(
        vibe, flags.pictures, liked=liked, category=flags.category or "general", weight=flags.weight
    )
    if not report.added and not report.known and report.complaints:
        raise ConfigError(report.complaints[0])
    facts = {flags.action + "d": report.added, **asdict(report), **_counts(vibe)}
    line = f"{report.added} {flags.action}d"
    if report.known:
        line += f", {report.known} known already"
    return Answer(
        facts=facts, lines=[*_noted(report), f"{line}; {_summary(vibe)}"], code=1 if report.skipped else 0
    )


def _stats(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    facts = vibe.get_statistics()
    lines = [_summary(vibe)]
    lines += [
        f"  {name}: {counts['liked']} liked, {counts['disliked']} disliked"
        for name, counts in facts["categories"].items()
    ]
    lines.append(
        f"{facts['generation_count']} pictures scored, {facts['average_score']:+.3f} on average; "
        f"{facts['filter_applications']} decisions; {facts['panels_seen']} panels seen"
    )
    return Answer(facts=facts, lines=lines)


def _score(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    scores = {str(path): vibe.score(path, flags.category) for path in flags.pictures}
    rows = [
        {"picture": path, "score": round(score, 6), "accepted": vibe.accepts(score)}
        for path, score in scores.items()
    ]
    lines = [f"{row['score']:+.3f}  {'yes' if row['accepted'] else 'no '}  {row['picture']}" for row in rows]
    facts = {"scores": rows, "threshold": vibe.settings.threshold, "available": vibe.eye.available()}
    return Answer(facts=facts, lines=lines)


def _explain(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    if len(flags.pictures) != 1:
        raise ConfigError(f"vibe explain: {len(flags.pictures)} pictures found; name one")
    found = vibe.explain(flags.pictures[0], flags.category, flags.top)
    facts = {
        "picture": str(flags.pictures[0]),
        "score": round(found.score, 6),
        "accepted": vibe.accepts(found.score),
        "influences": [_facts_of(vibe, influence) for influence in found.influences],
    }
    lines = [f"{found.score:+.3f}  {flags.pictures[0]}"]
    lines += [
        f"  {one['contribution']:+.3f}  {one['said']} {one['source'] or 'an embedding'}"
        f" ({one['category']}, similarity {one['similarity']:+.2f})"
        for one in facts["influences"]
    ]
    return Answer(facts=facts, lines=lines)


def _clear(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    gone = vibe.clear(flags.category)
    backup = vibe.path.with_name(f"{vibe.path.name}.bak")
    line = f"{gone} memories forgotten" + (f"; {backup} has them until the next change" if gone else "")
    return Answer(facts={"cleared": gone, **_counts(vibe)}, lines=[line])


def _optimize(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    before, after = vibe.optimize()
    line = f"{before} entries, now {after}: {before - after} exact copies merged, nothing lost"
    return Answer(facts={"before": before, "after": after}, lines=[line])


def _export(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    from model.memory.vibe.exchange import export_file

    count = export_file(vibe, flags.file, version=flags.format, compact=flags.compact)
    facts = {"exported": count, "file": str(flags.file), "format": flags.format}
    return Answer(facts=facts, lines=[f"{flags.file}: {count} memories, format {flags.format}"])


def _import(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    from model.memory.vibe.exchange import import_file

    lines: list[str] = []
    reports: list[dict[str, Any]] = []
    for path in flags.files:
        report = import_file(vibe, path)
        reports.append({"file": str(path), **asdict(report)})
        lines += _noted(report)
        lines.append(
            f"{path}: format {report.version}, {report.added} new, {report.known} known, "
            f"{report.skipped} skipped"
        )
    return Answer(facts={"imports": reports, **_counts(vibe)}, lines=[*lines, _summary(vibe)])


def _repair(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    done = vibe.repair()
    kept_as = None if done.kept_as is None else str(done.kept_as)
    facts = {**asdict(done), "kept_as": kept_as, **_counts(vibe)}
    if not done.needed:
        return Answer(facts=facts, lines=[f"{vibe.path}: nothing to repair"])
    line = f"{vibe.path}: {done.salvaged} memories saved from it, {done.from_backup} more from its .bak"
    return Answer(facts=facts, lines=[line + (f"; the damaged file is {kept_as}" if kept_as else "")])


def _analytics(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    from model.memory.vibe.analytics import draw_analytics
    from model.memory.vibe.report import calibrate

    out = flags.out or vibe.path.with_suffix(".png")
    vectors = [memory.vector.size for memory in vibe.memories]
    found = calibrate(vibe.taste(vectors[-1] if vectors else 1))
    draw_analytics(vibe, found, out)
    facts = {"picture": str(out), "calibration": asdict(found), **_counts(vibe)}
    lines = [str(out)]
    if found.count:
        lines.append(f"by the rest of the memories: AUC {found.auc:.2f}, Brier score {found.brier:.3f}")
    return Answer(facts=facts, lines=lines)


def _profiles(vibe: VibeMemory, flags: argparse.Namespace) -> Answer:
    from model.memory.vibe.exchange import profiles
    from model.run.vibe import vibe_path

    names = profiles(vibe_path())
    return Answer(
        facts={"profiles": list(names)},
        lines=list(names) or ["no profiles; --profile NAME with 'like' makes one"],
    )


def _noted(report: ImportReport) -> list[str]:
    return [f"note: {complaint}" for complaint in report.complaints]


def _counts(vibe: VibeMemory) -> dict[str, int]:
    statistics = vibe.get_statistics()
    return {"total_liked": statistics["liked"], "total_disliked": statistics["disliked"]}


def _summary(vibe: VibeMemory) -> str:
    counts = _counts(vibe)
    return f"{vibe.path}: {counts['total_liked']} liked, {counts['total_disliked']} disliked"


def _facts_of(vibe: VibeMemory, influence: Influence) -> dict[str, Any]:
    memory = influence.memory
    picture = vibe.picture_of(memory)
    return {
        "contribution": round(influence.contribution, 6),
        "similarity": round(influence.similarity, 6),
        "said": "liked" if memory.liked else "disliked",
        "category": memory.category,
        "weight": memory.weight,
        "source": memory.fact("source"),
        "picture": None if picture is None else str(picture),
    }


ACTIONS: dict[str, tuple[str, Callable[[VibeMemory, argparse.Namespace], Answer]]] = {
    "like": ("mark pictures, or folders of pictures, as liked", _like),
    "dislike": ("mark them as disliked", _like),
    "stats": ("show what is remembered, and how it was used", _stats),
    "score": ("score pictures by how much you would like them, −1 to 1", _score),
    "explain": ("show which memories moved a picture's score", _explain),
    "clear": ("forget a category, or everything", _clear),
    "optimize": ("merge exact copies; nothing is lost", _optimize),
    "export": ("write a file of format 1 or 2", _export),
    "import": ("read files of format 1 or 2; importing again changes nothing", _import),
    "merge": ("the same as import", _import),
    "repair": ("restore a damaged file from itself and its .bak", _repair),
    "analytics": ("draw a chart of what you like and how reliable scores are", _analytics),
    "profiles": ("list the profiles", _profiles),
}


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py vibe`."""
    shared = shared_flags()
    shared.add_argument(
        "--memory", type=Path, metavar="FILE", help="the vibe memory's file (default: VIBE_MEMORY_PATH)"
    )
    shared.add_argument("--profile", metavar="NAME", help="a separate memory of this name")
    about = "What you like and dislike; runs keep the panels that fit it."
    top, made = parsers("vibe", about, {name: text for name, (text, _) in ACTIONS.items()}, shared)
    for name in ("like", "dislike", "score", "explain"):
        made[name].add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    for name in ("like", "dislike", "score", "explain", "clear"):
        made[name].add_argument("--category", metavar="NAME", help="such as portraits (default: all)")
    for name in ("like", "dislike"):
        made[name].add_argument(
            "--weight", type=float, default=1.0, metavar="X", help="how much it counts (default: 1)"
        )
    made["explain"].add_argument(
        "--top", type=int, default=5, metavar="N", help="memories to name (default: 5)"
    )
    made["export"].add_argument("file", type=Path, metavar="FILE")
    made["export"].add_argument("--format", type=int, choices=(1, 2), default=2, help="(default: 2)")
    made["export"].add_argument("--compact", action="store_true", help="smaller; only this program reads it")
    for name in ("import", "merge"):
        made[name].add_argument("files", nargs="+", type=Path, metavar="FILE")
    made["analytics"].add_argument("--out", type=Path, metavar="PNG", help="(default: beside the memory)")
    return top
