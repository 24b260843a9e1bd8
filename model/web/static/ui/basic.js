// Small parts that every page is made of.
import { h, html, signal, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";

// The icons stand in the document once: a reference into another file is fetched again for every first use.
fetch("static/vendor/icons.svg").then((answer) => answer.text()).then((text) => {
  const sprite = document.createElement("div");
  sprite.hidden = true;
  sprite.innerHTML = text;
  document.body.append(sprite);
}, () => undefined);

/** One of the vendored icons. @param {string} name @param {string} [more] classes */
export const icon = (name, more = "") =>
  html`<svg class=${`icon ${more}`} aria-hidden="true" focusable="false"><use href=${`#icon-${name}`} /></svg>`;

/**
 * A button. `only`: the label is for screen readers and the tooltip, the icon is what is seen.
 * @param {{label: string, icon?: string, only?: boolean, look?: string, keys?: string, pressed?: boolean, busy?: boolean,
 *   disabled?: boolean, onClick?: (event: MouseEvent) => void, title?: string, [more: string]: any}} props
 */
export function Button({ label, icon: name, only, look = "", keys, pressed, busy, disabled, onClick, title, ...more }) {
  const tip = title ?? (only || keys ? `${label}${keys ? ` (${keys})` : ""}` : undefined);
  return html`<button type="button" class=${`button ${look} ${only ? "only" : ""}`} title=${tip} aria-pressed=${pressed}
    aria-label=${only ? label : undefined} aria-keyshortcuts=${keys} aria-busy=${busy} disabled=${disabled || busy} onClick=${onClick} ...${more}>
    ${busy ? icon("loader-circle", "spin") : name && icon(name)}${only ? null : label}</button>`;
}

/** A label over its control. @param {{label: string, children?: any, hint?: string}} props */
export const Field = ({ label, children, hint }) =>
  html`<label class="field"><span class="label">${label}</span>${children}${hint && html`<span class="tiny quiet">${hint}</span>`}</label>`;

/** What the server refused, where it happened. @param {{text?: string|null}} props */
export const Trouble = ({ text }) => (text ? html`<div class="trouble" role="alert">${icon("circle-alert")}<span>${text}</span></div>` : null);

/** Nothing is here yet: what to do. @param {{icon: string, title: string, children?: any}} props */
export const Empty = ({ icon: name, title, children }) =>
  html`<div class="empty">${icon(name)}<h2>${title}</h2>${children}</div>`;

/** @param {{done: number, total: number, label: string}} props */
export function Bar({ done, total, label }) {
  const share = total ? Math.min(1, done / total) : 0;
  return html`<div class="bar" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(share * 100)}><span style=${{ transform: `scaleX(${share})` }}></span></div>`;
}

/** One of a few values, as buttons. @param {{label: string, value: string, options: [string, string][], onChange: (value: string) => void}} props */
export const Choice = ({ label, value, options, onChange }) =>
  html`<div class="group" role="group" aria-label=${label}>${options.map(([key, words]) =>
    h(Button, { key, label: words, look: "small", pressed: key === value, onClick: () => onChange(key) }))}</div>`;

/** @typedef {{label: string, icon?: string, run: () => void, danger?: boolean, disabled?: boolean} | null} Item */

/**
 * A button that opens a list. Arrows move in it, Escape closes it; null draws a line.
 * @param {{label: string, icon?: string, only?: boolean, look?: string, items: Item[], left?: boolean}} props
 */
export function Menu({ label, icon: name = "ellipsis", only = true, look = "", items, left }) {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLDivElement|null} */ (null));
  const buttons = () => [...(root.current?.querySelectorAll(".menu-list button:not(:disabled)") ?? [])].map((one) => /** @type {HTMLElement} */ (one));
  useLayoutEffect(() => {
    if (!open) return;
    buttons()[0]?.focus();
    const away = (/** @type {Event} */ event) => { if (!root.current?.contains(/** @type {Node} */ (event.target))) setOpen(false); };
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, [open]);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!open) return;
    const all = buttons(), at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (event.key === "Escape") {
      setOpen(false);
      root.current?.querySelector("button")?.focus();
    } else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === "Tab") return setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <${Button} label=${label} icon=${name} only=${only} look=${look} aria-haspopup="menu" aria-expanded=${open} onClick=${() => setOpen(!open)} />
    ${open && html`<div class=${`menu-list ${left ? "left" : ""}`} role="menu">${items.map((item) => item
      ? html`<button type="button" role="menuitem" class=${item.danger ? "bad" : ""} disabled=${item.disabled}
          onClick=${() => { setOpen(false); item.run(); }}>${item.icon && icon(item.icon)}${item.label}</button>`
      : html`<hr />`)}</div>`}
  </div>`;
}

/**
 * A dialog over the page; the browser keeps the focus inside and gives it back.
 * @param {{title: string, onClose: () => void, children?: any, foot?: any, wide?: boolean}} props
 */
export function Dialog({ title, onClose, children, foot, wide }) {
  const root = useRef(/** @type {HTMLDialogElement|null} */ (null));
  useEffect(() => {
    const element = root.current;
    if (element && !element.open) element.showModal();
    return () => element?.close();
  }, []);
  return html`<dialog ref=${root} class=${wide ? "wide" : ""} aria-label=${title} onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); onClose(); }}
    onClick=${(/** @type {MouseEvent} */ event) => { if (event.target === root.current) onClose(); }}>
    <div class="dialog-head"><h2>${title}</h2><${Button} label="Close" icon="x" only look="plain" onClick=${onClose} /></div>
    <div class="dialog-body">${children}</div>
    ${foot && html`<div class="dialog-foot">${foot}</div>`}
  </dialog>`;
}

/** @typedef {{id: number, text: string, bad?: boolean, action?: {label: string, run: () => void}}} Toast */
const toasts = signal(/** @type {Toast[]} */ ([]));
let last = 0;

/** @param {number} id */
const drop = (id) => { toasts.value = toasts.value.filter((one) => one.id !== id); };

/** Say something in the corner. @param {string} text @param {{bad?: boolean, action?: {label: string, run: () => void}, seconds?: number}} [how] */
export function say(text, { bad, action, seconds = bad ? 12 : 6 } = {}) {
  const id = ++last;
  toasts.value = [...toasts.value.filter((one) => one.text !== text), { id, text, bad, action }].slice(-4);
  setTimeout(() => drop(id), seconds * 1000);
}

/** Say what went wrong. @param {unknown} error */
export const sayTrouble = (error) => say(error instanceof Error ? error.message : String(error), { bad: true });

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">${toasts.value.map((one) =>
  html`<div class=${`toast ${one.bad ? "bad-toast" : ""}`} key=${one.id}><span class="grow">${one.text}</span>
    ${one.action && h(Button, { label: one.action.label, look: "small", onClick: () => { one.action?.run(); drop(one.id); } })}
    <${Button} label="Close" icon="x" only look="small plain" onClick=${() => drop(one.id)} /></div>`)}</div>`;
