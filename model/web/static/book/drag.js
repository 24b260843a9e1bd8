// Dragging on the page, in points of the sheet: by pointer, and by arrow keys.
import { useRef } from "../lib/ui.js";

/** @typedef {{x: number, y: number}} Moved */

/**
 * @param {{move: (by: Moved) => void, drop: (by: Moved) => void, click?: (event: PointerEvent) => void}} what
 * @returns {(event: PointerEvent) => void} for `onPointerDown`
 */
export function useDrag({ move, drop, click }) {
  return (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    const target = /** @type {SVGGraphicsElement} */ (event.currentTarget);
    const sheet = target.ownerSVGElement;
    const matrix = sheet?.getScreenCTM();
    if (!matrix) return;
    const start = { x: event.clientX, y: event.clientY };
    let by = { x: 0, y: 0 }, far = false, frame = 0;
    target.setPointerCapture(event.pointerId);
    const onMove = (/** @type {PointerEvent} */ next) => {
      by = { x: (next.clientX - start.x) / matrix.a, y: (next.clientY - start.y) / matrix.d };
      far ||= Math.hypot(next.clientX - start.x, next.clientY - start.y) > 3;
      // One drawing a frame, however often the pointer reports.
      if (far && !frame) frame = requestAnimationFrame(() => { frame = 0; move(by); });
    };
    const end = (/** @type {PointerEvent} */ last) => {
      cancelAnimationFrame(frame);
      target.removeEventListener("pointermove", onMove);
      target.removeEventListener("pointerup", end);
      target.removeEventListener("pointercancel", end);
      if (last.type === "pointercancel") move({ x: 0, y: 0 });
      else if (!far) click?.(last);
      // Dropped where it was taken up, nothing has moved.
      else if (Math.hypot(by.x, by.y) < 1) move({ x: 0, y: 0 });
      else { move(by); drop(by); }
    };
    target.addEventListener("pointermove", onMove);
    target.addEventListener("pointerup", end);
    target.addEventListener("pointercancel", end);
  };
}

const WAYS = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });

/**
 * Arrow keys move what has the focus; a while after the last one it is dropped. `Alt` is for small steps.
 * @param {(x: number, y: number, event: KeyboardEvent) => void} move @param {() => void} drop
 */
export function useNudge(move, drop) {
  const timer = useRef(0);
  const newest = useRef(drop);
  newest.current = drop;
  return (/** @type {KeyboardEvent} */ event) => {
    const way = WAYS[event.key];
    if (!way || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const share = event.altKey ? 0.3 : 1;
    move(way[0] * share, way[1] * share, event);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => newest.current(), 450);
  };
}
