// Made by `python -m scripts.studio.types` from the server's OpenAPI document; not edited by hand.

export interface AddFigure {
  do: "add_figure";
  panel: string;
  id: string;
  box?: [number, number, number, number] | null;
}

/** A new line at `line`; those from there on move back. */
export interface AddLine {
  do: "add_line";
  panel: string;
  line: number;
  text: string;
  kind?: "speech" | "thought" | "shout" | "whisper" | "narration" | "sfx";
  speaker?: string | null;
}

/** A new page with one empty panel, which becomes page `page` (from 1). */
export interface AddPage {
  do: "add_page";
  page: number;
}

/** A new panel on a page (from 1), before the one that stands at `index` (from 0). */
export interface AddPanel {
  do: "add_panel";
  page: number;
  index: number;
  values?: Record<string, any>;
}

/** The picture that a look has from now on: one of its candidates, or of the book's sightings. */
export interface Approve {
  picture: string;
}

/** One balloon. `line`: which line of the panel's `dialogue` it sets; -1 the caption; -2 words of a prompt. A long line may have several, of which all but the first are `joined`. `shapes` are SVG path data, filled with `fill` and stroked with `stroke`; `words` is the path of its letters, exactly as printed. */
export interface BalloonView {
  line: number;
  kind: string;
  text: string;
  x: number;
  y: number;
  width: number;
  height: number;
  shapes: string[];
  fill: string;
  stroke: string;
  stroke_width: number;
  dashes: number[];
  words: string;
  ink: string;
  rims: ([string, number])[];
  size: number;
  lines: TextView[];
  joined: boolean;
  held: boolean;
}

/** A deleted book. `entry` names it in the bin. */
export interface BinCard {
  entry: string;
  title: string;
  deleted: number;
}

/** A book on the shelf. `cover`: an address of a picture, or empty; `drawn` of `panels` have a picture. */
export interface BookCard {
  name: string;
  title: string;
  pages: number;
  panels: number;
  drawn: number;
  cover: string;
  changed: number;
  revision: number;
  drawing: boolean;
  broken: string;
}

/** A book that is open. `story` is the story file as JSON; `pages` are fetched one by one. */
export interface BookView {
  card: BookCard;
  revision: number;
  story: Record<string, any>;
  page_count: number;
  panels: PanelState[];
  cost: Cost;
  can_undo: string;
  can_redo: string;
  notes: string[];
  settings: Record<string, any>;
  templates: string[];
}

export interface CandidateView {
  picture: string;
  similarity: number | null;
  chosen: boolean;
}

export interface CastView {
  looks: LookView[];
}

/** The key of the try to show; empty lets the judge choose again. */
export interface Choice {
  key: string;
}

export interface ChronicleView {
  memories: MemoryView[];
  people: string[];
}

/** An edit that was based on another revision than the newest: both stories, to choose from. */
export interface Conflict {
  error: string;
  kind: "conflict";
  base: number;
  revision: number;
  what: string;
  yours: Record<string, any> | null;
  theirs: Record<string, any>;
}

/** What drawing the book would do now: panels and looks to be drawn, and seconds, when that is known. */
export interface Cost {
  panels: string[];
  cast: string[];
  seconds: number | null;
}

/** Edits based on revision `base`: all are taken, or none. `what`: for the history, in words. */
export interface EditRequest {
  base: number;
  edits: (SetLine | AddLine | RemoveLine | MoveLine | MoveBalloon | SetPanel | SetFigure | AddFigure | RemoveFigure | AddPanel | RemovePanel | MovePanel | SplitPanel | MergePanels | AddPage | RemovePage | MovePage | SplitPage | MergePages | SetPage | SetCharacter | RemoveCharacter | SetVariant | SetStory | ReplaceStory)[];
  what?: string;
  client?: string;
}

/** A saved edit: it survives whatever happens from here on. `pages`: those that the edits named, set again. */
export interface Edited {
  revision: number;
  what: string;
  story: Record<string, any>;
  pages: PageView[];
  cost: Cost;
  can_undo: string;
  can_redo: string;
  notes: string[];
}

export interface ExampleCard {
  name: string;
  title: string;
  pages: number;
  panels: number;
}

export interface Explained {
  score: number | null;
  words: string[];
  influences: Influence[];
}

