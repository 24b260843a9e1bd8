"""What the studio's requests and answers are made of; the front end's types are generated from these.

Boxes of figures are fractions of the panel's picture; places on a page are points (1/72 inch) of the sheet.
Pictures are named by their sha256 and fetched from `/api/blobs/<sha256>.png`. Knows nothing of how any of it
comes about.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model.web.edits import Box, Edit, Number, PanelId, Tree, Words

BookName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["first_light"])]
BlobName = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[int, Field(ge=0, lt=2**53)]
Point = tuple[float, float]
JobKind = Literal["draw", "panels", "redraw", "rehearse", "repair", "export", "download"]
JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Format = Literal["png", "pdf", "cbz", "html", "epub", "webtoon", "layers"]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Value):
    """Every refusal. `error` is one line: where, what was found, what was expected, what to do."""

    error: str
    kind: Literal["story", "request", "missing", "conflict", "machine", "storage", "damaged", "forbidden"]


class Health(Value):
    ok: bool
    version: str
    workspace: str


# Shelf


class BookCard(Value):
    """A book on the shelf. `cover`: an address of a picture, or empty; `drawn` of `panels` have a picture."""

    name: BookName
    title: str
    pages: int
    panels: int
    drawn: int
    cover: str = ""
    changed: float
    revision: Revision
    drawing: bool = False
    broken: str = ""


class ExampleCard(Value):
    name: str
    title: str
    pages: int
    panels: int


class BinCard(Value):
    """A deleted book. `entry` names it in the bin."""

    entry: str
    title: str
    deleted: float


class Shelf(Value):
    books: list[BookCard]
    examples: list[ExampleCard]
    bin: list[BinCard]


class NewBook(Value):
    """A new book: from an example, as a copy of another, from a story, or from nothing."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    example: Annotated[str, Field(pattern=r"^[\w-]{1,64}$")] | None = None
    copy_of: BookName | None = None
    story: Tree | None = None


class Stored(Value):
    """A picture that is in the library now."""

    picture: str


class Rename(Value):
    title: Annotated[str, Field(min_length=1, max_length=200)]


# A page as it will be printed


class FrameView(Value):
    """A panel's place on the sheet, in points: its rectangle, and its corners from the top left one round."""

    x: float
    y: float
    width: float
    height: float
    corners: tuple[Point, Point, Point, Point]
    inset: bool = False


class TextView(Value):
    """One set line: `x` of its left end, its baseline; in points on the sheet."""

    text: str
    x: float
    baseline: float
    vertical: bool = False


class BalloonView(Value):
    """One balloon. `line`: which line of the panel's `dialogue` it sets; -1 the caption; -2 words of a
    prompt.

    A long line may have several, of which all but the first are `joined`. `shapes` are SVG path data, filled
    with `fill` and stroked with `stroke`; `words` is the path of its letters, exactly as printed.
    """

    line: int
    kind: str
    text: str
    x: float
    y: float
    width: float
    height: float
    shapes: list[str]
    fill: str
    stroke: str
    stroke_width: float
    dashes: list[float] = []
    words: str
    ink: str
    rims: list[tuple[str, float]] = []
    size: float
    lines: list[TextView]
    joined: bool = False
    held: bool = False


class FigureView(Value):
    """One figure of a panel: as planned (`box`), and as the story says it (`given`: it has a box of its
    own)."""

    figure: int
    id: str
    variant: str = ""
    name: str
    box: Box
    given: bool
    found: tuple[float, float, float, float] | None = None
    prompt: str


class PanelView(Value):
    """One panel of a page: its frame, the part `window` of `picture` that fills it, balloons, figures.

    `width` and `height`: pixels it is drawn in. `stale`: in words, why its picture is not what the story asks
    for now; empty: it is. `tries`: how many there are.
    """

    id: PanelId
    frame: FrameView
    window: Box
    picture: str = ""
    width: int
    height: int
    balloons: list[BalloonView]
    figures: list[FigureView]
    stale: str = ""
    locked: bool = False
    accepted: bool | None = None
    tries: int = 0


class PageView(Value):
    """One page, `width` by `height` points. `error`: why it cannot be set, such as a text without room."""

    number: int
    width: float
    height: float
    template: str
    panels: list[PanelView]
    notes: list[str] = []
    error: str = ""


# Books and edits


class Cost(Value):
    """What drawing the book would do now: panels and looks to be drawn, and seconds, when that is known."""

    panels: list[str]
    cast: list[str]
    seconds: float | None = None


class PanelState(Value):
    """A panel in the book's list, without its geometry."""

    id: PanelId
    page: int
    picture: str = ""
    locked: bool = False
    stale: str = ""
    accepted: bool | None = None
    tries: int = 0


