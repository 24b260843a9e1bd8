// One book on the shelf.
import { to } from "../lib/router.js";
import { html } from "../lib/ui.js";
import { ago, count } from "../lib/words.js";
import { Bar, Menu, icon } from "./basic.js";

/** @param {{card: import("../types.js").BookCard, items: import("./basic.js").Item[]}} props */
export function BookTile({ card, items }) {
  const state = card.broken ? html`<span class="bad">${card.broken}</span>`
    : card.drawing ? html`<span class="tag accent">${icon("loader-circle", "spin")}drawing</span>`
      : card.drawn >= card.panels ? html`<span class="quiet">${count(card.panels, "panel")}</span>`
        : html`<span class="quiet">${card.drawn} of ${count(card.panels, "panel")} drawn</span>`;
  return html`<li class="tile"><a class="cover" href=${to("book", card.name)} aria-label=${card.title}>
      ${card.cover ? html`<img src=${card.cover.replace(/^\//, "")} alt="" loading="lazy" />` : html`<span class="blank">${icon("book-open")}</span>`}</a>
    <div class="tile-foot"><div class="grow"><a class="tile-title clip" href=${to("book", card.name)} title=${card.title}>${card.title}</a>
      <div class="small">${state}</div><div class="tiny quiet">${ago(card.changed)}</div></div>
      <${Menu} label=${`What to do with ${card.title}`} look="plain small" items=${items} /></div>
    ${card.drawn < card.panels && html`<${Bar} done=${card.drawn} total=${card.panels} label=${`${card.title}: panels drawn`} />`}</li>`;
}
