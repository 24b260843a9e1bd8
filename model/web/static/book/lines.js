// What is said in the panel, in reading order; dragged, or moved with Alt and arrows.
import { characters, dropDrafts, edit, preview } from "../lib/book.js";
import { html, useState } from "../lib/ui.js";
import { pageOf } from "../lib/words.js";
import { Button, icon } from "../ui/basic.js";
import { DraftField } from "../ui/draft.js";
import { select } from "./selection.js";
import { KINDS, textEdit } from "./lineedit.js";

/** @param {{panel: import("../types.js").PanelView, story: any}} props */
export function Lines({ panel, story }) {
  const [from, setFrom] = useState(/** @type {number|null} */ (null));
  const [over, setOver] = useState(/** @type {number|null} */ (null));
  const said = story.dialogue ?? [];
  /** @param {number} line @param {number} to */
  const move = (line, to) => { if (line !== to && to >= 0 && to < said.length) edit([{ do: "move_line", panel: panel.id, line, to }], "line moved"); };
  const add = () => edit([{ do: "add_line", panel: panel.id, line: said.length, text: "…", speaker: story.characters?.[0]?.id }], "line added")
    .then((good) => { if (good) select(panel.id, { line: said.length }); });
  const people = characters();
  return html`<section class="part" aria-label="Lines"><div class="row"><h3 class="grow">Lines</h3><${Button} label="Add a line" icon="plus" only look="plain small" onClick=${add} /></div>
    ${said.length === 0 && html`<p class="small quiet">Nothing is said.</p>`}
    <ol class="column tight">${said.map((/** @type {any} */ one, /** @type {number} */ at) => html`<li key=${at} class=${`line-row ${over === at && from !== null && from !== at ? "target" : ""}`}
        onDragOver=${(/** @type {DragEvent} */ event) => { if (from !== null) { event.preventDefault(); setOver(at); } }}
        onDrop=${(/** @type {DragEvent} */ event) => { event.preventDefault(); if (from !== null) move(from, at); setFrom(null); setOver(null); }}>
      <button type="button" class="grip" draggable="true" aria-label=${`Line ${at + 1}: drag it, or move it with the up and down arrows`}
        onDragStart=${(/** @type {DragEvent} */ event) => { setFrom(at); event.dataTransfer?.setData("text/plain", one.text); }} onDragEnd=${() => { setFrom(null); setOver(null); }}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          const way = { ArrowUp: -1, ArrowDown: 1 }[event.key];
          if (way) { event.preventDefault(); event.stopPropagation(); move(at, at + way); }
        }}>${icon("grip-vertical")}</button>
      <div class="grow column tight"><div class="row">
        <select class="input slim grow" aria-label=${`Who says line ${at + 1}`} value=${one.speaker ?? ""} onChange=${(/** @type {any} */ event) => edit([{ do: "set_line", panel: panel.id, line: at, speaker: event.target.value }], "speaker")}>
          <option value="">nobody seen</option>${Object.entries(people).map(([id, person]) => html`<option value=${id}>${person.name || id}</option>`)}</select>
        <select class="input slim" aria-label=${`How line ${at + 1} is said`} value=${one.kind ?? "speech"} onChange=${(/** @type {any} */ event) => edit([{ do: "set_line", panel: panel.id, line: at, kind: event.target.value }], "kind of a line")}>
          ${KINDS.map((kind) => html`<option value=${kind}>${kind}</option>`)}</select>
        <${Button} label=${`Remove line ${at + 1}`} icon="x" only look="plain small" onClick=${() => edit([{ do: "remove_line", panel: panel.id, line: at }], "line removed")} /></div>
        <${DraftField} label=${`Line ${at + 1}`} value=${one.text} drop=${dropDrafts} save=${(/** @type {string} */ words) => (words.trim() ? edit([textEdit(panel.id, at, words)], "line edited") : undefined)}
          show=${(/** @type {string} */ words) => (words.trim() ? preview([textEdit(panel.id, at, words)], [pageOf(panel.id)]) : undefined)} /></div></li>`)}</ol></section>`;
}
