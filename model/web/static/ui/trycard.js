// One try of a panel: its picture, what the judge said, what is done with it.
import { html } from "../lib/ui.js";
import { picture, score } from "../lib/words.js";
import { Button, icon } from "./basic.js";

/** @typedef {import("../types.js").TryView} TryView */

const NAMES = /** @type {Record<string, string>} */ ({ total: "all in all", vibe: "your taste", identity: "likeness", count: "head count", layout: "places" });

/** @param {{scores: Record<string, number>}} props */
export const Scores = ({ scores }) => html`<dl class="scores numbers">${Object.entries(scores).map(([key, value]) => html`<dt>${NAMES[key] ?? key}</dt>
  <dd>${key === "vibe" ? score(value) : value.toFixed(2)}</dd>`)}</dl>`;

/** @param {TryView} one */
export const tryName = (one) => (one.kind === "repair" ? `Repair ${one.attempt + 1}` : `Try ${one.attempt + 1}`);

/** @param {{one: TryView, isOn: boolean, other: boolean, look: () => void, choose: () => void, like: (liked: boolean) => void}} props */
export function TryCard({ one, isOn, other, look, choose, like }) {
  return html`<li class=${`try ${isOn ? "is-on" : ""}`}><button type="button" class="look-at" aria-label=${`Look at ${tryName(one).toLowerCase()}`} aria-pressed=${isOn} onClick=${look}>
      ${one.picture ? html`<img src=${picture(one.picture, 256)} alt="" loading="lazy" />` : html`<span class="quiet">failed</span>`}</button>
    <div class="body"><div class="row"><strong class="grow">${tryName(one)}</strong>
      ${one.shown ? html`<span class="tag accent">${icon("check")}shown</span>` : other ? html`<span class="tag">compared</span>` : null}</div>
      <div class="tiny">${one.accepted === null ? html`<span class="quiet">not judged</span>` : one.accepted ? html`<span class="good">${icon("circle-check")} accepted</span>` : html`<span class="warn">${icon("circle-alert")} not accepted</span>`}</div>
      <div class="tiny quiet numbers clip" title=${`seed ${one.seed}`}>seed ${one.seed}</div>
      <div class="row"><${Button} label="Show" look="small grow" disabled=${one.shown || !one.picture} title=${`Show ${tryName(one).toLowerCase()} in the book`} onClick=${choose} />
        <${Button} label=${`Like ${tryName(one).toLowerCase()}`} icon="thumbs-up" only look="small" pressed=${one.liked === true} onClick=${() => like(true)} />
        <${Button} label=${`Dislike ${tryName(one).toLowerCase()}`} icon="thumbs-down" only look="small" pressed=${one.liked === false} onClick=${() => like(false)} /></div></div></li>`;
}
