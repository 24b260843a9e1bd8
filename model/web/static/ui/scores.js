// The book's scores as a histogram, with the threshold as a line that is dragged: what it would send back is shown at once.
import { call, get } from "../lib/api.js";
import { useEvents } from "../lib/events.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { count, panelName, picture, score } from "../lib/words.js";
import { ask } from "../lib/work.js";
import { Button, Empty, Field, Trouble } from "./basic.js";

/** @typedef {import("../types.js").ScoresView} ScoresView */

const WIDTH = 720, HEIGHT = 240, LEFT = 34, FOOT = 26;

/** @param {{name: string, explain: (sha: string) => void}} props */
export function Scores({ name, explain }) {
  const [found, setFound] = useState(/** @type {ScoresView|null} */ (null));
  const [line, setLine] = useState(-0.1);
  const [trouble, setTrouble] = useState("");
  const load = () => get(`api/books/${name}/scores`).then((next) => { setFound(next); setLine(next.threshold); setTrouble(""); }, (error) => setTrouble(error.message));
  useEffect(() => { load(); }, [name]);
  useEvents("vibe judged chosen resync settings", (event) => { if (!event.book || event.book === name) load(); }, [name]);
  /** @param {Record<string, any>} values */
  const save = (values) => call("PATCH", `api/books/${name}/settings`, { values }).then(() => setTrouble(""), (error) => setTrouble(error.message));
  if (!found) return html`<${Trouble} text=${trouble} />`;
  if (!found.scores.length) return html`<${Empty} icon="heart" title="No scores yet"><p>Draw the book, and like or dislike a few panels.</p></${Empty}>`;
  const back = found.scores.filter((one) => one.score < line).sort((one, other) => one.score - other.score);
  return html`<${Trouble} text=${trouble} /><div class="card panelled column"><${Histogram} found=${found} line=${line} setLine=${setLine} save=${(/** @type {number} */ value) => save({ vibe_threshold: value })} />
      <div class="row wrap bottoms"><p class="grow" role="status">At <strong class="numbers">${score(line)}</strong>: ${back.length ? `${count(back.length, "panel")} of ${found.scores.length} would be sent back` : `all ${count(found.scores.length, "panel")} stay`}.</p>
        <${Field} label="Most retries"><select class="input" value=${String(found.max_retries)} onChange=${(/** @type {any} */ event) => { setFound({ ...found, max_retries: Number(event.target.value) }); save({ max_retries: Number(event.target.value) }); }}>${[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((many) => html`<option value=${String(many)}>${many}</option>`)}</select></${Field}>
        <${Button} label=${back.length ? `Draw ${count(back.length, "panel")} again` : "Nothing to draw again"} icon="refresh-cw" disabled=${!back.length} onClick=${() => back.forEach((one) => ask({ kind: "redraw", book: name, panel: one.panel, n: 1 }))} /></div></div>
    ${back.length > 0 && html`<section class="spaced"><h2>Would be sent back</h2><ul class="pictures spaced">${back.map((one) => html`<li key=${one.panel}><${Scored} one=${one} explain=${explain} /></li>`)}</ul></section>`}
    <section class="spaced"><h2>Stay</h2><ul class="pictures spaced">${found.scores.filter((one) => one.score >= line).sort((one, other) => other.score - one.score).map((one) => html`<li key=${one.panel}><${Scored} one=${one} explain=${explain} /></li>`)}</ul></section>`;
}

/** @param {{one: import("../types.js").PanelScore, explain: (sha: string) => void}} props */
const Scored = ({ one, explain }) => html`<button type="button" class="thumb" aria-label=${`${panelName(one.panel)}, ${score(one.score)}: why`} title="Why?" onClick=${() => explain(one.picture)}><img src=${picture(one.picture, 256)} alt="" loading="lazy" /><span class="note numbers">${score(one.score)}</span></button>
  <p class="tiny quiet">${panelName(one.panel)}</p>`;

/** @param {{found: ScoresView, line: number, setLine: (value: number) => void, save: (value: number) => void}} props */
function Histogram({ found, line, setLine, save }) {
  const root = useRef(/** @type {SVGSVGElement|null} */ (null));
  const held = useRef(false);
  const timer = useRef(0);
  const most = Math.max(1, ...found.counts);
  const x = (/** @type {number} */ value) => LEFT + ((value + 1) / 2) * (WIDTH - LEFT - 10);
  const y = (/** @type {number} */ many) => (HEIGHT - FOOT) - (many / most) * (HEIGHT - FOOT - 16);
  const rounded = (/** @type {number} */ value) => Math.round(Math.max(-1, Math.min(1, value)) * 100) / 100;
  const at = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {SVGSVGElement} */ (root.current).getBoundingClientRect();
    return rounded((((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - 10) * 2 - 1);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const way = { ArrowLeft: -0.01, ArrowDown: -0.01, ArrowRight: 0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1 }[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const next = rounded(line + way);
    setLine(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => save(next), 400);
  };
  return html`<svg ref=${root} class="histogram" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label="Scores of the book's panels"
      onPointerDown=${(/** @type {PointerEvent} */ event) => { held.current = true; root.current?.setPointerCapture(event.pointerId); setLine(at(event)); }}
      onPointerMove=${(/** @type {PointerEvent} */ event) => { if (held.current) setLine(at(event)); }} onPointerUp=${(/** @type {PointerEvent} */ event) => { held.current = false; save(at(event)); }}>
    ${found.counts.map((many, bar) => many > 0 && html`<rect key=${bar} class=${found.edges[bar + 1] <= line + 1e-9 ? "back" : "kept"} x=${x(found.edges[bar]) + 1} width=${Math.max(1, x(found.edges[bar + 1]) - x(found.edges[bar]) - 2)} y=${y(many)} height=${HEIGHT - FOOT - y(many)} rx="2" />`)}
    <path class="axis" d=${`M${LEFT} ${HEIGHT - FOOT}H${WIDTH - 10}`} />
    ${[-1, -0.5, 0, 0.5, 1].map((value) => html`<text key=${value} x=${x(value)} y=${HEIGHT - 8} text-anchor="middle">${value === 0 ? "0" : score(value)}</text>`)}
    <text x=${LEFT - 8} y=${y(most) + 4} text-anchor="end">${most}</text>
    <g class="threshold" role="slider" tabindex="0" aria-label="Threshold" aria-valuemin="-1" aria-valuemax="1" aria-valuenow=${line} aria-valuetext=${score(line)} onKeyDown=${onKeyDown}>
      <line x1=${x(line)} x2=${x(line)} y1="8" y2=${HEIGHT - FOOT} /><circle cx=${x(line)} cy="12" r="7" /></g></svg>`;
}
