// One look: its picture, the candidates side by side, own pictures, versions, where it was seen.
import { to } from "../lib/router.js";
import { html, useRef, useState } from "../lib/ui.js";
import { ago, pageOf, panelName, picture } from "../lib/words.js";
import { Button, icon } from "./basic.js";

/** @typedef {import("../types.js").LookView} LookView */

/** @param {{sha: string, isOn: boolean, label: string, note?: string, onClick: () => void}} props */
const Thumb = ({ sha, isOn, label, note, onClick }) => html`<button type="button" class=${`thumb ${isOn ? "is-on" : ""}`} aria-pressed=${isOn} aria-label=${note ? `${label}, ${note}` : label} title=${label} onClick=${onClick}>
  <img src=${picture(sha, 256)} alt="" loading="lazy" />${note && html`<span class="note">${note}</span>`}</button>`;

/** @param {{look: LookView, book: string, change: (look: LookView, what: string, body?: any) => void}} props */
export function Look({ look, book, change }) {
  const [over, setOver] = useState(false);
  const file = useRef(/** @type {HTMLInputElement|null} */ (null));
  const take = (/** @type {FileList|null|undefined} */ files) => { if (files?.[0]) change(look, "picture", files[0]); };
  // A reference is cut from its candidate, so it is another picture; its history says from which.
  const from = /^candidate (\d+) /.exec(look.versions.find((one) => one.current)?.why ?? "");
  const isUsed = (/** @type {number} */ at) => (from ? Number(from[1]) === at + 1 : look.candidates[at].chosen);
  const title = look.variant ? `${look.name}, ${look.variant}` : look.name;
  const drop = {
    onDragOver: (/** @type {DragEvent} */ event) => { if (event.dataTransfer?.types.includes("Files")) { event.preventDefault(); setOver(true); } },
    onDragLeave: () => setOver(false),
    onDrop: (/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files); },
  };
  return html`<section class=${`look ${over ? "dropping" : ""}`} aria-label=${title} ...${drop}>
    <div class="column tight"><div class="portrait">${look.picture ? html`<img src=${picture(look.picture, 512)} alt=${`${title}, as drawn in the book`} />` : html`<span class="small">not rehearsed</span>`}</div>
      <div class="row wrap">${look.approved ? html`<span class="tag good">${icon("check")}approved</span>` : look.picture ? html`<span class="tag warn">not approved</span>` : null}
        ${look.variant && html`<span class="tag">${look.variant}</span>`}${look.source && html`<span class="tiny quiet">${look.source}</span>`}</div></div>
    <div class="column">
      ${look.note && html`<p class="small quiet">${icon("info")} ${look.note}</p>`}
      ${look.candidates.length > 0 && html`<div><h3 class="label">Candidates: click the one to use</h3><div class="strip">${look.candidates.map((one, at) => html`<${Thumb} key=${one.picture} sha=${one.picture} isOn=${isUsed(at)}
        label=${`Approve candidate ${at + 1} of ${title}`} note=${one.similarity === null ? "" : `${Math.round(one.similarity * 100)} % alike`} onClick=${() => change(look, "approve", { picture: one.picture })} />`)}</div></div>`}
      <div class="row wrap">${look.picture && !look.approved && html`<${Button} label="Approve" icon="check" look="main" title=${`Approve the picture of ${title}`} onClick=${() => change(look, "approve", { picture: look.picture })} />`}
        <${Button} label="Own picture" icon="upload" title="Or drop a picture here" onClick=${() => file.current?.click()} />
        <input ref=${file} type="file" accept="image/*" class="hidden" tabindex="-1" aria-hidden="true" onChange=${(/** @type {any} */ event) => { take(event.target.files); event.target.value = ""; }} />
        ${look.picture && html`<${Button} label=${look.pinned ? "Pinned" : "Pin"} icon="lock" pressed=${look.pinned} title="A pinned picture is never thrown away" onClick=${() => change(look, "pin", { pinned: !look.pinned })} />`}
        ${look.versions.length > 1 && html`<${Button} label="Undo" icon="undo-2" title=${`Back to the picture of ${title} before`} onClick=${() => change(look, "undo")} />`}</div>
      ${look.versions.length > 1 && html`<details class="more"><summary>${look.versions.length} versions</summary><div class="strip">${look.versions.map((one) => html`<${Thumb} key=${one.version} sha=${one.picture} isOn=${one.current}
        label=${`Version ${one.version}: ${one.why || one.source}, ${ago(one.time)}`} note=${one.why || one.source} onClick=${() => change(look, "approve", { picture: one.picture })} />`)}</div></details>`}
      ${look.seen.length > 0 && html`<div><h3 class="label">Seen in the book</h3><div class="strip small-thumbs">${look.seen.map((one) => html`<a class="thumb" key=${one.panel} href=${`${to("book", book, "page", pageOf(one.panel))}?panel=${one.panel}`} title=${panelName(one.panel)} aria-label=${`${panelName(one.panel)}${one.identity === null ? "" : `, ${Math.round(one.identity * 100)} %`}`}>
        <img src=${picture(one.crop, 128)} alt="" loading="lazy" />${one.identity !== null && html`<span class="note">${Math.round(one.identity * 100)} %</span>`}</a>`)}</div></div>`}
      <details class="more"><summary>What the model is told</summary><p class="small mono">${look.prompt}</p></details></div></section>`;
}
