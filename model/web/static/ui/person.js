// A character's words: name, looks, outfits.
import { edit } from "../lib/book.js";
import { html, useState } from "../lib/ui.js";
import { Button, Menu } from "./basic.js";
import { DraftField } from "./draft.js";

/** @param {{id: string, person: any}} props */
export function Person({ id, person }) {
  const [outfit, setOutfit] = useState(/** @type {string|null} */ (null));
  const name = person.name || id;
  /** @param {string} key @param {any} value */
  const set = (key, value) => edit([{ do: "set_character", id, values: { [key]: value } }], `${key} of ${name}`);
  /** @param {string} variant @param {string|null} words */
  const dress = (variant, words) => edit([{ do: "set_variant", id, variant, words }], `outfit of ${name}`);
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    const key = (outfit ?? "").trim().toLowerCase().replace(/[^\w-]+/g, "_");
    if (key) dress(key, person.description || name).then((good) => { if (good) setOutfit(null); });
  };
  return html`<div class="person"><div class="row"><h2 class="grow">${name}</h2>
      <${Menu} label=${`What to do with ${name}`} look="plain small" items=${[
        { label: "Add an outfit or age", icon: "plus", run: () => setOutfit("") }, null,
        { label: "Take out of the story", icon: "trash-2", danger: true, run: () => edit([{ do: "remove_character", id }], `${name} taken out`) }]} /></div>
    <div class="words"><${DraftField} label="Name" value=${person.name ?? ""} save=${(/** @type {string} */ words) => set("name", words)} />
      <${DraftField} label="How they look" value=${person.description ?? ""} save=${(/** @type {string} */ words) => set("description", words)} /></div>
    ${Object.entries(person.variants ?? {}).map(([variant, words]) => html`<div class="row" key=${variant}><div class="grow"><${DraftField} label=${`Outfit: ${variant}`} value=${String(words)} save=${(/** @type {string} */ next) => dress(variant, next)} /></div>
      <${Button} label=${`Remove the outfit ${variant}`} icon="x" only look="plain small" onClick=${() => dress(variant, null)} /></div>`)}
    ${outfit !== null && html`<form class="row" onSubmit=${add}><input class="input grow" aria-label="Name of the outfit" placeholder="winter, older, uniform" value=${outfit} onInput=${(/** @type {any} */ event) => setOutfit(event.target.value)} />
      <button class="button" type="submit">Add</button><${Button} label="Not now" look="plain" onClick=${() => setOutfit(null)} /></form>`}</div>`;
}
