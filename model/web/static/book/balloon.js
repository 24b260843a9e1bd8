// A balloon on the page: vectors as they will be printed; dragged to another place, or opened to be edited.
import { edit } from "../lib/book.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { useDrag, useNudge } from "./drag.js";
import { line, panel as selected, select } from "./selection.js";

/** @typedef {import("../types.js").BalloonView} BalloonView */

/** @param {{one: BalloonView}} props */
const Part = ({ one }) => html`${one.shapes.map((d, at) => html`<path key=${at} d=${d} fill=${one.fill} stroke=${one.stroke} stroke-width=${one.stroke_width}
    stroke-dasharray=${one.dashes.length ? one.dashes.join(" ") : undefined} stroke-linejoin="round" />`)}
  ${one.rims.map(([colour, width]) => html`<path key=${`${colour}${width}`} d=${one.words} fill="none" stroke=${colour} stroke-width=${width} stroke-linejoin="round" />`)}
  <path d=${one.words} fill=${one.ink} />`;

/** @param {{panel: import("../types.js").PanelView, parts: BalloonView[]}} props */
export function Balloon({ panel, parts }) {
  const [first] = parts;
  const [by, setBy] = useState({ x: 0, y: 0 });
  const root = useRef(/** @type {SVGGElement|null} */ (null));
  const movable = first.line >= 0;
  const isOn = selected.value === panel.id && line.value === first.line;
  // A page that was set again has the balloon where it belongs.
  useEffect(() => setBy({ x: 0, y: 0 }), [first]);

  /** @param {{x: number, y: number}} moved */
  const drop = (moved) => {
    const { frame } = panel;
    const at = [(first.x + first.width / 2 + moved.x - frame.x) / frame.width, (first.y + first.height / 2 + moved.y - frame.y) / frame.height]
      .map((share) => Math.round(Math.max(0, Math.min(1, share)) * 1e4) / 1e4);
    edit([{ do: "move_balloon", panel: panel.id, line: first.line, at: /** @type {[number, number]} */ (at) }], "balloon moved")
      .then((good) => { if (!good) setBy({ x: 0, y: 0 }); });
  };
  const open = () => select(panel.id, { line: first.line });
  const drag = useDrag({ move: (moved) => { if (movable) setBy(moved); }, drop: (moved) => { if (movable) drop(moved); }, click: open });
  const nudge = useNudge((x, y) => {
    if (movable) setBy((before) => ({ x: before.x + x * 3, y: before.y + y * 3 }));
  }, () => drop(now.current));
  const now = useRef(by);
  now.current = by;

  const label = `${{ "-1": "caption", "-2": "words in the picture" }[first.line] ?? first.kind}: ${parts.map((one) => one.text).join(" ")}`;
  return html`<g ref=${root} class=${`balloon ${isOn ? "is-on" : ""} ${movable ? "movable" : ""}`} role="button" tabindex="0" aria-label=${label}
      data-line=${first.line} data-panel=${panel.id} transform=${by.x || by.y ? `translate(${by.x} ${by.y})` : undefined}
      onPointerDown=${drag} onClick=${(/** @type {Event} */ event) => event.stopPropagation()}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); open(); } else if (movable) nudge(event);
      }}>
    <rect class="grab" x=${first.x - 3} y=${first.y - 3} width=${first.width + 6} height=${first.height + 6} rx="4" />
    ${parts.map((one, at) => html`<${Part} key=${at} one=${one} />`)}</g>`;
}
