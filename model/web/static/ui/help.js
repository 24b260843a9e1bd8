// `?`: every key that does something here.
import { shortcuts } from "../lib/keys.js";
import { html, signal } from "../lib/ui.js";
import { Dialog } from "./basic.js";

export const helpOpen = signal(false);

const SIGNS = /** @type {Record<string, string>} */ ({ ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" });

/** @param {string} keys */
const shown = (keys) => keys.split(" ").map((one) => one.split("-").map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join(" "));

export function Help() {
  if (!helpOpen.value) return null;
  const close = () => { helpOpen.value = false; };
  const seen = new Set();
  const rows = [...shortcuts.value].reverse().flat().filter((one) => one.does && !seen.has(one.keys) && seen.add(one.keys));
  return html`<${Dialog} title="What the keys do here" onClose=${close}>
    <table class="plain"><tbody>${rows.map((one) => html`<tr key=${one.keys}><td>${shown(one.keys).map((key, at) => html`${at ? " or " : ""}<kbd>${key}</kbd>`)}</td>
      <td>${one.does}</td></tr>`)}</tbody></table></${Dialog}>`;
}
