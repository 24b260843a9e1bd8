// Search over every book's prompts, lines and characters; find and replace in one book, with a preview.
import { get, post } from "../lib/api.js";
import { client } from "../lib/events.js";
import { place, setQuery, to } from "../lib/router.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { count, pageOf, panelName } from "../lib/words.js";
import { Button, Empty, Field, Trouble, say } from "../ui/basic.js";

/** @typedef {import("../types.js").Hit} HitView */

/** @param {{hit: HitView}} props */
function Hit({ hit }) {
  const address = hit.panel ? `${to("book", hit.book, "page", hit.page || pageOf(hit.panel))}?panel=${hit.panel}` : hit.character ? to("book", hit.book, "cast") : to("book", hit.book);
  const signs = [...hit.text];
  const before = signs.slice(0, hit.start).join(""), middle = signs.slice(hit.start, hit.end).join(""), after = signs.slice(hit.end).join("");
  return html`<li class="job"><span></span><a class="hit" href=${address}><span>${before.length > 90 ? `…${before.slice(-80)}` : before}<mark>${middle}</mark>${after}</span>
    <span class="small quiet">${hit.title}${hit.panel ? ` · ${panelName(hit.panel)}` : ""}${hit.character ? ` · ${hit.character}` : ""} · ${hit.field}</span></a><span></span></li>`;
}

export default function Search() {
  const [text, setText] = useState(place.value.query.get("q") ?? "");
  const [found, setFound] = useState(/** @type {import("../types.js").Hits|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const field = useRef(/** @type {HTMLInputElement|null} */ (null));
  useEffect(() => { document.title = "Search – AutoStudio"; field.current?.focus(); }, []);
  const look = () => {
    setQuery("q", text || null);
    if (!text.trim()) return setFound(null);
    get(`api/search?q=${encodeURIComponent(text.trim())}&limit=100`).then((hits) => { setFound(hits); setTrouble(""); }, (error) => setTrouble(error.message));
  };
  useEffect(() => { const timer = setTimeout(look, 160); return () => clearTimeout(timer); }, [text]);
  const books = [...new Map((found?.hits ?? []).map((hit) => [hit.book, hit.title]))];
  return html`<div class="sheet-page"><div class="page-head"><div class="grow"><h1>Search</h1><p>Over prompts, lines and characters of all books.</p></div></div>
    <input ref=${field} class="input big" type="search" aria-label="Search for" placeholder="Search for…" value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)} />
    <${Trouble} text=${trouble} />
    ${!text.trim() && html`<${Empty} icon="search" title="What are you looking for?"><p>A word of a line, a place, a name. What is found can be replaced over a whole book.</p></${Empty}>`}
    ${found && !found.hits.length && text.trim() && html`<${Empty} icon="search" title="Nothing found"><p>No prompt, line or character has “${text.trim()}”.</p></${Empty}>`}
    ${found && found.hits.length > 0 && html`<${Replace} find=${text.trim()} books=${books} onDone=${look} />
      <p class="small quiet spaced" role="status">${count(found.hits.length, "place")}${found.more ? ", and more" : ""}</p><ol class="card" aria-label="Found">${found.hits.map((hit, at) => html`<${Hit} key=${at} hit=${hit} />`)}</ol>`}</div>`;
}

/** @param {{find: string, books: [string, string][], onDone: () => void}} props */
function Replace({ find, books, onDone }) {
  const [open, setOpen] = useState(false);
  const [by, setBy] = useState("");
  const [name, setName] = useState(books[0]?.[0] ?? "");
  const [where, setWhere] = useState(/** @type {("lines"|"prompts"|"characters")[]} */ (["lines", "prompts", "characters"]));
  const [exact, setExact] = useState(false);
  const [hits, setHits] = useState(/** @type {HitView[]|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const chosen = books.some(([one]) => one === name) ? name : books[0]?.[0] ?? "";
  useEffect(() => setHits(null), [find, by, chosen, where, exact]);
  /** @param {boolean} preview */
  const run = async (preview) => {
    try {
      const view = await get(`api/books/${chosen}`);
      const replaced = await post(`api/books/${chosen}/replace`, { base: view.revision, find, replace: by, where, case: exact, preview, client });
      setTrouble("");
      if (preview) return setHits(replaced.hits);
      setHits(null);
      say(`${count(replaced.hits.length, "place")} replaced. Undo in the book takes it back.`);
      onDone();
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
    }
  };
  if (!open) return html`<div class="spaced"><${Button} label="Replace…" icon="pencil" onClick=${() => setOpen(true)} /></div>`;
  return html`<section class="card panelled column spaced" aria-label="Replace"><div class="row wrap bottoms"><div class="grow"><${Field} label=${`Replace “${find}” by`}><input class="input" value=${by} onInput=${(/** @type {any} */ event) => setBy(event.target.value)} /></${Field}></div>
      <${Field} label="In"><select class="input" value=${chosen} onChange=${(/** @type {any} */ event) => setName(event.target.value)}>${books.map(([one, title]) => html`<option value=${one}>${title}</option>`)}</select></${Field}>
      <${Button} label="Preview" onClick=${() => run(true)} disabled=${!where.length} /><${Button} label=${hits ? `Replace ${hits.length}` : "Replace"} look="main" disabled=${!hits?.length} onClick=${() => run(false)} /></div>
    <div class="row wrap" role="group" aria-label="Where">${/** @type {const} */ (["lines", "prompts", "characters"]).map((one) => html`<label class="check" key=${one}><input type="checkbox" checked=${where.includes(one)} onChange=${() => setWhere(where.includes(one) ? where.filter((each) => each !== one) : [...where, one])} />${one}</label>`)}
      <label class="check"><input type="checkbox" checked=${exact} onChange=${() => setExact(!exact)} />capitals matter</label></div>
    <${Trouble} text=${trouble} />
    ${hits && (hits.length ? html`<ol class="preview-hits" aria-label="As it would read">${hits.map((hit, at) => html`<${Hit} key=${at} hit=${hit} />`)}</ol>` : html`<p class="small quiet">Nothing to replace there.</p>`)}</section>`;
}
