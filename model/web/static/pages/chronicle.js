// The chronicle: what everybody knows at a panel; facts are added, corrected, forgotten.
import { get, post, remove } from "../lib/api.js";
import { book, reload } from "../lib/book.js";
import { client, useEvents } from "../lib/events.js";
import { to } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { panelId, panelName } from "../lib/words.js";
import { Button, Empty, Field, Trouble, icon } from "../ui/basic.js";
import { useBook } from "./book.js";

/** @typedef {import("../types.js").ChronicleView} ChronicleView */
/** @typedef {import("../types.js").MemoryView} MemoryView */

export default function Chronicle() {
  const view = useBook();
  const name = view?.card.name ?? "";
  const [found, setFound] = useState(/** @type {ChronicleView|null} */ (null));
  const [who, setWho] = useState("");
  const [until, setUntil] = useState("");
  const [trouble, setTrouble] = useState("");
  const query = new URLSearchParams({ ...(who && { character: who }), ...(until && { panel: until }) });
  const load = () => (name ? get(`api/books/${name}/chronicle?${query}`).then((next) => { setFound(next); setTrouble(""); }, (error) => setTrouble(error.message)) : undefined);
  useEffect(() => { load(); if (view) document.title = `Chronicle – ${view.card.title}`; }, [name, view?.revision, who, until]);
  useEvents("job resync", (event) => { if (!event.book || event.book === name) load(); }, [name, who, until]);
  if (!view) return null;
  const panels = view.panels;
  const forget = (/** @type {MemoryView} */ one) => remove(`api/books/${name}/chronicle/${one.id}`).then(load, (error) => setTrouble(error.message));
  /** A fact is said anew, and the old one is forgotten. @param {MemoryView} one @param {string} text */
  const correct = async (one, text) => {
    try {
      const fact = one.page ? { panel: panelId(one.page, one.panel - 1), base: book.value?.revision ?? 0, text, client } : { text, present: one.known_by, client };
      await post(`api/books/${name}/chronicle`, fact);
      await forget(one);
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
    }
  };
  return html`<div class="sheet-page"><div class="page-head"><div class="grow"><h1>Chronicle</h1><p>Who knows what, from which panel on. What is drawn later follows it.</p></div>
      <${Field} label="Known by"><select class="input" value=${who} onChange=${(/** @type {any} */ event) => setWho(event.target.value)}><option value="">anybody</option>${(found?.people ?? []).map((one) => html`<option>${one}</option>`)}</select></${Field}>
      <${Field} label="Up to"><select class="input" value=${until} onChange=${(/** @type {any} */ event) => setUntil(event.target.value)}><option value="">the end</option>${panels.map((one) => html`<option value=${one.id}>${panelName(one.id)}</option>`)}</select></${Field}></div>
    <${Trouble} text=${trouble} />
    <${NewFact} name=${name} people=${found?.people ?? []} panels=${panels.map((one) => one.id)} at=${until} onDone=${setFound} onTrouble=${setTrouble} />
    ${found && !found.memories.length && html`<${Empty} icon="scroll" title="Nothing is known yet"><p>Facts come from the story's own “remember” and from drawn panels; or write one above.</p></${Empty}>`}
    ${found && found.memories.length > 0 && html`<ol class="card spaced" aria-label="Memories">${grouped(found.memories).map((parts) => html`<${Memory} key=${parts[0].id} parts=${parts} name=${name} forget=${forget} correct=${correct} />`)}</ol>`}</div>`;
}

/** The passages of one memory together: they are remembered and forgotten as one. @param {MemoryView[]} all @returns {MemoryView[][]} */
function grouped(all) {
  /** @type {Map<number, MemoryView[]>} */
  const groups = new Map();
  for (const one of all) groups.set(one.id, [...(groups.get(one.id) ?? []), one]);
  return [...groups.values()];
}

/** @param {{parts: MemoryView[], name: string, forget: (one: MemoryView) => void, correct: (one: MemoryView, text: string) => void}} props */
function Memory({ parts, name, forget, correct }) {
  const [one] = parts;
  const [text, setText] = useState(/** @type {string|null} */ (null));
  const id = one.page ? panelId(one.page, one.panel - 1) : "";
  const save = (/** @type {Event} */ event) => { event.preventDefault(); if (text?.trim() && text !== one.text) correct(one, text.trim()); setText(null); };
  return html`<li class="job"><span class="quiet">${icon(one.by_hand ? "pencil" : "scroll")}</span>
    <div class="column tight">${text === null ? parts.map((each, at) => html`<p key=${at}>${each.speaker && html`<strong>${each.speaker}: </strong>`}${each.text}</p>`)
      : html`<form class="row" onSubmit=${save}><input class="input grow" aria-label="The fact" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} /><button class="button" type="submit">Correct</button></form>`}
      <div class="row wrap small quiet">${id ? html`<a href=${`${to("book", name, "page", one.page)}?panel=${id}`}>${panelName(id)}</a>` : html`<span>before the story</span>`}
        ${one.known_by.length ? html`<span>known by ${one.known_by.join(", ")}</span>` : null}${one.by_hand && html`<span class="tag">by hand</span>`}</div></div>
    <div class="row">${one.by_hand && html`<${Button} label="Correct" icon="pencil" only look="small plain" onClick=${() => setText(one.text)} />`}
      <${Button} label="Forget" icon="x" only look="small plain" onClick=${() => forget(one)} /></div></li>`;
}

/** @param {{name: string, people: string[], panels: string[], at: string, onDone: (found: ChronicleView) => void, onTrouble: (text: string) => void}} props */
function NewFact({ name, people, panels, at, onDone, onTrouble }) {
  const [text, setText] = useState("");
  const [panel, setPanel] = useState(/** @type {string|null} */ (null));
  const [present, setPresent] = useState(/** @type {string[]|null} */ (null));
  const knows = present ?? people;
  const id = panel ?? (at || panels[0] || "");
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const fact = id ? { panel: id, base: book.value?.revision ?? 0 } : { present: knows };
      onDone(await post(`api/books/${name}/chronicle`, { ...fact, text: text.trim(), client }));
      setText("");
      onTrouble("");
      if (id) await reload();
    } catch (error) {
      onTrouble(/** @type {Error} */ (error).message);
    }
  };
  return html`<form class="card panelled column tight" onSubmit=${save} aria-label="A new fact"><div class="row wrap bottoms"><div class="grow"><${Field} label="A new fact"><input class="input" value=${text} placeholder="Mika lost her glasses" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></${Field}></div>
      <${Field} label="Known from"><select class="input" value=${id} onChange=${(/** @type {any} */ event) => setPanel(event.target.value)}><option value="">before the story</option>${panels.map((one) => html`<option value=${one}>${panelName(one)}</option>`)}</select></${Field}>
      <button class="button main" type="submit" disabled=${!text.trim() || (!id && !knows.length)}>Add</button></div>
    ${id ? html`<p class="tiny quiet">Known by those who stand in that panel; it is written into the story.</p>`
      : html`<div class="row wrap" role="group" aria-label="Known by"><span class="label">Known by</span>${people.map((one) => html`<label class="check" key=${one}><input type="checkbox" checked=${knows.includes(one)}
      onChange=${() => setPresent(knows.includes(one) ? knows.filter((each) => each !== one) : [...knows, one])} />${one}</label>`)}</div>`}</form>`;
}
