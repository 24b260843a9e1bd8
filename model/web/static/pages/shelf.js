// The shelf: every book with its cover and how far it is, and how a new one begins.
import { call, get, post, remove } from "../lib/api.js";
import { useEvents } from "../lib/events.js";
import { useKeys } from "../lib/keys.js";
import { go, to } from "../lib/router.js";
import { h, html, useEffect, useRef, useState } from "../lib/ui.js";
import { ask } from "../lib/work.js";
import { Button, Dialog, Empty, Field, Trouble, say, sayTrouble } from "../ui/basic.js";
import { BookTile } from "../ui/booktile.js";
import { ago, count } from "../lib/words.js";

/** @typedef {import("../types.js").Shelf} ShelfView */
/** @typedef {import("../types.js").BookCard} BookCard */

export default function Shelf() {
  const [shelf, setShelf] = useState(/** @type {ShelfView|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const [fresh, setFresh] = useState(false);
  const [renamed, setRenamed] = useState(/** @type {BookCard|null} */ (null));
  const [over, setOver] = useState(false);
  const file = useRef(/** @type {HTMLInputElement|null} */ (null));

  const load = () => get("api/shelf").then((found) => { setShelf(found); setTrouble(""); }, (error) => setTrouble(error.message));
  useEffect(() => { load(); document.title = "Shelf – AutoStudio"; }, []);
  useEvents("shelf resync job", load);

  /** @param {() => Promise<BookCard>} make @param {boolean} [draw] */
  async function begin(make, draw) {
    setTrouble("");
    try {
      const card = await make();
      if (draw) await ask({ kind: "draw", book: card.name });
      go(to("book", card.name));
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
      setFresh(false);
    }
  }

  /** @param {FileList|null|undefined} files */
  function take(files) {
    const story = files?.[0];
    if (story) begin(() => call("POST", `api/books/upload?name=${encodeURIComponent(story.name)}`, new Blob([story], { type: "application/octet-stream" })));
  }

  /** @param {BookCard} card */
  async function bin(card) {
    try {
      const gone = await remove(`api/books/${card.name}`);
      say(`“${card.title}” is in the bin.`, { action: { label: "Put back", run: () => putBack(gone.entry) }, seconds: 12 });
      load();
    } catch (error) {
      sayTrouble(error);
    }
  }

  /** @param {string} entry */
  const putBack = (entry) => post(`api/bin/${entry}/restore`).then(load, sayTrouble);

  /** @param {BookCard} card */
  const menu = (card) => [
    { label: "Rename", icon: "pencil", run: () => setRenamed(card) },
    { label: "Duplicate", icon: "copy", run: () => post("api/books", { copy_of: card.name }).then(load, sayTrouble) },
    null,
    { label: "Move to the bin", icon: "trash-2", danger: true, run: () => bin(card) },
  ];

  useKeys([{ keys: "n", does: "new book", run: () => setFresh(true) }]);

  const drop = {
    onDragOver: (/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(true); },
    onDragLeave: (/** @type {DragEvent} */ event) => { if (event.target === event.currentTarget) setOver(false); },
    onDrop: (/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files); },
  };

  return html`<div class=${`sheet-page shelf ${over ? "dropping" : ""}`} ...${drop}>
    <div class="page-head"><div class="grow"><h1>Shelf</h1><p>Every book, and how far it is.</p></div>
      <input ref=${file} type="file" accept=".json,application/json" class="hidden" tabindex="-1" aria-hidden="true" onChange=${(/** @type {any} */ event) => { take(event.target.files); event.target.value = ""; }} />
      <${Button} label="Open a story file" icon="upload" onClick=${() => file.current?.click()} />
      <${Button} label="New book" icon="plus" look="main" keys="N" onClick=${() => setFresh(true)} /></div>
    <${Trouble} text=${trouble} />
    ${shelf && !shelf.books.length && h(First, { shelf, begin, onNew: () => setFresh(true) })}
    ${shelf && html`<ul class="books" aria-label="Books">${shelf.books.map((card) => h(BookTile, { key: card.name, card, items: menu(card) }))}</ul>`}
    ${shelf && shelf.bin.length > 0 && html`<details class="bin"><summary>${count(shelf.bin.length, "book")} in the bin</summary>
      <ul>${shelf.bin.map((one) => html`<li class="row" key=${one.entry}><span class="grow">${one.title} <span class="quiet small">${ago(one.deleted)}</span></span>
        <${Button} label="Put back" look="small" onClick=${() => putBack(one.entry)} /></li>`)}</ul></details>`}
    ${fresh && shelf && h(NewDialog, { shelf, begin, onFile: () => file.current?.click(), onClose: () => setFresh(false) })}
    ${renamed && h(RenameDialog, { card: renamed, onClose: () => { setRenamed(null); load(); } })}
  </div>`;
}

