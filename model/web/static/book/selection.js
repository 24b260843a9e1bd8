// What is selected on the page: a panel (it stands in the address), a figure of it, or a line of it.
import { book } from "../lib/book.js";
import { go, place, to } from "../lib/router.js";
import { batch, computed, signal } from "../lib/ui.js";
import { pageOf } from "../lib/words.js";

/** Index of a figure of the selected panel, or null. */
export const figure = signal(/** @type {number|null} */ (null));
/** Line of the selected panel whose balloon is edited: an index, -1 the caption, -2 the words in the picture. */
export const line = signal(/** @type {number|null} */ (null));

export const pageNumber = computed(() => Math.max(1, Math.min(Number(place.value.parts[3] ?? 1) || 1, book.value?.page_count ?? 1e9)));
export const panel = computed(() => {
  const id = place.value.query.get("panel") ?? "";
  return pageOf(id) === pageNumber.value && book.value?.panels.some((one) => one.id === id) ? id : "";
});

/** @param {string} id empty: none @param {{figure?: number|null, line?: number|null}} [more] */
export function select(id, more = {}) {
  const name = place.value.parts[1];
  batch(() => {
    figure.value = more.figure ?? null;
    line.value = more.line ?? null;
    const page = id ? pageOf(id) : pageNumber.value;
    go(`${to("book", name, "page", page)}${id ? `?panel=${id}` : ""}`, true);
  });
}

/** @param {number} number */
export function turnTo(number) {
  const count = book.value?.page_count ?? 1;
  batch(() => {
    figure.value = null;
    line.value = null;
    go(to("book", place.value.parts[1], "page", Math.max(1, Math.min(number, count))), true);
  });
}

/** The panel before or after the selected one, over all pages. @param {1|-1} way */
export function step(way) {
  const all = book.value?.panels ?? [];
  const at = all.findIndex((one) => one.id === panel.value);
  const first = all.findIndex((one) => one.page === pageNumber.value);
  const next = at < 0 ? all[Math.max(0, first)] : all[at + way];
  if (next) select(next.id);
}
