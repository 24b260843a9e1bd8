// Everything about the selected panel: what is to be seen, who stands in it, what is said.
import { book, dropDrafts, edit, preview, storyPanel } from "../lib/book.js";
import { html } from "../lib/ui.js";
import { indexOf, pageOf, panelName, panelId } from "../lib/words.js";
import { Button, Choice, Menu, icon } from "../ui/basic.js";
import { DraftField } from "../ui/draft.js";
import { Figures } from "./figures.js";
import { Lines } from "./lines.js";
import { PanelActions } from "./panelactions.js";
import { select } from "./selection.js";

/** @typedef {import("../types.js").PanelView} PanelView */

/** @param {string} id @returns {import("../ui/basic.js").Item[]} */
function menuOf(id) {
  const page = pageOf(id), index = indexOf(id);
  const there = book.value?.panels.filter((one) => one.page === page).length ?? 0;
  const pages = book.value?.page_count ?? 1;
  const lines = storyPanel(id)?.dialogue?.length ?? 0;
  /** @param {any} one @param {string} what @param {string} [next] */
  const run = (one, what, next) => edit([one], what).then((good) => { if (good && next !== undefined) select(next); });
  return [
    { label: "Earlier on the page", icon: "arrow-up", disabled: index === 0, run: () => run({ do: "move_panel", panel: id, page, index: index - 1 }, "panel moved", panelId(page, index - 1)) },
    { label: "Later on the page", icon: "arrow-down", disabled: index + 1 >= there, run: () => run({ do: "move_panel", panel: id, page, index: index + 1 }, "panel moved", panelId(page, index + 1)) },
    { label: "To the page before", icon: "chevron-left", disabled: page === 1 || there === 1, run: () => run({ do: "move_panel", panel: id, page: page - 1, index: book.value?.panels.filter((one) => one.page === page - 1).length ?? 0 }, "panel moved", "") },
    { label: "To the page after", icon: "chevron-right", disabled: page >= pages || there === 1, run: () => run({ do: "move_panel", panel: id, page: page + 1, index: 0 }, "panel moved", panelId(page + 1, 0)) },
    null,
    { label: "New panel before", icon: "plus", run: () => run({ do: "add_panel", page, index }, "panel added", panelId(page, index)) },
    { label: "New panel after", icon: "plus", run: () => run({ do: "add_panel", page, index: index + 1 }, "panel added", panelId(page, index + 1)) },
    { label: "Split in two", icon: "split", run: () => run({ do: "split_panel", panel: id, line: Math.ceil(lines / 2) }, "panel split") },
    { label: "Merge with the next", icon: "merge", disabled: index + 1 >= there, run: () => run({ do: "merge_panels", panel: id }, "panels merged") },
    { label: "Page ends before this panel", icon: "columns-2", disabled: index === 0, run: () => run({ do: "split_page", page, index }, "page split", panelId(page + 1, 0)) },
    null,
    { label: "Remove the panel", icon: "trash-2", danger: true, disabled: there === 1, run: () => run({ do: "remove_panel", panel: id }, "panel removed", "") },
  ];
}

/** @param {{panel: PanelView}} props */
export function PanelForm({ panel }) {
  const story = storyPanel(panel.id);
  if (!story) return null;
  /** @param {string} key @param {any} value */
  const set = (key, value) => edit([{ do: "set_panel", panel: panel.id, values: { [key]: value } }], `${key.replaceAll("_", " ")} of ${panelName(panel.id).toLowerCase()}`);
  /** @param {string} key */
  const text = (key) => ({ value: String(story[key] ?? ""), save: (/** @type {string} */ words) => set(key, words) });
  const page = pageOf(panel.id);
  const lettered = (/** @type {string} */ key) => ({ ...text(key), drop: dropDrafts, show: (/** @type {string} */ words) => preview([{ do: "set_panel", panel: panel.id, values: { [key]: words } }], [page]) });
  return html`<div class="form" key=${panel.id}>
    <div class="row"><h2 class="grow">${panelName(panel.id)}</h2>
      <${Menu} label="Move, split, merge, remove" look="plain small" items=${menuOf(panel.id)} />
      <${Button} label="Close" icon="x" only look="plain small" keys="Escape" onClick=${() => select("")} /></div>
    ${panel.stale && html`<div class="hint">${icon("refresh-cw")}<span>${panel.stale}</span></div>`}
    <${PanelActions} panel=${panel} />
    <${DraftField} label="Scene" rows=${2} placeholder="Where it is, and what happens" ...${text("scene")} />
    <div class="row wrap spread"><div class="field"><span class="label">Shot</span><${Choice} label="Shot" value=${story.shot ?? "medium"} options=${[["wide", "wide"], ["medium", "medium"], ["close-up", "close-up"]]} onChange=${(/** @type {string} */ value) => set("shot", value)} /></div>
      <div class="field"><span class="label">Weight on the page</span><${Choice} label="Weight on the page" value=${story.emphasis ?? "normal"} options=${[["low", "low"], ["normal", "normal"], ["high", "high"]]} onChange=${(/** @type {string} */ value) => set("emphasis", value)} /></div></div>
    <${Figures} panel=${panel} story=${story} />
    <${Lines} panel=${panel} story=${story} />
    <${DraftField} label="Caption" ...${lettered("caption")} placeholder="Words of the narrator" />
    <details class="more" open=${Boolean(story.prompt || story.negative || story.seed !== undefined && story.seed !== null)}><summary>Prompt, negative, seed</summary><div class="column">
      <${DraftField} label="Prompt" rows=${2} ...${text("prompt")} placeholder="More words for the model" />
      <${DraftField} label="Negative prompt" ...${text("negative")} placeholder="What is not to be seen" />
      <${DraftField} label="Words in the picture" ...${lettered("text_in_image")} placeholder="A sign, a title" />
      <${DraftField} label="Seed" rows=${0} value=${story.seed === undefined || story.seed === null ? "" : String(story.seed)} placeholder="the book's own"
        save=${(/** @type {string} */ words) => (/^\d{0,15}$/.test(words.trim()) ? set("seed", words.trim() === "" ? null : Number(words)) : undefined)} hint="A whole number, or nothing" />
    </div></details></div>`;
}
