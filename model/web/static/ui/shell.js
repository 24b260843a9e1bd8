// The bar at the top and the rail at the side.
import { book, saving, travel } from "../lib/book.js";
import { online, queue, running, waiting } from "../lib/events.js";
import { useKeys } from "../lib/keys.js";
import { go, place, to } from "../lib/router.js";
import { isDark, setTheme } from "../lib/theme.js";
import { html } from "../lib/ui.js";
import { time } from "../lib/words.js";
import { Bar, Button, icon } from "./basic.js";
import { STAGES } from "../book/live.js";
import { helpOpen } from "./help.js";

/** @typedef {{address: string, label: string, icon: string, at: string}} Entry */

/** @param {string|undefined} name @returns {Entry[]} */
const bookEntries = (name) => name ? [
  { address: to("book", name), label: "Book", icon: "book-open", at: "page" },
  { address: to("book", name, "cast"), label: "Cast", icon: "users", at: "cast" },
  { address: to("book", name, "vibe"), label: "Vibe", icon: "heart", at: "vibe" },
  { address: to("book", name, "chronicle"), label: "Chronicle", icon: "scroll", at: "chronicle" },
  { address: to("book", name, "export"), label: "Export", icon: "file-down", at: "export" },
] : [];

/** @type {Entry[]} */
const ENTRIES = [
  { address: "#/queue", label: "Queue", icon: "list-ordered", at: "queue" },
  { address: "#/search", label: "Search", icon: "search", at: "search" },
  { address: "#/machine", label: "Machine", icon: "cpu", at: "machine" },
];

export function Rail() {
  const { parts } = place.value;
  const name = parts[0] === "book" ? parts[1] : undefined;
  const here = name ? ({ tries: "page", repair: "page" })[parts[2] ?? ""] ?? parts[2] ?? "page" : parts[0] ?? "";
  const entries = [{ address: "#/", label: "Shelf", icon: "library", at: "" }, ...bookEntries(name),
    ...(name ? [] : [{ address: "#/vibe", label: "Vibe", icon: "heart", at: "vibe" }])];
  const link = (/** @type {Entry} */ one, /** @type {string} */ more = "") => html`<a key=${one.address} class=${more} href=${one.address}
    aria-current=${one.at === here ? "page" : undefined}>${icon(one.icon)}<span>${one.label}</span></a>`;
  return html`<nav class=${`rail ${name ? "in-book" : ""}`} aria-label="Pages">${entries.map((one) => link(one))}
    ${ENTRIES.map((one, at) => link(one, at === 0 ? "push" : ""))}</nav>`;
}

/** What is being drawn, and how far it is. */
function Work() {
  const job = running.value;
  const rest = waiting.value.length;
  if (!job) {
    return rest ? html`<a class="work" href="#/queue">${icon("clock")}<span>${queue.value?.paused ? "Paused" : "Waiting"}, ${rest} to do</span></a>` : null;
  }
  return html`<a class="work" href="#/queue" title=${job.title}>
    <span class="wide-only clip">${STAGES[job.stage] ?? job.kind}</span><${Bar} done=${job.done} total=${job.total} label="Work in progress" />
    <span class="numbers">${job.total ? `${Math.floor(job.done)}/${job.total}` : ""}${job.left ? ` · ${time(job.left)}` : ""}</span></a>`;
}

const SAVED = { saved: "Saved", saving: "Saving…", unsaved: "Not saved yet", failed: "Not saved" };

function Crumb() {
  const { parts } = place.value;
  const view = book.value;
  if (parts[0] !== "book" || !view || view.card.name !== parts[1]) return html`<div class="grow"></div>`;
  return html`<div class="crumb grow"><span class="wide-only">/</span><strong class="clip">${view.card.title}</strong>
    <span class=${`saved wide-only ${saving.value === "failed" ? "bad" : ""}`} role="status">${SAVED[saving.value]}</span></div>
    <${Button} label=${view.can_undo ? `Undo: ${view.can_undo}` : "Nothing to undo"} icon="undo-2" only look="plain" keys="Ctrl-Z"
      disabled=${!view.can_undo} onClick=${() => travel("undo")} />
    <${Button} label=${view.can_redo ? `Redo: ${view.can_redo}` : "Nothing to redo"} icon="redo-2" only look="plain" keys="Ctrl-Shift-Z"
      disabled=${!view.can_redo} onClick=${() => travel("redo")} />`;
}

export function Top() {
  const inBook = () => place.value.parts[0] === "book" && book.value;
  useKeys([
    { keys: "Ctrl-z", does: "undo", run: () => { if (inBook() && book.value?.can_undo) travel("undo"); } },
    { keys: "Ctrl-Shift-z Ctrl-y", does: "redo", run: () => { if (inBook() && book.value?.can_redo) travel("redo"); } },
    { keys: "/ Ctrl-k", does: "search", run: () => go("#/search") },
    { keys: "?", does: "what the keys do", run: () => { helpOpen.value = !helpOpen.value; } },
  ]);
  return html`<header class="top"><a class="brand" href="#/" aria-label="AutoStudio: to the shelf"><img src="static/favicon.svg" alt="" width="24" height="24" />
    <span class="wide-only">AutoStudio</span></a><${Crumb} />
    ${online.value ? null : html`<span class="tag bad" role="status">${icon("circle-alert")}No connection</span>`}<${Work} />
    <${Button} label="Light or dark" icon=${isDark() ? "sun" : "moon"} only look="plain" onClick=${() => setTheme(isDark() ? "light" : "dark")} />
    <span class="wide-only"><${Button} label="What the keys do" icon="keyboard" only look="plain" keys="?" onClick=${() => { helpOpen.value = true; }} /></span></header>`;
}
