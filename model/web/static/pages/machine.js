// The machine: what draws here, what can be had, what the doctor says.
import { get } from "../lib/api.js";
import { running, useEvents, waiting } from "../lib/events.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { size, time } from "../lib/words.js";
import { ask, change } from "../lib/work.js";
import { Bar, Button, Trouble, icon } from "../ui/basic.js";

/** @typedef {import("../types.js").MachineView} MachineView */

export default function Machine() {
  const [found, setFound] = useState(/** @type {MachineView|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const load = () => get("api/machine").then((next) => { setFound(next); setTrouble(""); }, (error) => setTrouble(error.message));
  useEffect(() => { document.title = "Machine – AutoStudio"; load(); }, []);
  useEvents("job resync", (event) => { if (!event.kind || event.kind === "download") load(); });
  return html`<div class="sheet-page stack"><div class="page-head"><div class="grow"><h1>Machine</h1><p>Which models draw here, which can be had, and what the doctor says.</p></div><${Button} label="Look again" icon="refresh-cw" onClick=${load} /></div>
    <${Trouble} text=${trouble} />
    ${!found && !trouble && html`<div class="skeleton" style=${{ height: "220px" }}></div>`}
    ${found && html`<section><h2>Models</h2><div class="card scroll spaced"><table class="plain"><thead><tr><th scope="col">Model</th><th scope="col">Size</th><th scope="col">On this machine</th><th scope="col"><span class="hidden">Get it</span></th></tr></thead>
      <tbody>${found.models.map((one) => html`<${Model} key=${one.name} one=${one} />`)}</tbody></table></div></section>
    ${found.lines.length > 0 && html`<section><h2>Memory</h2><ul class="card panelled column tight small spaced">${found.lines.map((one) => html`<li>${one}</li>`)}</ul></section>`}
    <section><h2>Doctor</h2><ul class="card spaced">${found.findings.map((one) => html`<li class="job" key=${one.name}><span class=${stateOf(one.state)[1]}>${icon(stateOf(one.state)[0])}</span>
      <div><strong>${one.name}</strong><p class="small quiet">${one.text}</p>${one.mend && html`<p class="small mono">${one.mend}</p>`}</div><span class="small quiet">${one.state}</span></li>`)}</ul></section>`}</div>`;
}

/** @param {string} state @returns {[string, string]} icon and colour */
function stateOf(state) {
  if (/ok|good|fine|here/i.test(state)) return ["circle-check", "good"];
  return /broken|bad|error|fail/i.test(state) ? ["circle-alert", "bad"] : ["info", "quiet"];
}

/** @param {{one: import("../types.js").ModelView}} props */
function Model({ one }) {
  const job = [running.value, ...waiting.value].find((each) => each?.kind === "download" && /** @type {any} */ (each.args).name === one.fetched);
  return html`<tr><td><strong>${one.title || one.name}</strong><div class="small quiet">${one.note}</div></td><td class="numbers">${one.bytes ? size(one.bytes) : ""}</td><td class="small">${one.fits}</td>
    <td>${one.here ? html`<span class="tag good">${icon("check")}here</span>`
      : job ? html`<div class="column tight"><${Bar} done=${job.done} total=${job.total} label=${`${one.name}: fetched`} /><div class="row small quiet">${job.left ? time(job.left) : job.state}<${Button} label="Cancel" icon="x" only look="small plain" onClick=${() => change(job.id, { state: "cancelled" })} /></div></div>`
        : one.fetched && html`<${Button} label="Download" icon="download" look="small" title=${`Download ${one.title || one.name}`} onClick=${() => ask({ kind: "download", name: one.fetched })} />`}</td></tr>`;
}
