// The page's beginning: the frame, and which page stands in it.
import "./lib/theme.js";
import { listen, loadQueue } from "./lib/events.js";
import { place } from "./lib/router.js";
import { h, html, render, useEffect, useState } from "./lib/ui.js";
import { Empty, Toasts, Trouble } from "./ui/basic.js";
import { ConflictDialog } from "./ui/conflict.js";
import { Help } from "./ui/help.js";
import { Rail, Top } from "./ui/shell.js";

/** Pages by the first word of the address; each is fetched when it is first needed. @type {Record<string, () => Promise<any>>} */
const PAGES = {
  "": () => import("./pages/shelf.js"),
  queue: () => import("./pages/queue.js"),
  machine: () => import("./pages/machine.js"),
  search: () => import("./pages/search.js"),
  vibe: () => import("./pages/vibe.js"),
};
/** Pages of a book, by the word after its name. @type {Record<string, () => Promise<any>>} */
const BOOK_PAGES = {
  page: () => import("./pages/book.js"),
  tries: () => import("./pages/tries.js"),
  repair: () => import("./pages/repair.js"),
  cast: () => import("./pages/cast.js"),
  chronicle: () => import("./pages/chronicle.js"),
  export: () => import("./pages/export.js"),
  vibe: () => import("./pages/vibe.js"),
};

/** @param {string[]} parts */
const loaderOf = (parts) => (parts[0] === "book" && parts[1] ? BOOK_PAGES[parts[2] ?? "page"] : PAGES[parts[0] ?? ""]);

function Main() {
  const { parts } = place.value;
  const load = loaderOf(parts);
  const [page, setPage] = useState(/** @type {{load: any, view: any}|null} */ (null));
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    load?.().then((module) => { setTrouble(""); setPage({ load, view: module.default }); }, () => setTrouble("this page could not be fetched; is the studio still running?"));
  }, [load]);
  if (!load) {
    return html`<${Empty} icon="search" title="There is no such page"><a class="button" href="#/">To the shelf</a></${Empty}>`;
  }
  if (trouble) return html`<div class="sheet-page"><${Trouble} text=${trouble} /></div>`;
  return page?.load === load ? h(page.view, { key: parts[1] ?? "" }) : null;
}

function App() {
  return html`<div class="shell">
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>To the page</a>
    <${Top} /><${Rail} /><main class="main" id="main" tabindex="-1"><${Main} /></main>
    <${Toasts} /><${ConflictDialog} /><${Help} />
  </div>`;
}

listen();
loadQueue().catch(() => undefined);
const root = document.getElementById("app");
if (root) render(h(App, {}), root);
