// Export: the book in every form, and the reader.
import { get } from "../lib/api.js";
import { running, useEvents, waiting } from "../lib/events.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { size } from "../lib/words.js";
import { ask } from "../lib/work.js";
import { Button, Empty, Trouble, icon } from "../ui/basic.js";
import { useBook } from "./book.js";

/** @typedef {import("../types.js").FilesView} FilesView */

const FORMS = /** @type {Record<string, [string, string]>} */ ({
  pdf: ["PDF", "To print, with vector letters"], cbz: ["CBZ", "For comic readers"], epub: ["EPUB", "For e-readers, fixed layout"], html: ["Web reader", "One file for a browser, works offline"],
  webtoon: ["Webtoon", "Long strips to scroll"], png: ["Pages", "One PNG a page"], layers: ["Layers", "Art, frames and lettering apart"],
});

export default function Export() {
  const view = useBook();
  const name = view?.card.name ?? "";
  const [found, setFound] = useState(/** @type {FilesView|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const load = () => (name ? get(`api/books/${name}/files`).then((files) => { setFound(files); setTrouble(""); }, (error) => setTrouble(error.message)) : undefined);
  useEffect(() => { load(); if (view) document.title = `Export – ${view.card.title}`; }, [name, view?.revision]);
  useEvents("job resync", (event) => { if (!event.book || event.book === name) load(); }, [name]);
  if (!view) return null;
  const drawn = view.panels.filter((one) => one.picture).length;
  const jobs = [running.value, ...waiting.value].filter((job) => job?.book === name && job.kind === "export");
  const busy = (/** @type {string} */ form) => jobs.some((job) => /** @type {any} */ (job?.args).formats?.includes(form));
  const reader = found?.files.find((one) => one.form === "html");
  return html`<div class="sheet-page stack"><div class="page-head"><div class="grow"><h1>Export</h1><p>${drawn} of ${view.panels.length} panels are drawn${drawn < view.panels.length ? "; the places of the others stay marked" : ""}.</p></div>
      ${reader && html`<a class="button" href=${reader.address.replace(/^\//, "")} target="_blank" rel="noopener">${icon("book-open")}Read it</a>`}
      <a class="button" href=${`api/books/${name}/story`} download=${`${name}.json`}>${icon("file-down")}Story file</a></div>
    <${Trouble} text=${trouble} />
    ${drawn === 0 && html`<${Empty} icon="file-down" title="Nothing to export yet"><p>Draw the book first; its files are written here.</p></${Empty}>`}
    ${found && drawn > 0 && html`<ul class="forms" aria-label="Forms">${/** @type {import("../types.js").NewJob["formats"] & string[]} */ (found.formats).map((form) => {
      const [title, words] = FORMS[form] ?? [form, ""];
      const files = found.files.filter((one) => one.form === form);
      const old = files.some((one) => one.stale);
      return html`<li class="card panelled column tight" key=${form}><div class="row"><h2 class="grow">${title}</h2>${old ? html`<span class="tag warn">older than the book</span>` : files.length ? html`<span class="tag good">${icon("check")}here</span>` : null}</div>
        <p class="small quiet">${words}</p>
        <div class="row wrap push">${files.slice(0, 1).map((file) => html`<a class="button" key=${file.name} href=${file.address.replace(/^\//, "")} download=${file.name.split("/").pop()}>${icon("download")}${files.length > 1 ? `First of ${files.length}` : size(file.bytes)}</a>`)}
          <${Button} label=${files.length ? "Write again" : "Write"} look=${files.length && !old ? "plain" : ""} busy=${busy(form)} onClick=${() => ask({ kind: "export", book: name, formats: [form] })} /></div>
        ${files.length > 1 && html`<details class="more"><summary>All ${files.length} files</summary><ul class="small column tight">${files.map((file) => html`<li key=${file.name}><a href=${file.address.replace(/^\//, "")} download=${file.name.split("/").pop()}>${file.name}</a> <span class="quiet">${size(file.bytes)}</span></li>`)}</ul></details>`}</li>`;
    })}</ul>`}</div>`;
}
