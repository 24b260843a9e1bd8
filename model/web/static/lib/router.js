// Where we are: the address's fragment, `#/book/<id>/page/2?panel=p002_01`, as a signal.
import { computed, signal } from "./ui.js";

/** @typedef {{parts: string[], query: URLSearchParams, path: string}} Place */

const hash = signal(location.hash);
addEventListener("hashchange", () => { hash.value = location.hash; });

/** @param {string} text @returns {Place} */
export function parse(text) {
  const [path, query = ""] = text.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query), path };
}

/** @type {import("../vendor/signals.js").ReadonlySignal<Place>} */
export const place = computed(() => parse(hash.value));

/** The address of a place. @param {...(string|number)} parts */
export const to = (...parts) => `#/${parts.map((part) => encodeURIComponent(String(part))).join("/")}`;

/** Go there. @param {string} address as `to` gives @param {boolean} [silently] replaces this place in the history */
export function go(address, silently = false) {
  if (address === location.hash) return;
  if (silently) {
    history.replaceState(null, "", address);
    hash.value = address;
  } else {
    location.hash = address;
  }
}

/** Sets one word of the query, keeps the rest, adds nothing to the history. @param {string} name @param {string|null} value */
export function setQuery(name, value) {
  const query = new URLSearchParams(place.value.query);
  if (value === null) query.delete(name);
  else query.set(name, value);
  const words = query.toString();
  go(`#/${place.value.path}${words ? `?${words}` : ""}`, true);
}
