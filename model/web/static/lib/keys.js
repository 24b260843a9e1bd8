// The keyboard: pages say which keys they know; the nearest saying wins, and `?` lists them.
import { signal, useEffect } from "./ui.js";

/** @typedef {{keys: string, does: string, run: (event: KeyboardEvent) => void, typing?: boolean}} Shortcut */

/** @type {import("../vendor/signals.js").Signal<Shortcut[][]>} */
export const shortcuts = signal([]);

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const mods = `${event.ctrlKey || event.metaKey ? "Ctrl-" : ""}${event.altKey ? "Alt-" : ""}`;
  // A shifted sign is the sign itself; Shift is named for letters and named keys only.
  const shift = event.shiftKey && (event.key.length > 1 || /[a-z]/.test(key)) ? "Shift-" : "";
  return mods + shift + (key === " " ? "Space" : key);
}

/** @param {EventTarget|null} target */
export function isTyping(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button])"));
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || (document.querySelector("dialog[open]") && event.key !== "?")) return;
  const name = nameOf(event), typing = isTyping(event.target);
  const isButton = event.target instanceof HTMLElement && event.target.matches("button, a, summary, input, [role=slider]");
  for (const list of [...shortcuts.value].reverse()) {
    const found = list.find((one) => one.keys.split(" ").includes(name));
    if (!found || (typing && !found.typing)) continue;
    if (isButton && (name === "Enter" || name === "Space")) continue;
    event.preventDefault();
    found.run(event);
    return;
  }
});

/** Keys of a component, while it is there. @param {Shortcut[]} list @param {any[]} [inputs] as of useEffect */
export function useKeys(list, inputs = []) {
  useEffect(() => {
    shortcuts.value = [...shortcuts.value, list];
    return () => { shortcuts.value = shortcuts.value.filter((one) => one !== list); };
  }, inputs);
}