class BookView(Value):
    """A book that is open. `story` is the story file as JSON; `pages` are fetched one by one."""

    card: BookCard
    revision: Revision
    story: Tree
    page_count: int
    panels: list[PanelState]
    cost: Cost
    can_undo: str = ""
    can_redo: str = ""
    notes: list[str] = []
    settings: Tree
    templates: list[str]


class EditRequest(Value):
    """Edits based on revision `base`: all are taken, or none. `what`: for the history, in words."""

    base: Revision
    edits: Annotated[list[Edit], Field(min_length=1, max_length=200)]
    what: Annotated[str, Field(max_length=200)] = ""
    client: Annotated[str, Field(max_length=64)] = ""


class PreviewRequest(Value):
    """The same without saving: how the pages named would look."""

    base: Revision
    edits: Annotated[list[Edit], Field(max_length=200)]
    pages: Annotated[list[Number], Field(max_length=8)]


class Move(Value):
    """Undo or redo from the revision that is shown."""

    base: Revision
    client: Annotated[str, Field(max_length=64)] = ""


class Edited(Value):
    """A saved edit: it survives whatever happens from here on. `pages`: those that the edits named, set
    again."""

    revision: Revision
    what: str
    story: Tree
    pages: list[PageView]
    cost: Cost
    can_undo: str = ""
    can_redo: str = ""
    notes: list[str] = []


class Previewed(Value):
    pages: list[PageView]
    cost: Cost
    notes: list[str] = []


class Conflict(Value):
    """An edit that was based on another revision than the newest: both stories, to choose from."""

    error: str
    kind: Literal["conflict"] = "conflict"
    base: Revision
    revision: Revision
    what: str
    yours: Tree | None
    theirs: Tree


class RevisionCard(Value):
    revision: Revision
    parent: Revision | None
    what: str
    time: float
    current: bool


# Tries


class TryView(Value):
    """One drawing of a panel. `reasons`: why it was not accepted, in words."""

    key: str
    attempt: int
    picture: str
    seed: int
    accepted: bool | None
    reasons: list[str]
    scores: dict[str, float]
    shown: bool
    kind: Literal["try", "repair"] = "try"
    liked: bool | None = None


class TriesView(Value):
    panel: PanelId
    tries: list[TryView]
    chosen: str = ""
    locked: bool = False


class Choice(Value):
    """The key of the try to show; empty lets the judge choose again."""

    key: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


# Jobs


