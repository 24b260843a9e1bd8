// A field that is typed in: shown while typing, saved after a pause, on Enter or when it is left.
import { html, useEffect, useRef, useState } from "../lib/ui.js";

const SHOW = 80, SAVE = 1000;

/**
 * @param {{value: string, save: (text: string) => Promise<boolean>|void, show?: (text: string) => Promise<string>|void, drop?: () => void}} how
 * `show` resolves to why the text cannot be, or to nothing
 */
export function useDraft({ value, save, show, drop }) {
  const [text, setText] = useState(value);
  const [trouble, setTrouble] = useState("");
  const state = useRef({ text: value, saved: value, showing: 0, saving: 0, focused: false, save, show, bad: false });
  Object.assign(state.current, { save, show });
  useEffect(() => {
    const now = state.current;
    // Another tab's words, or an undo: they are taken unless somebody is in the middle of typing.
    if (now.text === now.saved || !now.focused) {
      now.text = now.saved = value;
      setText(value);
      setTrouble("");
    }
  }, [value]);
  const commit = async () => {
    const now = state.current;
    clearTimeout(now.showing);
    clearTimeout(now.saving);
    if (now.text === now.saved) return;
    const wanted = now.text;
    const before = now.saved;
    now.saved = wanted;
    if ((await now.save(wanted)) === false) now.saved = before;
  };
  useEffect(() => () => { commit(); }, []);
  return {
    text, trouble, commit,
    props: {
      value: text,
      onFocus: () => { state.current.focused = true; },
      onInput: (/** @type {any} */ event) => {
        const now = state.current;
        now.text = event.target.value;
        setText(now.text);
        clearTimeout(now.showing);
        clearTimeout(now.saving);
        now.showing = setTimeout(async () => { setTrouble((await now.show?.(now.text)) || ""); }, SHOW);
        now.saving = setTimeout(commit, SAVE);
      },
      onBlur: () => { state.current.focused = false; commit(); },
      onKeyDown: (/** @type {KeyboardEvent} */ event) => {
        const now = state.current;
        if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
          event.preventDefault();
          commit();
        } else if (event.key === "Escape" && now.text !== now.saved) {
          event.stopPropagation();
          clearTimeout(now.showing);
          clearTimeout(now.saving);
          now.text = now.saved;
          setText(now.saved);
          setTrouble("");
          drop?.();
        }
      },
    },
  };
}

/**
 * @param {{label: string, value: string, save: (text: string) => Promise<boolean>|void, show?: (text: string) => Promise<string>|void,
 *   drop?: () => void, rows?: number, placeholder?: string, hint?: string, type?: string}} props
 */
export function DraftField({ label, value, save, show, drop, rows = 1, placeholder, hint, type }) {
  const draft = useDraft({ value, save, show, drop });
  const more = { class: `input ${draft.trouble ? "bad-input" : ""}`, placeholder, "aria-invalid": Boolean(draft.trouble) };
  return html`<label class="field"><span class="label">${label}</span>
    ${rows ? html`<textarea rows=${rows} ...${more} ...${draft.props}></textarea>` : html`<input type=${type ?? "text"} ...${more} ...${draft.props} />`}
    ${hint && html`<span class="tiny quiet">${hint}</span>`}
    ${draft.trouble && html`<span class="tiny bad" role="alert">${draft.trouble}</span>`}</label>`;
}
