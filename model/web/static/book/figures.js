// Who stands in the panel: outfit, action, expression.
import { book, characters, edit } from "../lib/book.js";
import { to } from "../lib/router.js";
import { html } from "../lib/ui.js";
import { Button, Menu } from "../ui/basic.js";
import { DraftField } from "../ui/draft.js";
import { figure as selected, select } from "./selection.js";

/** @param {{panel: import("../types.js").PanelView, story: any}} props */
export function Figures({ panel, story }) {
  const people = characters();
  const there = story.characters ?? [];
  const items = Object.entries(people).map(([id, one]) => ({
    label: one.name || id, icon: "user-plus",
    run: () => edit([{ do: "add_figure", panel: panel.id, id }], `${one.name || id} added`).then((good) => { if (good) select(panel.id, { figure: there.length }); }),
  }));
  return html`<section class="part" aria-label="Figures"><div class="row"><h3 class="grow">Figures</h3>
      ${items.length ? html`<${Menu} label="Add a figure" icon="plus" look="plain small" items=${items} />` : html`<a class="small" href=${to("book", book.value?.card.name ?? "", "cast")}>Add characters in Cast</a>`}</div>
    ${there.length === 0 && html`<p class="small quiet">Nobody. Add a figure, then drag its box on the panel.</p>`}
    <ul class="column tight">${there.map((/** @type {any} */ one, /** @type {number} */ at) => html`<${FigureRow} key=${`${at}${one.id}`} panel=${panel} one=${one} at=${at} />`)}</ul></section>`;
}

/** @param {{panel: import("../types.js").PanelView, one: any, at: number}} props */
function FigureRow({ panel, one, at }) {
  const person = characters()[one.id] ?? {};
  const name = person.name || one.id;
  const view = panel.figures.find((figure) => figure.figure === at);
  /** @param {string} key @param {any} value */
  const set = (key, value) => edit([{ do: "set_figure", panel: panel.id, figure: at, values: { [key]: value } }], `${key} of ${name}`);
  const isOn = selected.value === at;
  const variants = Object.keys(person.variants ?? {});
  return html`<li class=${`figure-row ${isOn ? "is-on" : ""}`}><div class="row">
      <button type="button" class="name grow clip" aria-expanded=${isOn} onClick=${() => { selected.value = isOn ? null : at; }}>${name}</button>
      ${!isOn && html`<span class="small quiet clip">${[one.expression, one.action].filter(Boolean).join(", ")}</span>`}
      ${variants.length > 0 && html`<select class="input slim" aria-label=${`Outfit of ${name}`} value=${one.variant ?? ""} onChange=${(/** @type {any} */ event) => set("variant", event.target.value || null)}>
        <option value="">usual</option>${variants.map((variant) => html`<option value=${variant}>${variant}</option>`)}</select>`}
      <${Button} label=${`Take ${name} out`} icon="x" only look="plain small" onClick=${() => edit([{ do: "remove_figure", panel: panel.id, figure: at }], `${name} taken out`)} /></div>
    ${isOn && html`<div class="column tight inner"><div class="pair"><${DraftField} label="Action" rows=${1} value=${one.action ?? ""} placeholder="waving" save=${(/** @type {string} */ words) => set("action", words)} />
      <${DraftField} label="Expression" rows=${1} value=${one.expression ?? ""} placeholder="smile" save=${(/** @type {string} */ words) => set("expression", words)} /></div>
      <${DraftField} label="Looks here (instead of the cast's words)" rows=${1} value=${one.description ?? ""} save=${(/** @type {string} */ words) => set("description", words)} />
      ${view?.given && html`<div><${Button} label="Let the planner place the box" look="small" onClick=${() => set("box", null)} /></div>`}</div>`}</li>`;
}