/** One figure of a panel: as planned (`box`), and as the story says it (`given`: it has a box of its own). */
export interface FigureView {
  figure: number;
  id: string;
  variant: string;
  name: string;
  box: [number, number, number, number];
  given: boolean;
  found: [number, number, number, number] | null;
  prompt: string;
}

export interface FileView {
  name: string;
  form: string;
  bytes: number;
  address: string;
  stale: boolean;
}

export interface FilesView {
  files: FileView[];
  formats: string[];
}

export interface Finding {
  name: string;
  state: string;
  text: string;
  mend: string;
}

/** One thing that can be set for a book. */
export interface FlagView {
  name: string;
  kind: string;
  help: string;
  choices: string[];
  low: number | null;
  high: number | null;
  default: any;
}

/** A panel's place on the sheet, in points: its rectangle, and its corners from the top left one round. */
export interface FrameView {
  x: number;
  y: number;
  width: number;
  height: number;
  corners: [[number, number], [number, number], [number, number], [number, number]];
  inset: boolean;
}

export interface Health {
  ok: boolean;
  version: string;
  workspace: string;
}

/** Where a text was found. `field`: "line 0", "scene", "prompt", "negative", "caption", "description", … */
export interface Hit {
  book: string;
  title: string;
  panel: string;
  page: number;
  character: string;
  field: string;
  text: string;
  start: number;
  end: number;
}

export interface Hits {
  hits: Hit[];
  more: boolean;
}

/** What came of an import: new opinions, and those that were known. */
export interface Imported {
  added: number;
  known: number;
  notes: string[];
}

export interface Influence {
  picture: string;
  liked: boolean;
  weight: number;
  words: string;
}

/** What becomes of a job: paused, queued (goes on, or is tried again), cancelled; or another order. */
export interface JobChange {
  state?: "queued" | "paused" | "cancelled" | null;
  before?: number | null;
  last?: boolean;
}

/** A job. `place`: its order in the queue; `done` of `total` pictures; `left`: seconds to go, if known. */
export interface JobView {
  id: number;
  kind: "draw" | "panels" | "redraw" | "rehearse" | "repair" | "export" | "download";
  book: string;
  title: string;
  state: "queued" | "running" | "paused" | "done" | "failed" | "cancelled";
  place: number;
  created: number;
  started: number | null;
  ended: number | null;
  done: number;
  total: number;
  step: number;
  steps: number;
  stage: string;
  left: number | null;
  drawn: number;
  seconds: number;
  message: string;
  args: Record<string, any>;
}

/** One look that the book needs. `character`: its number in the library; 0: it has no reference yet. */
export interface LookView {
  key: string;
  id: string;
  variant: string;
  name: string;
  words: string;
  prompt: string;
  character: number;
  picture: string;
  source: string;
  approved: boolean;
  pinned: boolean;
  candidates: CandidateView[];
  versions: VersionView[];
  seen: SeenView[];
  note: string;
}

/** Models here and to be had, what the doctor found, and the settings that there are. */
export interface MachineView {
  models: ModelView[];
  findings: Finding[];
  flags: FlagView[];
}

/** One memory and the characters who know it. Page and panel count from 1; 0 means that it has none. */
export interface MemoryView {
  id: number;
  page: number;
  panel: number;
  story: string;
  chapter: number;
  kind: string;
  text: string;
  speaker: string;
  known_by: string[];
  by_hand: boolean;
}

/** A page takes the panels of the next. */
export interface MergePages {
  do: "merge_pages";
  page: number;
}

/** A panel and the next one on its page become one: the first's picture, the lines of both. */
export interface MergePanels {
  do: "merge_panels";
  panel: string;
}

/** A model of the table. `here`: its weights are on this machine; `name`: for a download job; `model` and `model_variant`: for a book's settings. */
export interface ModelView {
  name: string;
  model: string;
  model_variant: string;
  family: string;
  here: boolean;
  licence: string;
  bytes: number;
}

/** Undo or redo from the revision that is shown. */
export interface Move {
  base: number;
  client?: string;
}

/** Hold a line's balloon with its middle at `at`, fractions of the panel's frame; None lets it go. */
export interface MoveBalloon {
  do: "move_balloon";
  panel: string;
  line: number;
  at: [number, number] | null;
}

/** Read a line earlier or later in its panel. */
export interface MoveLine {
  do: "move_line";
  panel: string;
  line: number;
  to: number;
}

export interface MovePage {
  do: "move_page";
  page: number;
  to: number;
}

