// The queue: what is being drawn, what waits, what it cost; put in order, paused, cancelled.
import { remove } from "../lib/api.js";
import { loadQueue, queue } from "../lib/events.js";
import { useKeys } from "../lib/keys.js";
import { to } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { ago, count, panelName, time } from "../lib/words.js";
import { change, pauseAll } from "../lib/work.js";
import { STAGES } from "../book/live.js";
import { Bar, Button, Empty, Trouble, icon, sayTrouble } from "../ui/basic.js";

/** @typedef {import("../types.js").JobView} JobView */

const SIGNS = /** @type {Record<string, string>} */ ({ queued: "clock", running: "loader-circle", paused: "pause", done: "circle-check", failed: "circle-alert", cancelled: "x" });
const WORDS = /** @type {Record<string, string>} */ ({ draw: "Draw the book", panels: "Draw panels", redraw: "Redraw", rehearse: "Rehearse the cast", repair: "Repair", export: "Export", download: "Download" });

export default function Queue() {
  const [trouble, setTrouble] = useState("");
  useEffect(() => { document.title = "Queue – AutoStudio"; loadQueue().catch((error) => setTrouble(error.message)); }, []);
  useKeys([{ keys: "p", does: "pause the queue, or go on", run: () => { pauseAll(!queue.value?.paused); } }]);
  const now = queue.value;
  if (!now) return html`<div class="sheet-page"><${Trouble} text=${trouble} /></div>`;
  const open = now.jobs.filter((job) => ["running", "queued", "paused"].includes(job.state));
  const done = now.jobs.filter((job) => !open.includes(job)).sort((one, other) => (other.ended ?? 0) - (one.ended ?? 0));
  return html`<div class="sheet-page stack"><div class="page-head"><div class="grow"><h1>Queue</h1>
      <p class="numbers">${time(now.seconds) || "No time"} spent${now.left ? `, about ${time(now.left)} to go` : ""}. Jobs go on when this page is closed.</p></div>
      ${open.length > 0 && html`<${Button} label=${now.paused ? "Go on" : "Pause"} icon=${now.paused ? "play" : "pause"} keys="P" pressed=${now.paused} onClick=${() => pauseAll(!now.paused)} />`}</div>
    <${Trouble} text=${trouble} />
    ${!open.length && html`<${Empty} icon="list-ordered" title="Nothing waits"><p>Open a book and press <strong>Draw</strong>: what it does is shown here.</p></${Empty}>`}
    ${open.length > 0 && html`<ol class="card" aria-label="Open jobs">${open.map((job, at) => html`<${Job} key=${job.id} job=${job} before=${open[at - 1]} after=${open[at + 1]} later=${open[at + 2]} />`)}</ol>`}
    ${done.length > 0 && html`<section><h2>Done</h2><ol class="card spaced" aria-label="Finished jobs">${done.slice(0, 60).map((job) => html`<${Job} key=${job.id} job=${job} />`)}</ol></section>`}</div>`;
}

/** @param {{job: JobView, before?: JobView, after?: JobView, later?: JobView}} props */
function Job({ job, before, after, later }) {
  const panel = /** @type {any} */ (job.args).panel;
  const title = html`${WORDS[job.kind] ?? job.kind}${panel ? ` ${panelName(panel).toLowerCase()}` : ""}`;
  const open = ["running", "queued", "paused"].includes(job.state);
  const detail = job.state === "running" ? `${STAGES[job.stage] ?? (job.stage || "Beginning")}${job.total ? ` ${Math.floor(job.done)} of ${job.total}` : ""}${job.steps ? `, step ${job.step} of ${job.steps}` : ""}${job.left ? `, about ${time(job.left)} to go` : ""}`
    : open ? job.state : `${job.state}${job.ended ? ` ${ago(job.ended)}` : ""}`;
  const spent = job.seconds || job.drawn ? `${time(job.seconds)}${job.drawn ? `, ${count(job.drawn, "picture")}` : ""}` : "";
  return html`<li class="job"><span class=${job.state === "failed" ? "bad" : job.state === "done" ? "good" : "quiet"}>${icon(SIGNS[job.state], job.state === "running" ? "spin" : "")}</span>
    <div class="column tight"><div class="row wrap"><strong>${title}</strong>${job.book && html`<a class="clip" href=${to("book", job.book)}>${job.title || job.book}</a>`}</div>
      <div class="small quiet numbers">${[detail, spent].filter(Boolean).join(" · ")}</div>
      ${job.state === "running" && html`<${Bar} done=${job.done} total=${job.total} label=${`${job.kind}: done`} />`}
      ${job.message && html`<div class=${`small ${job.state === "failed" ? "bad" : "quiet"}`}>${job.message}</div>`}</div>
    <div class="row">${job.state === "queued" && before?.state === "queued" && html`<${Button} label="Earlier" icon="arrow-up" only look="small plain" onClick=${() => change(job.id, { before: before.id })} />`}
      ${job.state === "queued" && after && html`<${Button} label="Later" icon="arrow-down" only look="small plain" onClick=${() => change(job.id, later ? { before: later.id } : { last: true })} />`}
      ${(job.state === "queued" || job.state === "running") && html`<${Button} label="Pause" icon="pause" only look="small plain" onClick=${() => change(job.id, { state: "paused" })} />`}
      ${job.state === "paused" && html`<${Button} label="Go on" icon="play" only look="small plain" onClick=${() => change(job.id, { state: "queued" })} />`}
      ${open && html`<${Button} label="Cancel" icon="x" only look="small plain" onClick=${() => change(job.id, { state: "cancelled" })} />`}
      ${(job.state === "failed" || job.state === "cancelled") && html`<${Button} label="Try again" look="small" onClick=${() => change(job.id, { state: "queued" })} />`}
      ${!open && html`<${Button} label="Take off the list" icon="x" only look="small plain" onClick=${() => remove(`api/jobs/${job.id}`).then((found) => { queue.value = found; }, sayTrouble)} />`}</div></li>`;
}