/** @param {{shelf: ShelfView, begin: any, onNew: () => void}} props */
const First = ({ shelf, begin, onNew }) => html`<${Empty} icon="book-open" title="No books yet">
  <p>Begin with an example: it opens as a book of your own, and its panels are drawn on this machine. Or drop a story file anywhere here.</p>
  <div class="first">${shelf.examples.map((one) => html`<div class="card example" key=${one.name}><div class="grow"><h3>${one.title}</h3>
      <p class="small quiet">${count(one.pages, "page")}, ${count(one.panels, "panel")}</p></div>
    <${Button} label="Open" look="small" title=${`Open ${one.title}`} onClick=${() => begin(() => post("api/books", { example: one.name }))} />
    <${Button} label="Open and draw" look="small main" title=${`Open and draw ${one.title}`} onClick=${() => begin(() => post("api/books", { example: one.name }), true)} /></div>`)}</div>
  <${Button} label="Something else" icon="plus" look="plain" onClick=${onNew} /></${Empty}>`;

/** @param {{shelf: ShelfView, begin: any, onFile: () => void, onClose: () => void}} props */
function NewDialog({ shelf, begin, onFile, onClose }) {
  const [title, setTitle] = useState("");
  const empty = (/** @type {Event} */ event) => {
    event.preventDefault();
    begin(() => post("api/books", { title: title.trim() || "Untitled" }));
  };
  return html`<${Dialog} title="New book" onClose=${onClose}>
    <form class="row" onSubmit=${empty}><div class="grow"><${Field} label="From nothing: its title"><input class="input" value=${title} maxlength="200" placeholder="Untitled"
      onInput=${(/** @type {any} */ event) => setTitle(event.target.value)} /></${Field}></div>
      <button class="button main bottom" type="submit">Begin</button></form>
    <hr class="rule" /><h3>From an example</h3>
    <ul class="column tight">${shelf.examples.map((one) => html`<li key=${one.name}><button type="button" class="card example press" onClick=${() => begin(() => post("api/books", { example: one.name }))}>
      <span class="grow">${one.title}</span><span class="small quiet">${count(one.pages, "page")}, ${count(one.panels, "panel")}</span></button></li>`)}</ul>
    <hr class="rule" /><${Button} label="From a story file" icon="upload" onClick=${() => { onClose(); onFile(); }} /></${Dialog}>`;
}

/** @param {{card: BookCard, onClose: () => void}} props */
function RenameDialog({ card, onClose }) {
  const [title, setTitle] = useState(card.title);
  const [trouble, setTrouble] = useState("");
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    call("PATCH", `api/books/${card.name}`, { title: title.trim() }).then(onClose, (error) => setTrouble(error.message));
  };
  return html`<${Dialog} title="Rename" onClose=${onClose}><form class="column" onSubmit=${save}>
    <${Field} label="Title"><input class="input" value=${title} maxlength="200" required onInput=${(/** @type {any} */ event) => setTitle(event.target.value)} /></${Field}>
    <${Trouble} text=${trouble} /><div class="row"><button class="button main" type="submit">Rename</button></div></form></${Dialog}>`;
}