/** To a page (from 1) and a place on it (from 0); its pictures go with it. */
export interface MovePanel {
  do: "move_panel";
  panel: string;
  page: number;
  index: number;
}

/** A new book: from an example, as a copy of another, from a story, or from nothing. */
export interface NewBook {
  title?: string | null;
  example?: string | null;
  copy_of?: string | null;
  story?: Record<string, any> | null;
}

/** What is to be done. `panel`: of redraw and repair; `panels`: of panels; `n`: tries of redraw; `box` (x, y, width, height in fractions) or `mask` (a picture that is white where it is wrong), and `words`: of repair; `formats`: of export; `name`: of download. */
export interface NewJob {
  kind: "draw" | "panels" | "redraw" | "rehearse" | "repair" | "export" | "download";
  book?: string | null;
  panel?: string | null;
  panels?: string[];
  n?: number;
  seed?: number | null;
  box?: [number, number, number, number] | null;
  mask?: string | null;
  words?: string;
  formats?: ("png" | "pdf" | "cbz" | "html" | "epub" | "webtoon" | "layers")[];
  name?: string;
  level?: string;
}

/** A fact. With a panel, it is written into the story under `remember` there; without one it holds before the whole story, for those in `present`. */
export interface NewMemoryRequest {
  panel?: string | null;
  base?: number;
  text: string;
  present?: string[];
  client?: string;
}

/** What somebody thinks of a picture of the library; `liked` None takes the opinion back. */
export interface Opinion {
  picture: string;
  liked: boolean | null;
  category?: string;
}

/** One page, `width` by `height` points. `error`: why it cannot be set, such as a text without room. */
export interface PageView {
  number: number;
  width: number;
  height: number;
  template: string;
  panels: PanelView[];
  notes: string[];
  error: string;
}

export interface PanelScore {
  panel: string;
  score: number;
  picture: string;
}

/** A panel in the book's list, without its geometry. */
export interface PanelState {
  id: string;
  page: number;
  picture: string;
  locked: boolean;
  stale: string;
  accepted: boolean | null;
  tries: number;
}

/** One panel of a page: its frame, the part `window` of `picture` that fills it, balloons, figures. `width` and `height`: pixels it is drawn in. `stale`: in words, why its picture is not what the story asks for now; empty: it is. `tries`: how many there are. */
export interface PanelView {
  id: string;
  frame: FrameView;
  window: [number, number, number, number];
  picture: string;
  width: number;
  height: number;
  balloons: BalloonView[];
  figures: FigureView[];
  stale: string;
  locked: boolean;
  accepted: boolean | null;
  tries: number;
}

export interface Pin {
  pinned: boolean;
}

/** The same without saving: how the pages named would look. */
export interface PreviewRequest {
  base: number;
  edits: (SetLine | AddLine | RemoveLine | MoveLine | MoveBalloon | SetPanel | SetFigure | AddFigure | RemoveFigure | AddPanel | RemovePanel | MovePanel | SplitPanel | MergePanels | AddPage | RemovePage | MovePage | SplitPage | MergePages | SetPage | SetCharacter | RemoveCharacter | SetVariant | SetStory | ReplaceStory)[];
  pages: number[];
}

export interface Previewed {
  pages: PageView[];
  cost: Cost;
  notes: string[];
}

/** Every refusal. `error` is one line: where, what was found, what was expected, what to do. */
export interface Problem {
  error: string;
  kind: "story" | "request" | "missing" | "conflict" | "machine" | "storage" | "damaged" | "forbidden";
}

export interface QueueChange {
  paused: boolean;
}

export interface QueueView {
  jobs: JobView[];
  paused: boolean;
  seconds: number;
  left: number | null;
}

/** Take a character out of the story, and out of every panel; its lines stay, said by nobody. */
export interface RemoveCharacter {
  do: "remove_character";
  id: string;
}

export interface RemoveFigure {
  do: "remove_figure";
  panel: string;
  figure: number;
}

export interface RemoveLine {
  do: "remove_line";
  panel: string;
  line: number;
}

export interface RemovePage {
  do: "remove_page";
  page: number;
}

export interface RemovePanel {
  do: "remove_panel";
  panel: string;
}

export interface Rename {
  title: string;
}

/** Find and replace over a book. `preview`: nothing is saved, the hits are shown as they would read. */
export interface ReplaceRequest {
  base: number;
  find: string;
  replace: string;
  where: ("lines" | "prompts" | "characters")[];
  case?: boolean;
  preview?: boolean;
  client?: string;
}

