// The cast: each character's words, looks, candidates and versions; approved here before the book is drawn.
import { call, get, post } from "../lib/api.js";
import { characters, edit } from "../lib/book.js";
import { running, useEvents, waiting } from "../lib/events.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { ask } from "../lib/work.js";
import { Button, Dialog, Empty, Field, Trouble } from "../ui/basic.js";
import { Look } from "../ui/look.js";
import { Person } from "../ui/person.js";
import { useBook } from "./book.js";

/** @typedef {import("../types.js").LookView} LookView */

export default function Cast() {
  const view = useBook();
  const name = view?.card.name ?? "";
  const [looks, setLooks] = useState(/** @type {LookView[]|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const [fresh, setFresh] = useState(false);
  const load = () => (name ? get(`api/books/${name}/cast`).then((found) => { setLooks(found.looks); setTrouble(""); }, (error) => setTrouble(error.message)) : undefined);
  useEffect(() => { load(); if (view) document.title = `Cast – ${view.card.title}`; }, [name, view?.revision]);
  useEvents("cast resync job drawn", (event) => { if (!event.book || event.book === name) load(); }, [name]);

  /** @param {LookView} look @param {string} what route @param {any} [body] */
  const change = async (look, what, body) => {
    try {
      const path = `api/books/${name}/cast/${look.id}/${what}?variant=${encodeURIComponent(look.variant)}`;
      const next = await (body instanceof Blob ? call("POST", path, body) : post(path, body));
      setLooks((all) => all?.map((one) => (one.key === look.key ? next : one)) ?? null);
      setTrouble("");
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
    }
  };
  if (!view) return null;
  const busy = [running.value, ...waiting.value].some((job) => job?.book === name && job.kind === "rehearse");
  const people = characters();
  const missing = (looks ?? []).filter((one) => !one.picture).length;
  return html`<div class="sheet-page"><div class="page-head"><div class="grow"><h1>Cast</h1><p>How everybody looks. A panel is drawn with the approved picture; another picture redraws only the panels that used the old one.</p></div>
      <${Button} label="New character" icon="user-plus" onClick=${() => setFresh(true)} />
      ${Object.keys(people).length > 0 && html`<${Button} label=${missing || !looks?.length ? "Rehearse the cast" : "Draw more candidates"} icon="paintbrush" look=${missing ? "main" : ""} busy=${busy} onClick=${() => ask({ kind: "rehearse", book: name, n: missing ? 1 : 2 })} />`}</div>
    <${Trouble} text=${trouble} />
    ${!Object.keys(people).length && html`<${Empty} icon="users" title="Nobody yet"><p>Add a character: a name, and a sentence that says how they look. Then rehearse, and approve the picture you like.</p><${Button} label="New character" icon="user-plus" look="main" onClick=${() => setFresh(true)} /></${Empty}>`}
    <div class="stack">${Object.entries(people).map(([id, person]) => {
      const mine = (looks ?? []).filter((one) => one.id === id);
      return html`<article class="card" key=${id} aria-label=${person.name || id}><${Person} id=${id} person=${person} />
        ${mine.map((look) => html`<${Look} key=${look.key} look=${look} book=${name} change=${change} />`)}
        ${looks && !mine.length && html`<p class="small quiet unused">Not in any panel yet. Add ${person.name || id} to a panel in the book.</p>`}</article>`;
    })}</div>
    ${fresh && html`<${NewCharacter} known=${Object.keys(people)} onClose=${() => setFresh(false)} />`}</div>`;
}

/** @param {string} name @param {string[]} known */
function idOf(name, known) {
  const plain = name.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 40) || "somebody";
  let id = plain;
  for (let number = 2; known.includes(id); number += 1) id = `${plain}_${number}`;
  return id;
}

/** @param {{known: string[], onClose: () => void}} props */
function NewCharacter({ known, onClose }) {
  const [name, setName] = useState("");
  const [words, setWords] = useState("");
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    edit([{ do: "set_character", id: idOf(name, known), values: { name: name.trim(), description: words.trim() } }], `${name.trim()} added`).then((good) => { if (good) onClose(); });
  };
  return html`<${Dialog} title="New character" onClose=${onClose}><form class="column" onSubmit=${save}>
    <${Field} label="Name"><input class="input" required maxlength="200" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /></${Field}>
    <${Field} label="How they look"><textarea class="input" rows="3" required value=${words} placeholder="girl with long silver hair, yellow hoodie, glasses" onInput=${(/** @type {any} */ event) => setWords(event.target.value)}></textarea></${Field}>
    <div class="row"><button class="button main" type="submit">Add</button></div></form></${Dialog}>`;
}
