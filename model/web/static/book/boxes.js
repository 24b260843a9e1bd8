// The figures of the selected panel as boxes that are dragged and resized on it.
import { edit } from "../lib/book.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { useDrag, useNudge } from "./drag.js";
import { figure as selected, select } from "./selection.js";
import { placeOf } from "./sheet.js";

/** @typedef {import("../types.js").FigureView} FigureView */
/** @typedef {import("../types.js").PanelView} PanelView */
/** @typedef {[number, number, number, number]} Box */

const LEAST = 0.03;

/** Moved by a share of the picture, inside of it. @param {Box} box @param {number} x @param {number} y @returns {Box} */
export function moved([left, top, width, height], x, y) {
  return [Math.max(0, Math.min(1 - width, left + x)), Math.max(0, Math.min(1 - height, top + y)), width, height];
}

/** With a corner or side moved. @param {Box} box @param {string} handle such as "nw" @param {number} x @param {number} y @returns {Box} */
export function resized([left, top, width, height], handle, x, y) {
  let [right, bottom] = [left + width, top + height];
  if (handle.includes("w")) left = Math.max(0, Math.min(right - LEAST, left + x));
  if (handle.includes("e")) right = Math.min(1, Math.max(left + LEAST, right + x));
  if (handle.includes("n")) top = Math.max(0, Math.min(bottom - LEAST, top + y));
  if (handle.includes("s")) bottom = Math.min(1, Math.max(top + LEAST, bottom + y));
  return [left, top, right - left, bottom - top];
}

/** @param {Box} box */
const rounded = (box) => /** @type {Box} */ (box.map((side) => Math.round(side * 1e4) / 1e4));

/** @param {{panel: PanelView, handles?: boolean}} props */
export function Boxes({ panel, handles }) {
  return panel.figures.filter((one) => !handles || one.figure === selected.value)
    .map((one) => html`<${FigureBox} key=${`${panel.id}/${one.figure}`} panel=${panel} figure=${one} handles=${handles} />`);
}

/** What a drag has made of a box, before the server knows: shared by the box and its handles. @type {{key: string, box: Box|null, tell: Set<() => void>}} */
const drag = { key: "", box: null, tell: new Set() };

/** @param {string} key @param {Box|null} box */
function show(key, box) {
  drag.key = key;
  drag.box = box;
  drag.tell.forEach((tell) => tell());
}

/** @param {{panel: PanelView, figure: FigureView, handles?: boolean}} props */
function FigureBox({ panel, figure, handles }) {
  const [, again] = useState(0);
  const key = `${panel.id}/${figure.figure}`;
  useEffect(() => {
    const tell = () => again((count) => count + 1);
    drag.tell.add(tell);
    return () => { drag.tell.delete(tell); };
  }, []);
  useEffect(() => { if (drag.key === key) drag.box = null; }, [figure]);
  const box = drag.key === key && drag.box ? drag.box : figure.box;
  const start = useRef(box);
  const place = placeOf(panel);
  const isOn = selected.value === figure.figure;
  const x = place.x + box[0] * place.width, y = place.y + box[1] * place.height;
  const width = box[2] * place.width, height = box[3] * place.height;

  /** @param {Box} next */
  const save = (next) => edit([{ do: "set_figure", panel: panel.id, figure: figure.figure, values: { box: rounded(next) } }], `${figure.name} moved`)
    .then((good) => { if (!good) show(key, null); });
  /** @param {(by: {x: number, y: number}) => Box} change */
  const dragger = (change) => ({ move: (/** @type {any} */ by) => show(key, change(by)), drop: () => { if (drag.box) save(drag.box); } });
  const shares = (/** @type {{x: number, y: number}} */ by) => [by.x / place.width, by.y / place.height];
  const onBox = useDrag({ ...dragger((by) => moved(start.current, shares(by)[0], shares(by)[1])), click: () => select(panel.id, { figure: figure.figure }) });
  const nudge = useNudge((dx, dy, event) => {
    const [sx, sy] = shares({ x: dx * 4, y: dy * 4 });
    show(key, event.shiftKey ? resized(box, "se", sx, sy) : moved(box, sx, sy));
  }, () => { if (drag.key === key && drag.box) save(drag.box); });

  if (handles) {
    return ["nw", "n", "ne", "e", "se", "s", "sw", "w"].map((handle) => html`<${Handle} key=${handle} handle=${handle}
      cx=${handle.includes("w") ? x : handle.includes("e") ? x + width : x + width / 2} cy=${handle.includes("n") ? y : handle.includes("s") ? y + height : y + height / 2}
      begin=${() => { start.current = box; }} drag=${(/** @type {string} */ which) => dragger((by) => resized(start.current, which, shares(by)[0], shares(by)[1]))} />`);
  }
  return html`<g class=${`figure ${isOn ? "is-on" : ""}`} role="button" tabindex="0" aria-pressed=${isOn} data-figure=${figure.figure}
      aria-label=${`${figure.name}: arrows move the box, Shift and arrows resize it`}
      onClick=${(/** @type {Event} */ event) => event.stopPropagation()}
      onPointerDown=${(/** @type {PointerEvent} */ event) => { start.current = box; selected.value = figure.figure; onBox(event); }}
      onFocus=${() => { if (selected.value !== figure.figure) selected.value = figure.figure; }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Delete") { event.stopPropagation(); edit([{ do: "remove_figure", panel: panel.id, figure: figure.figure }], `${figure.name} taken out`); } else nudge(event);
      }}>
    <rect class="halo" x=${x} y=${y} width=${width} height=${height} /><rect class="box" x=${x} y=${y} width=${width} height=${height} />
    <g transform=${`translate(${x} ${y + height - 12})`}><rect class="plate" width=${figure.name.length * 4.6 + 9} height="12" /><text x="4.5" y="8.7">${figure.name}</text></g></g>`;
}

/** @param {{handle: string, cx: number, cy: number, begin: () => void, drag: (handle: string) => any}} props */
function Handle({ handle, cx, cy, begin, drag: dragOf }) {
  const onDown = useDrag(dragOf(handle));
  return html`<g class=${`handle ${handle}`} onPointerDown=${(/** @type {PointerEvent} */ event) => { begin(); onDown(event); }} onClick=${(/** @type {Event} */ event) => event.stopPropagation()}>
    <circle cx=${cx} cy=${cy} r="9" fill="transparent" /><rect x=${cx - 3} y=${cy - 3} width="6" height="6" rx="1.2" /></g>`;
}
