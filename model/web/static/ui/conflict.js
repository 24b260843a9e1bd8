// Two edits of the same book at once: both versions are shown, and one is chosen.
import { conflict, settle } from "../lib/book.js";
import { html } from "../lib/ui.js";
import { Button, Dialog } from "./basic.js";

/** Where two values differ, as paths with both sides. @param {any} one @param {any} other @param {string} [path] @returns {[string, string, string][]} */
export function differences(one, other, path = "") {
  if (JSON.stringify(one) === JSON.stringify(other)) return [];
  const both = [one, other].every((value) => value && typeof value === "object");
  if (!both) return [[path || "the story", say(one), say(other)]];
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return keys.flatMap((key) => differences(one[key], other[key], path ? `${path} › ${label(key)}` : label(key)));
}

/** @param {string} key */
const label = (key) => (/^\d+$/.test(key) ? String(Number(key) + 1) : key);

/** @param {any} value */
const say = (value) => (value === undefined ? "nothing" : typeof value === "string" ? value : JSON.stringify(value));

export function ConflictDialog() {
  const now = conflict.value;
  if (!now) return null;
  const rows = differences(now.yours, now.theirs).slice(0, 40);
  return html`<${Dialog} wide title="The book was changed elsewhere" onClose=${() => settle("theirs")}
    foot=${html`<${Button} label="Keep theirs" onClick=${() => settle("theirs")} /><${Button} label="Keep mine" look="main" onClick=${() => settle("yours")} />`}>
    <p>${now.error}</p>
    <table class="plain"><thead><tr><th scope="col">Where</th><th scope="col">Mine</th><th scope="col">Theirs</th></tr></thead>
      <tbody>${rows.map(([where, mine, theirs]) => html`<tr key=${where}><td class="quiet small">${where}</td><td>${mine}</td><td>${theirs}</td></tr>`)}</tbody></table>
    <p class="small quiet">Either choice is a revision of its own: undo brings the other one back.</p></${Dialog}>`;
}
