// How the book is drawn: the model, the quality, and every other setting of a run.
import { call, get } from "../lib/api.js";
import { book, reload } from "../lib/book.js";
import { html, signal, useEffect, useState } from "../lib/ui.js";
import { Button, Dialog, Field, Trouble } from "../ui/basic.js";
import { DraftField } from "../ui/draft.js";

/** @typedef {import("../types.js").FlagView} FlagView */

const machine = signal(/** @type {import("../types.js").MachineView|null} */ (null));

/** @param {Record<string, any>} values */
async function save(values) {
  await call("PATCH", `api/books/${book.value?.card.name}/settings`, { values });
  await reload();
}

const FIRST = ["quality", "num_inference_steps", "max_retries"];

/** @param {{flag: FlagView, value: any, set: (value: any) => Promise<boolean>}} props */
function Setting({ flag, value, set }) {
  const words = flag.name.replaceAll("_", " ").replace(/^num inference/, "").trim();
  const label = words[0].toUpperCase() + words.slice(1);
  const usual = flag.default === null || flag.default === undefined || flag.default === "" ? "the model's" : String(flag.default);
  if (flag.kind === "flag") return html`<label class="check" title=${flag.help}><input type="checkbox" checked=${value ?? flag.default} onChange=${(/** @type {any} */ event) => set(event.target.checked)} />${label}</label>`;
  if (flag.choices.length) return html`<${Field} label=${label}><select class="input" title=${flag.help} value=${value ?? ""} onChange=${(/** @type {any} */ event) => set(event.target.value || null)}>
    <option value="">usual${flag.default ? `: ${flag.default}` : ""}</option>${flag.choices.map((one) => html`<option value=${one}>${one.replaceAll("_", " ")}</option>`)}</select></${Field}>`;
  const number = flag.kind === "whole" || flag.kind === "number";
  return html`<${DraftField} label=${label} rows=${0} value=${value === undefined || value === null ? "" : String(value)} placeholder=${usual}
    save=${(/** @type {string} */ words) => set(words.trim() === "" ? null : number ? Number(words) : words.trim())} />`;
}

export function DrawForm() {
  const [trouble, setTrouble] = useState("");
  const [open, setOpen] = useState(false);
  useEffect(() => { if (!machine.value) get("api/machine").then((found) => { machine.value = found; }, () => undefined); }, []);
  const settings = /** @type {any} */ (book.value?.settings) ?? {};
  const { models = [], flags = [] } = machine.value ?? {};
  /** @param {Record<string, any>} values */
  const set = (values) => save(values).then(() => { setTrouble(""); return true; }, (error) => { setTrouble(error.message); return false; });
  const model = settings.model ? models.find((one) => one.model === settings.model && (!settings.model_variant || one.model_variant === settings.model_variant))?.name ?? settings.model : "";
  const choose = (/** @type {string} */ name) => {
    const one = models.find((each) => each.name === name);
    return set({ model: one?.model ?? null, model_variant: one?.model_variant || null });
  };
  const form = (/** @type {FlagView[]} */ list) => list.map((flag) => html`<${Setting} key=${flag.name} flag=${flag} value=${settings[flag.name]} set=${(/** @type {any} */ value) => set({ [flag.name]: value })} />`);
  const rest = flags.filter((flag) => !FIRST.includes(flag.name) && !["model", "model_variant"].includes(flag.name) && flag.kind !== "list");
  return html`<section class="part" aria-label="How it is drawn"><h3>How it is drawn</h3><div class="pair">
      <${Field} label="Model"><select class="input" value=${model} onChange=${(/** @type {any} */ event) => choose(event.target.value)}><option value="">best that is here</option>
        ${models.map((one) => html`<option value=${one.name} disabled=${!one.here}>${one.name}${one.here ? "" : " (not here)"}</option>`)}</select></${Field}>
      ${form(flags.filter((flag) => FIRST.includes(flag.name)))}</div>
    <${Trouble} text=${trouble} /><div><${Button} label="All settings" icon="settings" look="small" disabled=${!flags.length} onClick=${() => setOpen(true)} /></div>
    ${open && html`<${Dialog} wide title="How the book is drawn" onClose=${() => setOpen(false)}><${Trouble} text=${trouble} /><div class="settings">${rest.map((flag) => html`<div key=${flag.name}>${form([flag])}<p class="tiny quiet">${flag.help}</p></div>`)}</div></${Dialog}>`}</section>`;
}
