// Two pictures of one panel, one over the other, with an edge that is dragged.
import { html, useRef, useState } from "../lib/ui.js";
import { picture } from "../lib/words.js";

/** @param {{left: string, right: string, leftName: string, rightName: string, ratio: number}} props pictures by sha256 */
export function Compare({ left, right, leftName, rightName, ratio }) {
  const [share, setShare] = useState(50);
  const root = useRef(/** @type {HTMLDivElement|null} */ (null));
  const move = (/** @type {PointerEvent} */ event) => {
    const box = root.current?.getBoundingClientRect();
    if (box && event.buttons === 1) setShare(Math.max(0, Math.min(100, ((event.clientX - box.left) / box.width) * 100)));
  };
  return html`<div class="compare" ref=${root} style=${{ aspectRatio: String(ratio), width: `min(100%, ${ratio} * 46vh)` }} onPointerDown=${move} onPointerMove=${move}>
    <img src=${picture(right)} alt=${rightName} draggable="false" />
    <div class="upper" style=${{ clipPath: `inset(0 ${100 - share}% 0 0)` }}><img src=${picture(left)} alt=${leftName} draggable="false" /></div>
    <div class="edge" style=${{ left: `${share}%` }}></div>
    <span class="who left">${leftName}</span><span class="who right">${rightName}</span>
    <input type="range" min="0" max="100" value=${share} aria-label="Where one picture ends and the other begins" onInput=${(/** @type {any} */ event) => setShare(Number(event.target.value))} /></div>`;
}
