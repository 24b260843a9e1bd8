// What the server says by itself: one stream for the whole page, and what is drawn right now.
import { get } from "./api.js";
import { computed, signal, useEffect } from "./ui.js";

/** @typedef {import("../types.js").JobView} JobView */
/** @typedef {import("../types.js").QueueView} QueueView */

/** A name for this tab, so that it knows its own edits. */
export const client = crypto.randomUUID?.() ?? String(Math.random());

export const queue = signal(/** @type {QueueView|null} */ (null));
export const online = signal(true);
/** `book/name` → address of the newest preview of a picture that is being drawn. */
export const previews = signal(/** @type {Record<string, string>} */ ({}));

export const running = computed(() => queue.value?.jobs.find((job) => job.state === "running") ?? null);
export const waiting = computed(() => (queue.value?.jobs ?? []).filter((job) => job.state === "queued" || job.state === "paused"));

const NAMES = ["hello", "resync", "revision", "shelf", "job", "queue", "settings", "stage", "progress", "preview", "drawn", "judged",
  "failure", "cost", "note", "chosen", "cast", "vibe"];
/** @type {Map<string, Set<(data: any) => void>>} */
const listeners = new Map();

/** Calls `run` for every event of this name; returns how to stop. @param {string} name @param {(data: any) => void} run */
export function on(name, run) {
  const set = listeners.get(name) ?? new Set();
  listeners.set(name, set.add(run));
  return () => { set.delete(run); };
}

/** The same for a component, while it is there. @param {string} names several with spaces @param {(data: any) => void} run @param {any[]} [inputs] */
export function useEvents(names, run, inputs = []) {
  useEffect(() => {
    const stops = names.split(" ").map((name) => on(name, run));
    return () => stops.forEach((stop) => stop());
  }, inputs);
}

export async function loadQueue() {
  queue.value = await get("api/jobs");
}

/** @param {JobView} job */
function update(job) {
  if (!queue.value) return;
  const jobs = queue.value.jobs.filter((one) => one.id !== job.id);
  queue.value = { ...queue.value, jobs: [...jobs, job].sort((a, b) => a.place - b.place) };
  if (job.state !== "running") previews.value = Object.fromEntries(Object.entries(previews.value).filter(([key]) => !key.startsWith(`${job.book}/`)));
}

/** @param {any} progress */
function move(progress) {
  const job = queue.value?.jobs.find((one) => one.id === progress.job);
  if (job) update({ ...job, state: "running", stage: progress.stage, done: progress.done, total: progress.total, step: progress.step, steps: progress.steps, left: progress.left ?? job.left });
}

let asked = 0;
/** The queue's sums come with the queue; asked for at most once in a while. */
function loadSoon() {
  clearTimeout(asked);
  asked = setTimeout(() => loadQueue().catch(() => undefined), 400);
}

export function listen() {
  const source = new EventSource("api/events");
  for (const name of NAMES) {
    source.addEventListener(name, (event) => {
      const data = JSON.parse(/** @type {MessageEvent} */ (event).data || "{}");
      listeners.get(name)?.forEach((run) => run(data));
    });
  }
  let lost = false;
  source.onopen = () => { online.value = true; };
  source.onerror = () => { online.value = false; lost = true; };
  on("hello", () => {
    loadSoon();
    if (lost) listeners.get("resync")?.forEach((run) => run({}));
    lost = false;
  });
  on("job", (job) => { update(job); loadSoon(); });
  on("queue", loadSoon);
  on("progress", move);
  on("preview", ({ book, name, address }) => { previews.value = { ...previews.value, [`${book}/${name}`]: address }; });
  on("drawn", ({ book, name }) => {
    const { [`${book}/${name}`]: gone, ...rest } = previews.value;
    if (gone) previews.value = rest;
  });
}
