// A page, small. A picture that is an SVG loads nothing, so the page's SVG is put into the document itself.
import { call } from "../lib/api.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";

/** @type {Map<string, string>} what was fetched, by its address */
const kept = new Map();

/** With names of its own, and small pictures. @param {string} svg @param {string} name */
const small = (svg, name) => svg.replace(/(id="|url\(#)c(\d+)/g, `$1${name}-$2`).replace(/"\/(api\/blobs\/[0-9a-f]+\.png)"/g, '"$1?w=128"');

/** @param {{book: string, number: number, version: string}} props `version` changes when the page does */
export function PageThumb({ book, number, version }) {
  const root = useRef(/** @type {HTMLElement|null} */ (null));
  const [svg, setSvg] = useState("");
  const address = `api/books/${book}/pages/${number}.svg?v=${version}`;
  useEffect(() => {
    const element = root.current;
    if (!element) return;
    let gone = false;
    const load = async () => {
      const found = kept.get(address) ?? small(await call("GET", address), `thumb-${book}-${number}`);
      kept.set(address, found);
      if (kept.size > 200) kept.delete(/** @type {string} */ (kept.keys().next().value));
      if (!gone) setSvg(found);
    };
    // Of a long book, only the pages that are looked at are fetched.
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some((one) => one.isIntersecting)) return;
      watcher.disconnect();
      load().catch(() => undefined);
    });
    watcher.observe(element);
    return () => { gone = true; watcher.disconnect(); };
  }, [address]);
  return html`<span class="small-page" ref=${root} aria-hidden="true" dangerouslySetInnerHTML=${{ __html: svg }}></span>`;
}
