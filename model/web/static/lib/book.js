// The book that is open: its story and pages as the server has them, and how they are changed. Every change is
// an edit that the server saves at once; what is typed or dragged is shown by a preview first.
import { get, post, Refusal } from "./api.js";
import { client, on } from "./events.js";
import { batch, signal } from "./ui.js";

/** @typedef {import("../types.js").BookView} BookView */
/** @typedef {import("../types.js").PageView} PageView */
/** @typedef {import("../types.js").PanelView} PanelView */
/** @typedef {import("../types.js").Edited} Edited */
/** @typedef {import("../types.js").Conflict} Conflict */
/** @typedef {import("../types.js").EditRequest["edits"][number]} Edit */

export const book = signal(/** @type {BookView|null} */ (null));
export const pages = signal(/** @type {Map<number, PageView>} */ (new Map()));
/** What a preview shows instead of a page. */
export const drafts = signal(/** @type {Map<number, PageView>} */ (new Map()));
export const saving = signal(/** @type {"saved"|"saving"|"unsaved"|"failed"} */ ("saved"));
export const trouble = signal("");
export const conflict = signal(/** @type {(Conflict & {edits: Edit[], what: string})|null} */ (null));

let name = "";
/** Edits wait for each other: the base of one is the revision that the one before gave. */
let line = Promise.resolve();
let pending = 0;

const root = () => `api/books/${name}`;

/** @param {string} next */
export async function openBook(next) {
  if (next !== name) batch(() => { book.value = null; pages.value = new Map(); drafts.value = new Map(); trouble.value = ""; saving.value = "saved"; conflict.value = null; });
  name = next;
  try {
    const view = await get(root());
    if (next === name) book.value = view;
  } catch (error) {
    if (next === name) trouble.value = /** @type {Error} */ (error).message;
  }
}

/** @param {number} number */
export async function loadPage(number) {
  const of = name;
  try {
    const page = await get(`${root()}/pages/${number}`);
    if (of === name) pages.value = new Map(pages.value).set(number, page);
  } catch (error) {
    if (of === name && book.value && number <= book.value.page_count) trouble.value = /** @type {Error} */ (error).message;
  }
}

/** The book and the pages that were seen, once more. */
export async function reload() {
  if (!name) return;
  const known = [...pages.value.keys()];
  await openBook(name);
  const count = book.value?.page_count ?? 0;
  pages.value = new Map([...pages.value].filter(([number]) => number <= count));
  await Promise.all(known.filter((number) => number <= count).map(loadPage));
}

/** @param {Edited} edited @param {boolean} [all] other pages changed, too */
function take(edited, all = false) {
  const now = book.value;
  if (!now) return;
  const next = new Map(all ? [] : pages.value);
  for (const page of edited.pages) next.set(page.number, page);
  const { revision, story, cost, can_undo, can_redo, notes } = edited;
  const stories = /** @type {any} */ (story);
  batch(() => {
    book.value = { ...now, revision, story, cost, can_undo, can_redo, notes, page_count: stories.pages.length, panels: statesOf(now, edited.pages) };
    pages.value = next;
    drafts.value = new Map();
    trouble.value = "";
  });
}

/** The list of panels, with what the pages say. @param {BookView} now @param {PageView[]} changed */
function statesOf(now, changed) {
  const seen = new Map(changed.flatMap((page) => page.panels.map((panel) => [panel.id, panel])));
  return now.panels.map((state) => {
    const panel = seen.get(state.id);
    return panel ? { ...state, picture: panel.picture, locked: panel.locked, stale: panel.stale, accepted: panel.accepted, tries: panel.tries } : state;
  });
}

const STRUCTURE = /^(add|remove|move|split|merge)_(panel|panels|page|pages)$|^set_story$|^replace_story$|^(set|remove)_character$|^set_variant$/;

/**
 * Save edits; resolves to whether they were taken.
 * @param {Edit[]} edits @param {string} [what] for the history
 * @returns {Promise<boolean>}
 */
