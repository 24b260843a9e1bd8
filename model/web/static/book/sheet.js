// The page as it will be printed: pictures in their frames, balloons over them, and what is selected.
import { book } from "../lib/book.js";
import { previews } from "../lib/events.js";
import { html } from "../lib/ui.js";
import { panelName, picture } from "../lib/words.js";
import { Balloon } from "./balloon.js";
import { Boxes } from "./boxes.js";
import { figure, panel as selected, select } from "./selection.js";

/** @typedef {import("../types.js").PageView} PageView */
/** @typedef {import("../types.js").PanelView} PanelView */

/** @param {[number, number][]} corners */
const points = (corners) => corners.map(([x, y]) => `${x},${y}`).join(" ");

/** Where the whole picture lies, so that its window fills the frame. @param {PanelView} panel */
export function placeOf({ frame, window: [wx, wy, ww, wh] }) {
  const width = frame.width / ww, height = frame.height / wh;
  return { x: frame.x - wx * width, y: frame.y - wy * height, width, height };
}

/** @param {{panel: PanelView}} props */
function Art({ panel }) {
  const { frame } = panel;
  const preview = previews.value[`${book.value?.card.name}/${panel.id}`];
  const clip = `url(#clip-${panel.id})`;
  const isOn = panel.id === selected.value;
  const blank = !panel.picture && !preview;
  const scene = /** @type {any} */ (book.value?.story)?.pages?.[Number(panel.id.slice(1, -3)) - 1]?.panels?.[Number(panel.id.slice(-2)) - 1]?.scene ?? "";
  return html`<g class=${`panel ${isOn ? "is-on" : ""}`} role="button" tabindex="0" aria-pressed=${isOn}
      aria-label=${`${panelName(panel.id)}${panel.stale ? `, ${panel.stale}` : ""}`}
      onClick=${() => select(panel.id)} onFocus=${(/** @type {FocusEvent} */ event) => { if (event.target instanceof Element && event.target.matches(":focus-visible") && !isOn) select(panel.id); }}>
    <clipPath id=${`clip-${panel.id}`}><polygon points=${points(frame.corners)} /></clipPath>
    ${frame.inset && html`<polygon points=${points(frame.corners)} fill="#fff" stroke="#fff" stroke-width="8" />`}
    ${blank && html`<polygon points=${points(frame.corners)} fill="url(#hatch)" />
      <foreignObject x=${frame.x + 8} y=${frame.y + frame.height / 2 - 30} width=${Math.max(1, frame.width - 16)} height="60"><p class="scene-words">${scene}</p></foreignObject>`}
    ${panel.picture && html`<image href=${picture(panel.picture, panel.width > 1024 ? 1024 : undefined)} ...${placeOf(panel)} preserveAspectRatio="none" clip-path=${clip} />`}
    ${preview && html`<image href=${preview.replace(/^\//, "")} x=${frame.x} y=${frame.y} width=${frame.width} height=${frame.height} preserveAspectRatio="xMidYMid slice" clip-path=${clip} class="preview" />`}
    <polygon class="ink" points=${points(frame.corners)} /></g>`;
}

/** Marks in a panel's corner: locked, to be drawn again, not accepted. @param {{panel: PanelView}} props */
function Marks({ panel }) {
  const { frame } = panel;
  const marks = [panel.locked && ["locked", "#3a3a40", "locked"], panel.picture && panel.stale && ["again", "#835400", "to be drawn again"],
    panel.picture && panel.accepted === false && ["not accepted", "#b3261e", "the judge was not content"]].filter(Boolean);
  return marks.map((mark, at) => {
    const [text, fill, words] = /** @type {string[]} */ (mark);
    const width = 9 + text.length * 4.1;
    return html`<g class="mark" key=${text} transform=${`translate(${frame.x + 5} ${frame.y + frame.height - 16 - at * 13})`}><title>${words}</title>
      <rect width=${width} height="11" rx="5.5" fill=${fill} /><text x=${width / 2} y="7.9">${text}</text></g>`;
  });
}

/** @param {PanelView} panel @returns {import("../types.js").BalloonView[][]} parts of one line together */
function lines(panel) {
  /** @type {Map<string, import("../types.js").BalloonView[]>} */
  const groups = new Map();
  panel.balloons.forEach((one, at) => {
    const key = one.line >= 0 ? String(one.line) : `${one.line}/${one.joined ? "" : at}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  });
  return [...groups.values()];
}

/** @param {{page: PageView, marks?: boolean}} props */
export function Sheet({ page, marks = true }) {
  const current = page.panels.find((one) => one.id === selected.value);
  return html`<svg class="sheet" viewBox=${`0 0 ${page.width} ${page.height}`} role="group" aria-label=${`Page ${page.number}`}
      onClick=${(/** @type {MouseEvent} */ event) => { if (event.target === event.currentTarget) select(""); }}>
    <defs><pattern id="hatch" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="9" height="9" fill="#f3f2ef" /><path d="M0 0V9" stroke="#dbd8d1" stroke-width="2" /></pattern></defs>
    ${page.panels.map((panel) => html`<${Art} key=${panel.id} panel=${panel} />`)}
    ${current && html`<polygon class="chosen" points=${points(current.frame.corners)} />`}
    ${marks && page.panels.filter((panel) => panel !== current).map((panel) => html`<${Marks} key=${panel.id} panel=${panel} />`)}
    ${current && html`<${Boxes} panel=${current} />`}
    ${page.panels.flatMap((panel) => lines(panel).map((parts) => html`<${Balloon} key=${`${panel.id}/${parts[0].line}/${parts[0].line < 0 ? parts[0].text : ""}`} panel=${panel} parts=${parts} />`))}
    ${current && figure.value !== null && html`<${Boxes} panel=${current} handles />`}
  </svg>`;
}
