// What is done with a panel again and again: redraw, look at its tries, like, lock.
import { book, edit } from "../lib/book.js";
import { running, useEvents, waiting } from "../lib/events.js";
import { get } from "../lib/api.js";
import { go, to } from "../lib/router.js";
import { html, signal, useEffect } from "../lib/ui.js";
import { picture } from "../lib/words.js";
import { ask, opine } from "../lib/work.js";
import { post } from "../lib/api.js";
import { Button, icon, sayTrouble } from "../ui/basic.js";

/** @typedef {import("../types.js").TriesView} TriesView */

/** The tries of the selected panel. */
export const tries = signal(/** @type {TriesView|null} */ (null));

/** @param {string} id */
export const loadTries = (id) => get(`api/books/${book.value?.card.name}/panels/${id}/tries`).then((found) => { tries.value = found; }, () => { tries.value = null; });

/** @param {string} id @param {string} key */
export async function choose(id, key) {
  try {
    tries.value = await post(`api/books/${book.value?.card.name}/panels/${id}/choose`, { key });
  } catch (error) {
    sayTrouble(error);
  }
}

/** @param {string} id @param {number} [n] @param {number|null} [seed] */
export const redraw = (id, n = 1, seed = null) => ask({ kind: "redraw", book: book.value?.card.name, panel: id, n, ...(seed === null ? {} : { seed }) });

/** @param {string} id @param {boolean} locked */
export const lock = (id, locked) => edit([{ do: "set_panel", panel: id, values: { locked } }], locked ? "panel locked" : "panel unlocked");

/** @param {string} id @param {boolean} liked */
export async function judge(id, liked) {
  const shown = tries.value?.panel === id ? tries.value.tries.find((one) => one.shown) : undefined;
  if (!shown?.picture) return;
  await opine(shown.picture, shown.liked === liked ? null : liked);
  await loadTries(id);
}

/** @param {{panel: import("../types.js").PanelView}} props */
export function PanelActions({ panel }) {
  const { id } = panel;
  const name = book.value?.card.name ?? "";
  useEffect(() => { loadTries(id); }, [id, panel.picture, panel.tries]);
  useEvents("drawn judged chosen vibe resync", (event) => { if (!event.book || event.book === name) loadTries(id); }, [id]);
  const mine = tries.value?.panel === id ? tries.value.tries : [];
  const shown = mine.find((one) => one.shown);
  const works = [running.value, ...waiting.value].some((job) => job?.book === name && /** @type {any} */ (job.args).panel === id);
  return html`<div class="column tight">
    <div class="row wrap actions"><${Button} label=${panel.picture ? "Redraw" : "Draw"} icon="refresh-cw" keys="R" busy=${works} onClick=${() => (panel.picture ? redraw(id) : ask({ kind: "panels", book: name, panels: [id] }))} />
      <${Button} label="Like" icon="thumbs-up" only keys="L" pressed=${shown?.liked === true} disabled=${!shown} onClick=${() => judge(id, true)} />
      <${Button} label="Dislike" icon="thumbs-down" only keys="D" pressed=${shown?.liked === false} disabled=${!shown} onClick=${() => judge(id, false)} />
      <${Button} label=${panel.locked ? "Locked: never drawn again by itself" : "Lock: never drawn again by itself"} icon=${panel.locked ? "lock" : "lock-open"} only keys="K" pressed=${panel.locked} onClick=${() => lock(id, !panel.locked)} />
      <${Button} label="Repair a region" icon="bandage" only disabled=${!shown} onClick=${() => go(to("book", name, "repair", id))} />
      <a class="button" href=${to("book", name, "tries", id)} aria-keyshortcuts="Enter">${icon("images")}Tries</a></div>
    ${mine.length > 1 && html`<div class="strip small-thumbs" role="group" aria-label="Tries">${mine.map((one) => one.picture && html`<button type="button" key=${one.key}
      class=${`thumb ${one.shown ? "is-on" : ""}`} aria-pressed=${one.shown} aria-label=${`Show try ${one.attempt + 1}`} onClick=${() => choose(id, one.key)}><img src=${picture(one.picture, 128)} alt="" /></button>`)}</div>`}
    ${shown && !shown.accepted && shown.reasons.length > 0 && html`<p class="small quiet">${icon("info")} ${shown.reasons.join("; ")}</p>`}</div>`;
}
