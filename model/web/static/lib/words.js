// Numbers and places in words.

/** Seconds as people say them. @param {number|null|undefined} seconds */
export function time(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "";
  if (seconds < 1) return "1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export const count = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let at = 0;
  for (; bytes >= 1000 && at < 3; at += 1) bytes /= 1000;
  return `${bytes < 10 && at ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}

/** How long ago. @param {number} stamp seconds since 1970 */
export function ago(stamp) {
  const seconds = Date.now() / 1000 - stamp;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(stamp * 1000).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

/** "p002_01" → "Page 2, panel 1". @param {string} id */
export function panelName(id) {
  const found = /^p(\d+)_(\d+)$/.exec(id);
  return found ? `Page ${Number(found[1])}, panel ${Number(found[2])}` : id;
}

/** @param {string} id */
export const pageOf = (id) => Number(/^p(\d+)_/.exec(id)?.[1] ?? 1);

/** @param {string} id its place on the page, from 0 */
export const indexOf = (id) => Number(/_(\d+)$/.exec(id)?.[1] ?? 1) - 1;

/** @param {number} page @param {number} index from 0 */
export const panelId = (page, index) => `p${String(page).padStart(3, "0")}_${String(index + 1).padStart(2, "0")}`;

/** A score, with its sign. @param {number} value */
export const score = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

/** The address of a picture. @param {string} sha @param {128|256|512|1024} [width] */
export const picture = (sha, width) => `api/blobs/${sha}.png${width ? `?w=${width}` : ""}`;
