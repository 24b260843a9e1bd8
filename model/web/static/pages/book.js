// The book: its pages at the side, the page as it will be printed on the desk, what is selected beside it.
import { book, drafts, loadPage, openBook, pages, trouble } from "../lib/book.js";
import { running, waiting } from "../lib/events.js";
import { useKeys } from "../lib/keys.js";
import { go, place, to } from "../lib/router.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { count, time } from "../lib/words.js";
import { ask, change } from "../lib/work.js";
import { Button, Empty, Trouble } from "../ui/basic.js";
import { LineEditor } from "../book/lineedit.js";
import { Live } from "../book/live.js";
import { PageForm } from "../book/pageform.js";
import { judge, lock, redraw } from "../book/panelactions.js";
import { PanelForm } from "../book/panelform.js";
import { figure, line, pageNumber, panel, select, step, turnTo } from "../book/selection.js";
import { Sheet } from "../book/sheet.js";
import { Strip } from "../book/strip.js";

/** Opens the book of the address; every page of a book begins with it. */
export function useBook() {
  const name = place.value.parts[1];
  useEffect(() => { if (book.value?.card.name !== name) openBook(name); }, [name]);
  return book.value?.card.name === name ? book.value : null;
}

function DrawButton() {
  const view = book.value;
  if (!view) return null;
  const { card, cost } = view;
  const job = [running.value, ...waiting.value].find((one) => one?.book === card.name && ["draw", "panels", "redraw", "rehearse", "repair"].includes(one.kind));
  if (job) return html`<${Button} label=${job.state === "running" ? "Stop drawing" : "Take back"} icon="square" onClick=${() => change(job.id, { state: "cancelled" })} />`;
  if (!cost.panels.length) return html`<span class="tag good">All drawn</span>`;
  const looks = cost.cast.length ? ` and ${count(cost.cast.length, "look")} to rehearse` : "";
  return html`<${Button} label=${`Draw ${count(cost.panels.length, "panel")}`} icon="paintbrush" look="main" keys="Shift-D"
    title=${`Draws ${count(cost.panels.length, "panel")}${looks}${cost.seconds ? `, about ${time(cost.seconds)}` : ""}; nothing else changes`} onClick=${() => ask({ kind: "draw", book: card.name })} />
    <span class="small quiet wide-only">${cost.seconds ? `about ${time(cost.seconds)}` : ""}</span>`;
}

/** @param {{zoom: number, setZoom: (zoom: number) => void}} props */
function DeskBar({ zoom, setZoom }) {
  const pagesCount = book.value?.page_count ?? 1;
  return html`<div class="desk-bar"><${Button} label="Page before" icon="chevron-left" only look="plain" keys="PageUp" disabled=${pageNumber.value === 1} onClick=${() => turnTo(pageNumber.value - 1)} />
    <span class="numbers small">${pageNumber.value} / ${pagesCount}</span>
    <${Button} label="Page after" icon="chevron-right" only look="plain" keys="PageDown" disabled=${pageNumber.value === pagesCount} onClick=${() => turnTo(pageNumber.value + 1)} />
    <span class="wide-only row"><${Button} label="Smaller" icon="zoom-out" only look="plain" keys="-" disabled=${zoom <= 1} onClick=${() => setZoom(Math.max(1, zoom / 1.25))} />
    <${Button} label="Larger" icon="zoom-in" only look="plain" keys="+" disabled=${zoom >= 4} onClick=${() => setZoom(Math.min(4, zoom * 1.25))} /></span>
    <span class="grow"></span><${DrawButton} /></div>`;
}

export default function Book() {
  const view = useBook();
  const number = pageNumber.value;
  const [zoom, setZoom] = useState(1);
  const inspector = useRef(/** @type {HTMLElement|null} */ (null));
  useEffect(() => { if (view && !pages.value.has(number)) loadPage(number); }, [view?.card.name, number, pages.value]);
  useEffect(() => { if (view) document.title = `${view.card.title} – AutoStudio`; }, [view?.card.title]);
  useEffect(() => { inspector.current?.scrollTo(0, 0); }, [panel.value]);
  const id = panel.value;
  useKeys([
    { keys: "ArrowRight ArrowDown", does: "the next panel", run: () => step(1) },
    { keys: "ArrowLeft ArrowUp", does: "the panel before", run: () => step(-1) },
    { keys: "PageDown", does: "the next page", run: () => turnTo(number + 1) },
    { keys: "PageUp", does: "the page before", run: () => turnTo(number - 1) },
    { keys: "Enter", does: "the tries of the panel", run: () => { if (id) go(to("book", view?.card.name ?? "", "tries", id)); } },
    { keys: "l", does: "like the panel's picture", run: () => { if (id) judge(id, true); } },
    { keys: "d", does: "dislike it", run: () => { if (id) judge(id, false); } },
    { keys: "r", does: "redraw the panel", run: () => { if (id) redraw(id); } },
    { keys: "k", does: "lock or unlock the panel", run: () => { if (id) lock(id, !book.value?.panels.find((one) => one.id === id)?.locked); } },
    { keys: "e", does: "edit the panel's first line", run: () => { if (id) line.value = 0; } },
    { keys: "Shift-d", does: "draw what is missing", run: () => { if (view?.cost.panels.length) ask({ kind: "draw", book: view.card.name }); } },
    { keys: "+ =", does: "larger", run: () => setZoom(Math.min(4, zoom * 1.25)) },
    { keys: "-", does: "smaller", run: () => setZoom(Math.max(1, zoom / 1.25)) },
    { keys: "Escape", does: "select less", run: () => { if (line.value !== null) line.value = null; else if (figure.value !== null) figure.value = null; else select(""); } },
  ], [id, number, zoom, view]);

  if (!view) return trouble.value ? html`<div class="sheet-page"><${Trouble} text=${trouble.value} /><p><a href="#/">Back to the shelf</a></p></div>` : null;
  const page = drafts.value.get(number) ?? pages.value.get(number);
  const current = page?.panels.find((one) => one.id === id);
  return html`<div class=${`studio ${current ? "has-panel" : ""}`}><${Strip} />
    <section class="desk" aria-label="The page"><${DeskBar} zoom=${zoom} setZoom=${setZoom} /><${Live} />
      ${(trouble.value || page?.error) && html`<div class="desk-trouble"><${Trouble} text=${trouble.value || page?.error} /></div>`}
      <div class="table"><div class="paper" style=${{ "--zoom": zoom, "--ratio": page ? page.width / page.height : 0.7 }}>
        ${page ? html`<${Sheet} page=${page} /><${LineEditor} page=${page} />` : html`<div class="skeleton sheet blank-sheet"></div>`}
      </div></div></section>
    <aside class="inspector" ref=${inspector} aria-label=${current ? "The panel" : "The page"}>
      ${current ? html`<${PanelForm} panel=${current} />` : page ? html`<${PageForm} page=${page} />` : html`<${Empty} icon="book-open" title="A moment" />`}</aside></div>`;
}
