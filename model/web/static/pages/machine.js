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
  const [findings, setFindings] = useState(/** @type {import("../types.js").Finding[]|null} */ (null));
  const [trouble, setTrouble] = useState("");
  const load = () => get("api/machine").then((next) => { setFound(next); setTrouble(""); }, (error) => setTrouble(error.message));
  const examine = () => { setFindings(null); get("api/machine/doctor").then(setFindings, (error) => { setFindings([]); setTrouble(error.message); }); };
  useEffect(() => { document.title = "Machine – AutoStudio"; load(); examine(); }, []);
  useEvents("job resync", (event) => { if (!event.kind || event.kind === "download") load(); });
  return html`<div class="sheet-page stack"><div class="page-head"><div class="grow"><h1>Machine</h1><p>Which models draw here, which can be had, and what the doctor says.</p></div><${Button} label="Examine again" icon="refresh-cw" busy=${!findings} onClick=${examine} /></div>
    <${Trouble} text=${trouble} />
    <section><h2>Models</h2>${!found && !trouble ? html`<div class="skeleton spaced tall"></div>` : found && html`<div class="card scroll spaced"><table class="plain"><thead><tr><th scope="col">Model</th><th scope="col">Family</th><th scope="col">Licence</th><th scope="col">On this machine</th></tr></thead>
      <tbody>${found.models.map((one) => html`<${Model} key=${one.name} one=${one} />`)}</tbody></table></div>`}</section>
    <section><h2>Doctor</h2>${!findings ? html`<p class="quiet small spaced" role="status">${icon("loader-circle", "spin")} Looking at the machine…</p>` : html`<ul class="card spaced">${findings.map((one, at) => html`<li class="job" key=${at}><span class=${stateOf(one.state)[1]}>${icon(stateOf(one.state)[0])}</span>
      <div><strong>${one.name}</strong><p class="small quiet">${one.text}</p>${one.mend && html`<p class="small mono">${one.mend}</p>`}</div><span class="small quiet">${one.state}</span></li>`)}</ul>`}</section></div>`;
}

/** @param {string} state @returns {[string, string]} icon and colour */
function stateOf(state) {
  if (/ok|good|fine|here/i.test(state)) return ["circle-check", "good"];
  return /broken|bad|error|fail/i.test(state) ? ["circle-alert", "bad"] : ["info", "quiet"];
}

/** @param {{one: import("../types.js").ModelView}} props */
function Model({ one }) {
  const job = [running.value, ...waiting.value].find((each) => each?.kind === "download" && /** @type {any} */ (each.args).name === one.name);
  return html`<tr><td><strong>${one.name}</strong>${one.bytes ? html`<span class="small quiet numbers"> ${size(one.bytes)}</span>` : null}</td><td class="small">${one.family}</td><td class="small quiet">${one.licence || "the project's own"}</td>
    <td>${one.here ? html`<span class="tag good">${icon("check")}here</span>`
      : job ? html`<div class="column tight"><${Bar} done=${job.done} total=${job.total} label=${`${one.name}: fetched`} /><div class="row small quiet">${job.left ? time(job.left) : job.state}<${Button} label=${`Cancel fetching ${one.name}`} icon="x" only look="small plain" onClick=${() => change(job.id, { state: "cancelled" })} /></div></div>`
        : html`<${Button} label="Download" icon="download" look="small" title=${`Download ${one.name}`} onClick=${() => ask({ kind: "download", name: one.name })} />`}</td></tr>`;
}