export function edit(edits, what = "") {
  return inLine(async () => {
    const base = book.value?.revision ?? 0;
    const edited = await post(`${root()}/edits`, { base, edits, what, client }).catch((error) => {
      if (error instanceof Refusal && error.status === 409 && error.body?.theirs) conflict.value = { ...error.body, edits, what };
      throw error;
    });
    const structure = edits.some((one) => STRUCTURE.test(one.do));
    const shown = [...pages.value.keys()];
    take(edited, structure);
    if (structure) await refresh(shown);
  });
}

/** The list of panels is another one. @param {number[]} shown */
async function refresh(shown) {
  book.value = await get(root());
  const count = book.value?.page_count ?? 0;
  await Promise.all(shown.filter((number) => number <= count && !pages.value.has(number)).map(loadPage));
}

/** @param {"undo"|"redo"|`revert/${number}`} way */
export function travel(way) {
  return inLine(async () => {
    const shown = [...pages.value.keys()];
    take(await post(`${root()}/${way}`, { base: book.value?.revision ?? 0, client }), true);
    await refresh(shown);
  });
}

/** @param {() => Promise<void>} work @returns {Promise<boolean>} */
function inLine(work) {
  pending += 1;
  saving.value = "saving";
  const done = line.then(work).then(() => true, (error) => {
    drafts.value = new Map();
    trouble.value = error.message;
    saving.value = "failed";
    return false;
  });
  line = done.then((good) => {
    pending -= 1;
    if (good && !pending) saving.value = "saved";
  });
  return done;
}

let wanted = 0;
/**
 * Show how edits would look; saves nothing. Only the newest preview counts.
 * @param {Edit[]} edits @param {number[]} numbers pages @returns {Promise<string>} why it cannot be, or ""
 */
export async function preview(edits, numbers) {
  const number = ++wanted, of = name;
  saving.value = "unsaved";
  await line;
  try {
    const previewed = await post(`${root()}/preview`, { base: book.value?.revision ?? 0, edits, pages: numbers });
    if (number !== wanted || of !== name) return "";
    drafts.value = new Map(previewed.pages.map((/** @type {PageView} */ page) => [page.number, page]));
    return previewed.pages.find((/** @type {PageView} */ page) => page.error)?.error ?? "";
  } catch (error) {
    return number === wanted ? /** @type {Error} */ (error).message : "";
  }
}

/** What was typed is given up: the page is as it was saved. */
export function dropDrafts() {
  wanted += 1;
  drafts.value = new Map();
  if (!pending) saving.value = "saved";
}

/** Which of the two versions stays, after a conflict. @param {"yours"|"theirs"} whose */
export async function settle(whose) {
  const now = conflict.value;
  if (!now) return;
  conflict.value = null;
  await reload();
  trouble.value = "";
  saving.value = "saved";
  if (whose === "yours" && now.yours) await edit([{ do: "replace_story", story: now.yours }], now.what || "my version of a conflict");
}

/** The story's own words of a panel. @param {string} id @returns {any} */
export function storyPanel(id) {
  const found = /^p(\d+)_(\d+)$/.exec(id);
  const story = /** @type {any} */ (book.value?.story);
  return found ? story?.pages?.[Number(found[1]) - 1]?.panels?.[Number(found[2]) - 1] : undefined;
}

/** @returns {Record<string, any>} the story's characters */
export const characters = () => /** @type {any} */ (book.value?.story)?.characters ?? {};

let soon = 0;
/** Pictures come one after the other: one look at the server for all of a moment. */
function reloadSoon() {
  clearTimeout(soon);
  soon = setTimeout(() => line.then(reload), 250);
}

on("revision", (event) => { if (event.book === name && event.client !== client && event.revision !== book.value?.revision) reloadSoon(); });
on("resync", reloadSoon);
for (const kind of ["chosen", "cast", "settings", "judged", "drawn"]) on(kind, (event) => { if (event.book === name) reloadSoon(); });
on("job", (job) => { if (job.book === name && ["done", "failed", "cancelled"].includes(job.state)) reloadSoon(); });
