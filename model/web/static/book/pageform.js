// The page and the book, when no panel is selected: templates by picture, order of pages, how the book is made.
import { get } from "../lib/api.js";
import { book, edit } from "../lib/book.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Field, Menu } from "../ui/basic.js";
import { DraftField } from "../ui/draft.js";
import { DrawForm } from "./drawform.js";
import { turnTo } from "./selection.js";

/** @typedef {{name: string, frames: [number, number, number, number][]}} Template */

/** @param {{page: import("../types.js").PageView}} props */
function Templates({ page }) {
  const [known, setKnown] = useState(/** @type {Template[]} */ ([]));
  const count = page.panels.length;
  useEffect(() => { if (count) get(`api/templates/${count}`).then(setKnown, () => setKnown([])); }, [count]);
  const story = /** @type {any} */ (book.value?.story)?.pages?.[page.number - 1];
  const own = story?.frames?.length ? "" : story?.template || "auto";
  return html`<section class="part" aria-label="Template"><h3>Template</h3><div class="templates">${known.map((one) => html`<button type="button" key=${one.name} class="template"
      aria-pressed=${one.name === own} onClick=${() => edit([{ do: "set_page", page: page.number, template: one.name === "auto" ? "" : one.name, frames: [] }], `template ${one.name}`)}>
    <svg viewBox=${`0 0 ${page.width} ${page.height}`} aria-hidden="true">${one.frames.map(([x, y, width, height], at) => html`<rect key=${at} x=${x * page.width} y=${y * page.height} width=${width * page.width} height=${height * page.height} />`)}</svg>
    <span>${one.name}</span></button>`)}</div></section>`;
}

/** @param {import("../types.js").PageView} page @returns {import("../ui/basic.js").Item[]} */
function menuOf(page) {
  const { number } = page, count = book.value?.page_count ?? 1;
  /** @param {any} one @param {string} what @param {number} next */
  const run = (one, what, next) => edit([one], what).then((good) => { if (good) turnTo(next); });
  return [
    { label: "Add a panel", icon: "plus", run: () => run({ do: "add_panel", page: number, index: page.panels.length }, "panel added", number) },
    { label: "New page before", icon: "plus", run: () => run({ do: "add_page", page: number }, "page added", number) },
    { label: "New page after", icon: "plus", run: () => run({ do: "add_page", page: number + 1 }, "page added", number + 1) },
    null,
    { label: "Earlier in the book", icon: "arrow-up", disabled: number === 1, run: () => run({ do: "move_page", page: number, to: number - 1 }, "page moved", number - 1) },
    { label: "Later in the book", icon: "arrow-down", disabled: number >= count, run: () => run({ do: "move_page", page: number, to: number + 1 }, "page moved", number + 1) },
    { label: "Split in the middle", icon: "split", disabled: page.panels.length < 2, run: () => run({ do: "split_page", page: number, index: Math.ceil(page.panels.length / 2) }, "page split", number) },
    { label: "Merge with the next", icon: "merge", disabled: number >= count, run: () => run({ do: "merge_pages", page: number }, "pages merged", number) },
    null,
    { label: "Remove the page", icon: "trash-2", danger: true, disabled: count === 1, run: () => run({ do: "remove_page", page: number }, "page removed", Math.max(1, number - 1)) },
  ];
}

const SIZES = ["b5", "us", "a4", "square", "webtoon"];

function BookForm() {
  const story = /** @type {any} */ (book.value?.story) ?? {};
  /** @param {string} key @param {any} value */
  const set = (key, value) => edit([{ do: "set_story", values: { [key]: value } }], `${key.replaceAll("_", " ")} of the book`);
  return html`<section class="part" aria-label="The book"><h3>The book</h3><div class="column tight">
    <${DraftField} label="Title" value=${story.title ?? ""} save=${(/** @type {string} */ words) => (words.trim() ? set("title", words) : undefined)} />
    <${DraftField} label="Style" value=${story.style ?? ""} placeholder="colour comic" save=${(/** @type {string} */ words) => set("style", words)} />
    <div class="pair"><${Field} label="Page size"><select class="input" value=${story.page?.size ?? "b5"} onChange=${(/** @type {any} */ event) => set("page", { ...story.page, size: event.target.value })}>${SIZES.map((size) => html`<option>${size}</option>`)}</select></${Field}>
      <${Field} label="Read from"><select class="input" value=${story.reading_direction ?? "ltr"} onChange=${(/** @type {any} */ event) => set("reading_direction", event.target.value)}>
        <option value="ltr">left to right</option><option value="rtl">right to left</option></select></${Field}></div></div></section>`;
}

/** @param {{page: import("../types.js").PageView}} props */
export function PageForm({ page }) {
  return html`<div class="form" key=${page.number}><div class="row"><h2 class="grow">Page ${page.number}</h2><${Menu} label="Add, move, split, merge, remove" look="plain small" items=${menuOf(page)} /></div>
    <p class="small quiet">Click a panel to change it, a balloon to edit its line.</p>
    <${Templates} page=${page} /><${BookForm} /><${DrawForm} />
    ${page.notes.length > 0 && html`<section class="part" aria-label="Notes"><h3>Notes</h3><ul class="small quiet column tight">${page.notes.map((note) => html`<li>${note}</li>`)}</ul></section>`}</div>`;
}
