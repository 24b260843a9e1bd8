// The vibe: what was liked and disliked, how the book scores, and which panels a threshold would send back.
import { call, get } from "../lib/api.js";
import { book } from "../lib/book.js";
import { useEvents } from "../lib/events.js";
import { place } from "../lib/router.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { count, picture } from "../lib/words.js";
import { opine } from "../lib/work.js";
import { Button, Empty, Trouble, icon, say } from "../ui/basic.js";
import { Explain } from "../ui/explain.js";
import { Scores } from "../ui/scores.js";
import { useBook } from "./book.js";

/** @typedef {import("../types.js").VibeView} VibeView */
/** @typedef {import("../types.js").VibeEntry} VibeEntry */

export default function Vibe() {
  const inBook = place.value.parts[0] === "book";
  return inBook ? html`<${OfBook} />` : html`<${Taste} />`;
}

function OfBook() {
  const view = useBook();
  if (!view) return null;
  return html`<${Taste} name=${view.card.name} />`;
}

/** @param {{name?: string}} props */
function Taste({ name }) {
  const [vibe, setVibe] = useState(/** @type {VibeView|null} */ (null));
  const [category, setCategory] = useState("");
  const [trouble, setTrouble] = useState("");
  const [why, setWhy] = useState("");
  const [tab, setTab] = useState(name ? "scores" : "taste");
  const file = useRef(/** @type {HTMLInputElement|null} */ (null));
  /** @param {Promise<VibeView>} answer */
  const take = (answer) => answer.then((next) => { setVibe(next); setTrouble(""); }, (error) => setTrouble(error.message));
  const load = () => take(get(`api/vibe${category ? `?category=${encodeURIComponent(category)}` : ""}`));
  useEffect(() => { load(); document.title = `Vibe – ${name ? book.value?.card.title : "AutoStudio"}`; }, [category]);
  useEvents("vibe resync", load, [category]);
  const categories = Object.entries(vibe?.categories ?? {});
  const bring = async (/** @type {FileList|null} */ files) => {
    if (!files?.[0]) return;
    try {
      const done = await call("POST", "api/vibe/import", new Blob([files[0]], { type: "application/octet-stream" }));
      say([`${count(done.added, "opinion")} imported, ${done.known} known before.`, ...done.notes].join(" "));
      await load();
    } catch (error) {
      setTrouble(/** @type {Error} */ (error).message);
    }
  };
  const tabs = [...(name ? [["scores", "This book"]] : []), ["taste", "Liked and disliked"], ["analytics", "How far to trust it"]];
  return html`<div class="sheet-page"><div class="page-head"><div class="grow"><h1>Vibe</h1><p>${vibe ? `${count(vibe.likes, "like")}, ${count(vibe.dislikes, "dislike")}. ` : ""}Panels that you would probably dislike are drawn again.</p></div>
      ${vibe && html`<${Profiles} vibe=${vibe} />`}
      <a class="button" href="api/vibe/export" download>${icon("download")}Export</a>
      <${Button} label="Import" icon="upload" onClick=${() => file.current?.click()} /><input ref=${file} type="file" accept=".json,application/json" class="hidden" tabindex="-1" aria-hidden="true" onChange=${(/** @type {any} */ event) => { bring(event.target.files); event.target.value = ""; }} /></div>
    <${Trouble} text=${trouble} />${vibe?.note && html`<p class="hint spaced">${icon("info")}${vibe.note}</p>`}
    <div class="tabs" role="tablist" aria-label="Vibe">${tabs.map(([key, words]) => html`<button type="button" role="tab" key=${key} id=${`tab-${key}`} aria-selected=${tab === key} onClick=${() => setTab(key)}>${words}</button>`)}</div>
    <div role="tabpanel" aria-labelledby=${`tab-${tab}`}>
    ${tab === "scores" && name && html`<${Scores} name=${name} explain=${setWhy} />`}
    ${tab === "taste" && vibe && html`${categories.length > 1 && html`<div class="row wrap spaced" role="group" aria-label="Category"><${Button} label="All" look="small" pressed=${!category} onClick=${() => setCategory("")} />
        ${categories.map(([key, many]) => html`<${Button} key=${key} label=${`${key} (${many})`} look="small" pressed=${category === key} onClick=${() => setCategory(key)} />`)}</div>`}
      ${!vibe.entries.length && html`<${Empty} icon="heart" title="No opinions yet"><p>Press <kbd>L</kbd> or <kbd>D</kbd> on a panel of a book. From then on every new panel gets a score.</p></${Empty}>`}
      <${Group} title="Liked" entries=${vibe.entries.filter((one) => one.liked)} explain=${setWhy} /><${Group} title="Disliked" entries=${vibe.entries.filter((one) => !one.liked)} explain=${setWhy} />`}
    ${tab === "analytics" && html`<${Analytics} />`}</div>
    ${why && html`<${Explain} sha=${why} onClose=${() => setWhy("")} />`}</div>`;
}

/** @param {{vibe: VibeView}} props */
const Profiles = ({ vibe }) => html`<div class="field"><span class="label">Profile${vibe.profiles.length > 1 ? ` (of ${vibe.profiles.join(", ")})` : ""}</span><span class="small mono clip path" title=${vibe.path}>${vibe.path.split(/[\\/]/).pop()}</span></div>`;

/** @param {{title: string, entries: VibeEntry[], explain: (sha: string) => void}} props */
const Group = ({ title, entries, explain }) => entries.length > 0 && html`<section class="spaced"><h2>${title}</h2><ul class="pictures spaced">${entries.map((one) => html`<li key=${one.id}>
  ${one.picture ? html`<button type="button" class="thumb" aria-label=${`${title}, ${one.category}: why a picture scores as it does`} onClick=${() => explain(one.picture)}><img src=${picture(one.picture, 256)} alt="" loading="lazy" /></button>` : html`<div class="thumb"><span class="small quiet clip">${one.source || "no picture"}</span></div>`}
  <div class="row tiny quiet"><span class="grow clip">${one.category}${one.weight !== 1 ? ` × ${one.weight}` : ""}</span>${one.picture && html`<${Button} label=${`Take this ${one.liked ? "like" : "dislike"} back`} icon="x" only look="small plain" onClick=${() => opine(one.picture, null, one.category)} />`}</div></li>`)}</ul></section>`;

/** A tree of numbers as rows of words. @param {any} value @param {string} [path] @returns {[string, any][]} */
const rows = (value, path = "") => Object.entries(value ?? {}).flatMap(([key, one]) => (one && typeof one === "object" && !Array.isArray(one)
  ? rows(one, `${path}${key} › `) : [/** @type {[string, any]} */ ([path + key.replaceAll("_", " "), one])]));

function Analytics() {
  const [found, setFound] = useState(/** @type {any} */ (null));
  const [trouble, setTrouble] = useState("");
  useEffect(() => { get("api/vibe/analytics").then(setFound, (error) => setTrouble(error.message)); }, []);
  return html`<${Trouble} text=${trouble} />${found && html`<dl class="facts card panelled">${rows(found).filter(([, value]) => typeof value !== "object").slice(0, 80).map(([key, value]) => html`<dt key=${key}>${key}</dt><dd class="numbers">${typeof value === "number" ? Number(value.toFixed(3)) : String(value)}</dd>`)}</dl>`}`;
}