class NewJob(Value):
    """What is to be done. `panel`: of redraw and repair; `panels`: of panels; `n`: tries of redraw;

    `box` (x, y, width, height in fractions) or `mask` (a picture that is white where it is wrong), and
    `words`: of repair; `formats`: of export; `name`: of download.
    """

    kind: JobKind
    book: BookName | None = None
    panel: PanelId | None = None
    panels: Annotated[list[PanelId], Field(max_length=2_000)] = []
    n: Annotated[int, Field(ge=1, le=16)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    box: Box | None = None
    mask: BlobName | None = None
    words: Words = ""
    formats: Annotated[list[Format], Field(max_length=8)] = []
    name: Annotated[str, Field(pattern=r"^[\w.-]{0,64}$")] = ""
    level: Annotated[str, Field(pattern=r"^[\w.-]{0,16}$")] = ""


class JobView(Value):
    """A job. `place`: its order in the queue; `done` of `total` pictures; `left`: seconds to go, if known."""

    id: int
    kind: JobKind
    book: str = ""
    title: str
    state: JobState
    place: float
    created: float
    started: float | None = None
    ended: float | None = None
    done: float = 0.0
    total: int = 0
    step: int = 0
    steps: int = 0
    stage: str = ""
    left: float | None = None
    drawn: int = 0
    seconds: float = 0.0
    message: str = ""
    args: Tree


class JobChange(Value):
    """What becomes of a job: paused, queued (goes on, or is tried again), cancelled; or another order."""

    state: Literal["queued", "paused", "cancelled"] | None = None
    before: int | None = None
    last: bool = False


class QueueView(Value):
    jobs: list[JobView]
    paused: bool
    seconds: float
    left: float | None = None


class QueueChange(Value):
    paused: bool


# Cast


class CandidateView(Value):
    picture: str
    similarity: float | None = None
    chosen: bool = False


class VersionView(Value):
    version: int
    picture: str
    source: str
    why: str
    time: float
    current: bool


class SeenView(Value):
    """Where a look was seen in this book: the panel, and the crop."""

    panel: str
    crop: str
    identity: float | None = None


class LookView(Value):
    """One look that the book needs. `character`: its number in the library; 0: it has no reference yet."""

    key: str
    id: str
    variant: str = ""
    name: str
    words: str
    prompt: str
    character: int = 0
    picture: str = ""
    source: str = ""
    approved: bool = False
    pinned: bool = False
    candidates: list[CandidateView]
    versions: list[VersionView]
    seen: list[SeenView]
    note: str = ""


class CastView(Value):
    looks: list[LookView]


class Approve(Value):
    """The picture that a look has from now on: one of its candidates, or of the book's sightings."""

    picture: BlobName


class Pin(Value):
    pinned: bool


# Vibe


class VibeEntry(Value):
    id: str
    liked: bool
    category: str
    weight: float
    time: float
    picture: str = ""
    source: str = ""


class VibeView(Value):
    """What is liked and disliked. `path`: of the memory's file."""

    path: str
    profiles: list[str]
    likes: int
    dislikes: int
    categories: dict[str, int]
    entries: list[VibeEntry]
    note: str = ""


class Opinion(Value):
    """What somebody thinks of a picture of the library; `liked` None takes the opinion back."""

    picture: BlobName
    liked: bool | None
    category: Annotated[str, Field(pattern=r"^[\w -]{1,64}$")] = "general"


class PanelScore(Value):
    panel: PanelId
    score: float
    picture: str


class ScoresView(Value):
    """The book's panels by their vibe score, -1 to 1, the threshold, and which it would send back."""

    scores: list[PanelScore]
    threshold: float
    max_retries: int
    counts: list[int]
    edges: list[float]
    known: bool


class Imported(Value):
    """What came of an import: new opinions, and those that were known."""

    added: int
    known: int
    notes: list[str]


class Influence(Value):
    picture: str
    liked: bool
    weight: float
    words: str


class Explained(Value):
    score: float | None
    words: list[str]
    influences: list[Influence] = []


# Chronicle


class MemoryView(Value):
    """One memory and the characters who know it. Page and panel count from 1; 0 means that it has none."""

    id: int
    page: int
    panel: int
    story: str
    chapter: int
    kind: str
    text: str
    speaker: str = ""
    known_by: list[str]
    by_hand: bool = False


class ChronicleView(Value):
    memories: list[MemoryView]
    people: list[str]


class NewMemoryRequest(Value):
    """A fact. With a panel, it is written into the story under `remember` there; without one it holds before
    the whole story, for those in `present`."""

    panel: PanelId | None = None
    base: Revision = 0
    text: Annotated[str, Field(min_length=1, max_length=2_000)]
    present: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=24)] = []
    client: Annotated[str, Field(max_length=64)] = ""


# Export, machine, search


class FileView(Value):
    name: str
    form: str
    bytes: int
    address: str
    stale: bool = False


class FilesView(Value):
    files: list[FileView]
    formats: list[str]


class ModelView(Value):
    """A model of the table. `here`: its weights are on this machine; `name`: for a download job; `model` and
    `model_variant`: for a book's settings."""

    name: str
    model: str
    model_variant: str = ""
    family: str
    here: bool
    licence: str = ""
    bytes: int = 0


class Finding(Value):
    name: str
    state: str
    text: str
    mend: str = ""


class MachineView(Value):
    """Models here and to be had, what the doctor found, and the settings that there are."""

    models: list[ModelView]
    findings: list[Finding]
    flags: list[FlagView]


class FlagView(Value):
    """One thing that can be set for a book."""

    name: str
    kind: str
    help: str
    choices: list[str]
    low: float | None = None
    high: float | None = None
    default: Any = None


class SettingsChange(Value):
    """How this book is drawn: flags of `run.py` by their names; None goes back to what the server was
    given."""

    values: Annotated[dict[str, Any], Field(max_length=40)]


class SettingsView(Value):
    """How a book is drawn: the server's flags and the book's own."""

    settings: Tree


class TemplateView(Value):
    """A template, and its frames in fractions of a page, in reading order."""

    name: str
    frames: list[tuple[float, float, float, float]]


class Hit(Value):
    """Where a text was found. `field`: "line 0", "scene", "prompt", "negative", "caption", "description",
    …"""

    book: BookName
    title: str
    panel: str = ""
    page: int = 0
    character: str = ""
    field: str
    text: str
    start: int
    end: int


class Hits(Value):
    hits: list[Hit]
    more: bool = False


class ReplaceRequest(Value):
    """Find and replace over a book. `preview`: nothing is saved, the hits are shown as they would read."""

    base: Revision
    find: Annotated[str, Field(min_length=1, max_length=200)]
    replace: Annotated[str, Field(max_length=1_000)]
    where: Annotated[list[Literal["lines", "prompts", "characters"]], Field(min_length=1, max_length=3)]
    case: bool = False
    preview: bool = True
    client: Annotated[str, Field(max_length=64)] = ""


class Replaced(Value):
    hits: list[Hit]
    edited: Edited | None = None
