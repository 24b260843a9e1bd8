// The book's pages, small, in order; dragged to another place.
import { book, edit } from "../lib/book.js";
import { html, useState } from "../lib/ui.js";
import { Button, icon } from "../ui/basic.js";
import { PageThumb } from "../ui/pagethumb.js";
import { pageNumber, turnTo } from "./selection.js";

export function Strip() {
  const [from, setFrom] = useState(0);
  const [over, setOver] = useState(0);
  const view = book.value;
  if (!view) return null;
  const numbers = Array.from({ length: view.page_count }, (_, at) => at + 1);
  /** @param {number} page @param {number} to */
  const move = (page, to) => { if (page !== to) edit([{ do: "move_page", page, to }], `page ${page} moved`).then((good) => { if (good) turnTo(to); }); };
  return html`<nav class="strip-pages" aria-label="Pages of the book"><ol>${numbers.map((number) => {
    const panels = view.panels.filter((one) => one.page === number);
    const drawn = panels.filter((one) => one.picture).length;
    return html`<li key=${number} class=${over === number && from && from !== number ? "target" : ""} draggable="true"
        onDragStart=${(/** @type {DragEvent} */ event) => { setFrom(number); event.dataTransfer?.setData("text/plain", `page ${number}`); }}
        onDragOver=${(/** @type {DragEvent} */ event) => { if (from) { event.preventDefault(); setOver(number); } }}
        onDragEnd=${() => { setFrom(0); setOver(0); }} onDrop=${(/** @type {DragEvent} */ event) => { event.preventDefault(); move(from, number); setFrom(0); setOver(0); }}>
      <button type="button" class="page-thumb" aria-current=${number === pageNumber.value ? "page" : undefined} aria-label=${`Page ${number}`}
          onClick=${() => turnTo(number)} onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
            if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
            event.preventDefault();
            event.stopPropagation();
            move(number, Math.max(1, Math.min(view.page_count, number + (event.key === "ArrowUp" ? -1 : 1))));
          }}><${PageThumb} book=${view.card.name} number=${number} version=${`${view.revision}-${panels.map((one) => one.picture.slice(0, 6)).join("")}`} />
        <span class="row tiny"><span class="grow">${number}</span>${drawn < panels.length ? html`<span class="quiet">${drawn}/${panels.length}</span>` : icon("check")}</span></button></li>`;
  })}</ol><${Button} label="Add a page" icon="plus" only look="plain" onClick=${() => edit([{ do: "add_page", page: view.page_count + 1 }], "page added").then((good) => { if (good) turnTo(view.page_count + 1); })} /></nav>`;
}
