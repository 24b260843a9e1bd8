// Repair: a region of the shown picture is painted or clicked, words say what it should be, only that is drawn.
import { pages, storyPanel } from "../lib/book.js";
import { queue, running, useEvents, waiting } from "../lib/events.js";
import { useKeys } from "../lib/keys.js";
import { go, place, to } from "../lib/router.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { pageOf, panelName, picture } from "../lib/words.js";
import { ask } from "../lib/work.js";
import { Button, Empty, Field, Trouble } from "../ui/basic.js";
import { choose, loadTries, tries } from "../book/panelactions.js";
import { moved, resized } from "../book/boxes.js";
import { useBook } from "./book.js";

/** @typedef {[number, number, number, number]} Box */

export default function Repair() {
  const view = useBook();
  const id = place.value.parts[3] ?? "";
  const name = view?.card.name ?? "";
  const [box, setBox] = useState(/** @type {Box|null} */ (null));
  const [words, setWords] = useState("");
  const [job, setJob] = useState(0);
  const [before, setBefore] = useState("");
  const [ratio, setRatio] = useState(1);
  useEffect(() => { if (view) { loadTries(id); document.title = `Repair – ${view.card.title}`; } }, [id, name]);
  useEvents("drawn judged chosen resync job", (event) => { if (!event.book || event.book === name) loadTries(id); }, [id, name]);
  const found = tries.value?.panel === id ? tries.value : null;
  const shown = found?.tries.find((one) => one.shown && one.picture);
  const work = [running.value, ...waiting.value].find((one) => one?.id === job);
  const back = () => go(to("book", name, "tries", id));
  const start = async () => {
    if (!box || !words.trim() || !shown) return;
    const made = await ask({ kind: "repair", book: name, panel: id, box: /** @type {Box} */ (box.map((side) => Math.round(side * 1e4) / 1e4)), words: words.trim() });
    if (made) { setJob(made.id); setBefore(shown.key); }
  };
  useKeys([{ keys: "Escape", does: "back to the tries", run: back }, { keys: "Ctrl-Enter", does: "redraw the region", run: start, typing: true }], [box, words, shown, name]);
  if (!view) return null;
  const done = Boolean(job && !work && before && shown && shown.key !== before);
  const people = /** @type {any[]} */ (storyPanel(id)?.characters ?? []);
  return html`<div class="sheet-page"><div class="page-head"><${Button} label="Back to the tries" icon="arrow-left" only look="plain" keys="Escape" onClick=${back} />
      <div class="grow"><h1>Repair ${panelName(id).toLowerCase()}</h1><p>Drag a region over what is wrong, or click a figure. Only the region is drawn again; the rest stays as it is, to the pixel, outside a soft edge.</p></div></div>
    ${found && !shown && html`<${Empty} icon="bandage" title="Nothing to repair yet"><p>The panel has no picture. <a href=${to("book", name, "tries", id)}>Draw it first.</a></p></${Empty}>`}
    ${shown && html`<div class="split"><${Paint} sha=${shown.picture} box=${box} setBox=${setBox} ratio=${ratio} setRatio=${setRatio} figures=${view ? figuresOf(id) : []} />
      <div class="card panelled column"><${Field} label="What it should be"><textarea class="input" rows="3" value=${words} placeholder=${people.length ? "a calm face, eyes open" : "a wooden door"} onInput=${(/** @type {any} */ event) => setWords(event.target.value)}></textarea></${Field}>
        <${Numbers} box=${box} setBox=${setBox} />
        <${Button} label=${work ? "Being drawn" : "Redraw the region"} icon="bandage" look="main" keys="Ctrl-Enter" busy=${Boolean(work)} disabled=${!box || !words.trim()} onClick=${start} />
        <${Trouble} text=${queue.value?.jobs.find((one) => one.id === job && one.state === "failed")?.message} />
        ${!box && html`<p class="small quiet">No region yet.</p>`}
        ${done && html`<div class="column tight"><p class="small good">The repaired picture is a try of its own, and is shown now.</p><${Button} label="Take the picture before" icon="undo-2" onClick=${() => choose(id, before)} /></div>`}</div></div>`}</div>`;
}

/** Boxes of the panel's figures as the page has them. @param {string} id @returns {{name: string, box: Box}[]} */
function figuresOf(id) {
  const all = pages.value.get(pageOf(id))?.panels.find((one) => one.id === id)?.figures ?? [];
  return all.map((one) => ({ name: one.name, box: one.found ?? one.box }));
}

/** @param {{sha: string, box: Box|null, setBox: (box: Box|null) => void, ratio: number, setRatio: (ratio: number) => void, figures: {name: string, box: Box}[]}} props */
function Paint({ sha, box, setBox, ratio, setRatio, figures }) {
  const root = useRef(/** @type {HTMLDivElement|null} */ (null));
  const from = useRef(/** @type {{x: number, y: number}|null} */ (null));
  const at = (/** @type {PointerEvent} */ event) => {
    const rect = /** @type {HTMLDivElement} */ (root.current).getBoundingClientRect();
    return { x: Math.max(0, Math.min(1, (event.clientX - rect.left) / rect.width)), y: Math.max(0, Math.min(1, (event.clientY - rect.top) / rect.height)) };
  };
  const down = (/** @type {PointerEvent} */ event) => { from.current = at(event); root.current?.setPointerCapture(event.pointerId); };
  const move = (/** @type {PointerEvent} */ event) => {
    const start = from.current, now = at(event);
    if (start && Math.hypot(now.x - start.x, now.y - start.y) > 0.01) setBox([Math.min(start.x, now.x), Math.min(start.y, now.y), Math.max(0.02, Math.abs(now.x - start.x)), Math.max(0.02, Math.abs(now.y - start.y))]);
  };
  const up = (/** @type {PointerEvent} */ event) => {
    const start = from.current, now = at(event);
    from.current = null;
    if (!start || Math.hypot(now.x - start.x, now.y - start.y) > 0.01) return;
    const hit = figures.filter(({ box: [x, y, width, height] }) => now.x >= x && now.x <= x + width && now.y >= y && now.y <= y + height)
      .sort((one, other) => one.box[2] * one.box[3] - other.box[2] * other.box[3])[0];
    if (hit) setBox(hit.box);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const way = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const now = box ?? [0.35, 0.35, 0.3, 0.3];
    setBox(/** @type {Box} */ (event.shiftKey ? resized(/** @type {Box} */ (now), "se", way[0] * 0.02, way[1] * 0.02) : moved(/** @type {Box} */ (now), way[0] * 0.02, way[1] * 0.02)));
  };
  return html`<div class="paint" ref=${root} style=${{ width: `min(100%, ${ratio} * 70vh)` }} tabindex="0" role="application" aria-label="Region: arrows move it, Shift and arrows resize it"
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onKeyDown=${onKeyDown}>
    <img src=${picture(sha)} alt="The panel as it is shown" draggable="false" onLoad=${(/** @type {any} */ event) => setRatio(event.target.naturalWidth / event.target.naturalHeight)} />
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">${box && html`<rect class="region" x=${box[0]} y=${box[1]} width=${box[2]} height=${box[3]} />`}</svg></div>`;
}

/** @param {{box: Box|null, setBox: (box: Box|null) => void}} props */
const Numbers = ({ box, setBox }) => box && html`<div class="row small quiet numbers"><span class="grow">${box.map((side) => side.toFixed(2)).join(", ")}</span><${Button} label="Clear" look="plain small" onClick=${() => setBox(null)} /></div>`;
