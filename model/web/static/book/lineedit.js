// The words of a balloon, edited beside it while the page is set again.
import { characters, dropDrafts, edit, preview, storyPanel } from "../lib/book.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { pageOf } from "../lib/words.js";
import { Button } from "../ui/basic.js";
import { useDraft } from "../ui/draft.js";
import { line as selected, panel } from "./selection.js";

export const KINDS = /** @type {const} */ (["speech", "thought", "shout", "whisper", "narration", "sfx"]);

/** @typedef {import("../types.js").PageView} PageView */

/** The edit that gives a line, a caption or the words in the picture this text. @param {string} id @param {number} line @param {string} text */
export const textEdit = (id, line, text) => /** @type {import("../lib/book.js").Edit} */ (line >= 0 ? { do: "set_line", panel: id, line, text }
  : { do: "set_panel", panel: id, values: { [line === -1 ? "caption" : "text_in_image"]: text } });

/** @param {{page: PageView}} props */
export function LineEditor({ page }) {
  const id = panel.value, line = selected.value;
  if (line === null || !id) return null;
  return html`<${Editor} key=${`${id}/${line}`} page=${page} id=${id} line=${line} />`;
}

/** @param {{page: PageView, id: string, line: number}} props */
function Editor({ page, id, line }) {
  const story = storyPanel(id);
  const said = line >= 0 ? story?.dialogue?.[line] : undefined;
  const text = line >= 0 ? said?.text ?? "" : line === -1 ? story?.caption ?? "" : story?.text_in_image ?? "";
  const number = pageOf(id);
  const area = useRef(/** @type {HTMLTextAreaElement|null} */ (null));
  const root = useRef(/** @type {HTMLDivElement|null} */ (null));
  const [place, setPlace] = useState({ left: 0, top: 0 });
  const draft = useDraft({
    value: text,
    save: (words) => (words.trim() ? edit([textEdit(id, line, words)], "line edited") : undefined),
    show: (words) => (words.trim() ? preview([textEdit(id, line, words)], [number]) : undefined),
    drop: dropDrafts,
  });
  const close = () => {
    draft.commit();
    selected.value = null;
    (/** @type {HTMLElement|null} */ (document.querySelector(`[data-panel="${id}"][data-line="${line}"]`)))?.focus();
  };
  useEffect(() => { area.current?.focus(); area.current?.select(); }, []);
  const balloon = page.panels.find((one) => one.id === id)?.balloons.find((one) => one.line === line);
  useLayoutEffect(() => {
    const sheet = document.querySelector(".desk .sheet"), box = root.current;
    const within = sheet?.parentElement;
    if (!sheet || !box || !within || !balloon) return;
    const from = sheet.getBoundingClientRect(), to = within.getBoundingClientRect(), scale = from.width / page.width;
    const below = from.top - to.top + (balloon.y + balloon.height) * scale + 8;
    const above = from.top - to.top + balloon.y * scale - box.offsetHeight - 8;
    const left = from.left - to.left + (balloon.x + balloon.width / 2) * scale - box.offsetWidth / 2;
    setPlace({ left: Math.max(4, Math.min(left, to.width - box.offsetWidth - 4)), top: below + box.offsetHeight > to.height && above > 0 ? above : below });
  }, [balloon?.x, balloon?.y, balloon?.width, balloon?.height]);
  const people = characters();
  return html`<div class="line-editor" ref=${root} style=${{ left: `${place.left}px`, top: `${place.top}px` }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey && event.target === area.current)) { event.stopPropagation(); close(); } }}>
    <textarea ref=${area} class="input" rows="2" aria-label="Text of the balloon" ...${draft.props}></textarea>
    ${draft.trouble && html`<p class="tiny bad" role="alert">${draft.trouble}</p>`}
    ${said && html`<div class="row">
      <select class="input slim grow" aria-label="Who says it" value=${said.speaker ?? ""} onChange=${(/** @type {any} */ event) => edit([{ do: "set_line", panel: id, line, speaker: event.target.value }], "speaker")}>
        <option value="">nobody seen</option>${Object.entries(people).map(([key, one]) => html`<option value=${key}>${one.name || key}</option>`)}</select>
      <select class="input slim" aria-label="How it is said" value=${said.kind ?? "speech"} onChange=${(/** @type {any} */ event) => edit([{ do: "set_line", panel: id, line, kind: event.target.value }], "kind of a line")}>
        ${KINDS.map((kind) => html`<option value=${kind}>${kind}</option>`)}</select>
      ${balloon?.held && html`<${Button} label="Let the balloon find its place again" icon="refresh-cw" only look="small" onClick=${() => edit([{ do: "move_balloon", panel: id, line, at: null }], "balloon let go")} />`}
      <${Button} label="Remove this line" icon="trash-2" only look="small danger" onClick=${() => { selected.value = null; edit([{ do: "remove_line", panel: id, line }], "line removed"); }} />
      <${Button} label="Done" icon="check" only look="small" onClick=${close} /></div>`}</div>`;
}