/** The whole story, for whatever the others cannot say. */
export interface ReplaceStory {
  do: "replace_story";
  story: Record<string, any>;
}

export interface Replaced {
  hits: Hit[];
  edited: Edited | null;
}

export interface RevisionCard {
  revision: number;
  parent: number | null;
  what: string;
  time: number;
  current: boolean;
}

/** The book's panels by their vibe score, -1 to 1, the threshold, and which it would send back. */
export interface ScoresView {
  scores: PanelScore[];
  threshold: number;
  max_retries: number;
  counts: number[];
  edges: number[];
  known: boolean;
}

/** Where a look was seen in this book: the panel, and the crop. */
export interface SeenView {
  panel: string;
  crop: string;
  identity: number | null;
}

/** Set keys of a character: name, aliases, description; a character that is not there is added. */
export interface SetCharacter {
  do: "set_character";
  id: string;
  values: Record<string, any>;
}

/** Set keys of a figure: id, variant, box, action, expression, description; an empty value takes one out. */
export interface SetFigure {
  do: "set_figure";
  panel: string;
  figure: number;
  values: Record<string, any>;
}

/** Change a line of dialogue; what is left out stays. */
export interface SetLine {
  do: "set_line";
  panel: string;
  line: number;
  text?: string | null;
  kind?: "speech" | "thought" | "shout" | "whisper" | "narration" | "sfx" | null;
  speaker?: string | "" | null;
}

/** A template of its own ("" = the story's), or frames in percent of the page ([] = the template's). */
export interface SetPage {
  do: "set_page";
  page: number;
  template?: string | null;
  frames?: ([number, number, number, number])[] | null;
}

/** Set keys of a panel as the story file has them; an empty value takes a key out. Of: scene, shot, emphasis, prompt, negative, caption, text_in_image, draw_text, remember, seed, locked. */
export interface SetPanel {
  do: "set_panel";
  panel: string;
  values: Record<string, any>;
}

/** Set keys of the story: title, style, language, reading_direction, page, lettering. */
export interface SetStory {
  do: "set_story";
  values: Record<string, any>;
}

/** The words of an outfit or age; None takes it away. */
export interface SetVariant {
  do: "set_variant";
  id: string;
  variant: string;
  words: string | null;
}

/** How this book is drawn: flags of `run.py` by their names; None goes back to what the server was given. */
export interface SettingsChange {
  values: Record<string, any>;
}

/** How a book is drawn: the server's flags and the book's own. */
export interface SettingsView {
  settings: Record<string, any>;
}

export interface Shelf {
  books: BookCard[];
  examples: ExampleCard[];
  bin: BinCard[];
}

/** The panels from `index` (from 0) on go to a new page after this one. */
export interface SplitPage {
  do: "split_page";
  page: number;
  index: number;
}

/** Two panels of one: the second has the same scene and figures, and the lines from `line` on. */
export interface SplitPanel {
  do: "split_panel";
  panel: string;
  line: number;
}

/** A picture that is in the library now. */
export interface Stored {
  picture: string;
}

/** A template, and its frames in fractions of a page, in reading order. */
export interface TemplateView {
  name: string;
  frames: ([number, number, number, number])[];
}

/** One set line: `x` of its left end, its baseline; in points on the sheet. */
export interface TextView {
  text: string;
  x: number;
  baseline: number;
  vertical: boolean;
}

export interface TriesView {
  panel: string;
  tries: TryView[];
  chosen: string;
  locked: boolean;
}

/** One drawing of a panel. `reasons`: why it was not accepted, in words. */
export interface TryView {
  key: string;
  attempt: number;
  picture: string;
  seed: number;
  accepted: boolean | null;
  reasons: string[];
  scores: Record<string, number>;
  shown: boolean;
  kind: "try" | "repair";
  liked: boolean | null;
}

export interface VersionView {
  version: number;
  picture: string;
  source: string;
  why: string;
  time: number;
  current: boolean;
}

export interface VibeEntry {
  id: string;
  liked: boolean;
  category: string;
  weight: number;
  time: number;
  picture: string;
  source: string;
}

/** What is liked and disliked. `path`: of the memory's file. */
export interface VibeView {
  path: string;
  profiles: string[];
  likes: number;
  dislikes: number;
  categories: Record<string, number>;
  entries: VibeEntry[];
  note: string;
}
