// What is being done for this book right now, in words and pictures: a wait has something to look at.
import { book } from "../lib/book.js";
import { previews, running, useEvents } from "../lib/events.js";
import { html, useState } from "../lib/ui.js";
import { panelName, time } from "../lib/words.js";
import { Bar } from "../ui/basic.js";

export const STAGES = /** @type {Record<string, string>} */ ({
  plan: "Planning", load: "Loading the model", cast: "Rehearsing the cast", panels: "Drawing panels", again: "Drawing again what the judge refused",
  draw: "Drawing", judge: "Judging", commit: "Keeping what was drawn", enlarge: "Enlarging", pages: "Setting the pages", cache: "Looking at what is there", export: "Writing files",
});

export function Live() {
  const name = book.value?.card.name ?? "";
  const [why, setWhy] = useState("");
  useEvents("judged", (event) => { if (event.book === name) setWhy(event.accepted ? "" : `${panelName(event.panel)}: ${event.reasons.join("; ")}`); }, [name]);
  useEvents("failure", (event) => { if (event.book === name) setWhy(`${panelName(event.name)}: ${event.message}`); }, [name]);
  const job = running.value;
  if (!job || job.book !== name) return null;
  const looks = Object.entries(previews.value).filter(([key]) => key.startsWith(`${name}/cast/`));
  return html`<div class="live" role="status" aria-label="Work in progress">${looks.map(([key, address]) => html`<figure key=${key}><img src=${address.replace(/^\//, "")} alt="" /><figcaption class="tiny clip">${key.slice(name.length + 6)}</figcaption></figure>`)}
    <div class="grow column tight"><div class="row small"><strong>${STAGES[job.stage] ?? (job.stage || "Beginning")}</strong>
        <span class="quiet numbers">${job.total ? `${Math.floor(job.done)} of ${job.total}` : ""}${job.steps ? `, step ${job.step} of ${job.steps}` : ""}${job.left ? `, about ${time(job.left)} to go` : ""}</span></div>
      <${Bar} done=${job.done} total=${job.total} label="Work in progress" />${why && html`<p class="tiny quiet clip" title=${why}>${why}</p>`}</div></div>`;
}
