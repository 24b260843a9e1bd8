// Every try of one panel: looked at, compared, judged, chosen; more are drawn from here.
import { edit, storyPanel } from "../lib/book.js";
import { previews, running, useEvents, waiting } from "../lib/events.js";
import { useKeys } from "../lib/keys.js";
import { go, place, to } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { pageOf, panelName, picture } from "../lib/words.js";
import { opine } from "../lib/work.js";
import { Button, Empty, Field, icon } from "../ui/basic.js";
import { Compare } from "../ui/compare.js";
import { Scores, TryCard, tryName } from "../ui/trycard.js";
import { choose, loadTries, lock, redraw, tries } from "../book/panelactions.js";
import { useBook } from "./book.js";

export default function Tries() {
  const view = useBook();
  const id = place.value.parts[3] ?? "";
  const name = view?.card.name ?? "";
  const [looked, setLooked] = useState("");
  const [compared, setCompared] = useState("");
  useEffect(() => { setLooked(""); setCompared(""); if (view) { loadTries(id); document.title = `${panelName(id)} – ${view.card.title}`; } }, [id, name]);
  useEvents("drawn judged chosen vibe resync job", (event) => { if (!event.book || event.book === name) loadTries(id); }, [id, name]);

  const found = tries.value?.panel === id ? tries.value : null;
  const all = found?.tries ?? [];
  const shown = all.find((one) => one.shown);
  const one = all.find((each) => each.key === looked) ?? shown ?? all[0];
  const other = compared ? all.find((each) => each.key === compared && each.key !== one?.key) ?? (shown?.key !== one?.key ? shown : undefined) : undefined;
  const panels = view?.panels ?? [];
  const at = panels.findIndex((each) => each.id === id);

  /** @param {number} way */
  const look = (way) => { const next = all[all.findIndex((each) => each.key === one?.key) + way]; if (next) setLooked(next.key); };
  /** @param {number} way */
  const step = (way) => { const next = panels[at + way]; if (next) go(to("book", name, "tries", next.id), true); };
  /** @param {boolean} liked @param {typeof one} [of] */
  const like = async (liked, of = one) => { if (of?.picture) { await opine(of.picture, of.liked === liked ? null : liked); await loadTries(id); } };
  const compare = () => setCompared(compared ? "" : (shown && shown.key !== one?.key ? shown : all.find((each) => each.key !== one?.key && each.picture))?.key ?? "");
  const back = () => go(`${to("book", name, "page", pageOf(id))}?panel=${id}`);

  useKeys([
    { keys: "ArrowRight", does: "the next try", run: () => look(1) }, { keys: "ArrowLeft", does: "the try before", run: () => look(-1) },
    { keys: "ArrowDown", does: "the next panel", run: () => step(1) }, { keys: "ArrowUp", does: "the panel before", run: () => step(-1) },
    { keys: "Enter", does: "show this try in the book", run: () => { if (one?.picture) choose(id, one.key); } },
    { keys: "l", does: "like it", run: () => { like(true); } }, { keys: "d", does: "dislike it", run: () => { like(false); } },
    { keys: "r", does: "draw one more", run: () => { redraw(id); } }, { keys: "c", does: "compare with another", run: compare },
    { keys: "k", does: "lock or unlock the panel", run: () => { lock(id, !found?.locked).then(() => loadTries(id)); } },
    { keys: "Escape", does: "back to the page", run: back },
  ], [all, one, compared, id, at, name]);

  if (!view) return null;
  const works = [running.value, ...waiting.value].some((job) => job?.book === name && /** @type {any} */ (job.args).panel === id);
  const preview = previews.value[`${name}/${id}`];
  const state = panels[at];
  return html`<div class="sheet-page stack"><div class="page-head"><${Button} label="Back to the page" icon="arrow-left" only look="plain" keys="Escape" onClick=${back} />
      <div class="grow"><h1>${panelName(id)}</h1><p class="clip">${storyPanel(id)?.scene ?? ""}</p></div>
      <div class="group"><${Button} label="Panel before" icon="chevron-up" only disabled=${at <= 0} onClick=${() => step(-1)} /><${Button} label="Next panel" icon="chevron-down" only disabled=${at + 1 >= panels.length} onClick=${() => step(1)} /></div>
      <${Button} label=${found?.locked ? "Locked" : "Lock"} icon=${found?.locked ? "lock" : "lock-open"} keys="K" pressed=${Boolean(found?.locked)} title="A locked panel is never drawn again by itself" onClick=${() => lock(id, !found?.locked).then(() => loadTries(id))} />
      <a class="button" href=${to("book", name, "repair", id)}>${icon("bandage")}Repair</a></div>
    ${found && !all.length && !preview && html`<${Empty} icon="images" title="Not drawn yet"><p>Draw it, and every try stays here, chosen or not.</p></${Empty}>`}
    ${one?.picture && html`<${Look} one=${one} other=${other} />`}
    ${one && html`<div class="row wrap centre"><${Button} label=${other ? "Stop comparing" : "Compare"} icon="columns-2" keys="C" pressed=${Boolean(other)} disabled=${all.length < 2} onClick=${compare} />
      <${Button} label="Like" icon="thumbs-up" keys="L" pressed=${one.liked === true} onClick=${() => like(true)} /><${Button} label="Dislike" icon="thumbs-down" keys="D" pressed=${one.liked === false} onClick=${() => like(false)} />
      <${Button} label=${one.shown ? "Shown in the book" : "Show in the book"} icon="check" look="main" keys="Enter" disabled=${one.shown || !one.picture} onClick=${() => choose(id, one.key)} /></div>`}
    ${one && html`<div class="row wrap centre small"><strong>${tryName(one)}</strong>${one.reasons.length ? html`<span class="quiet">${one.reasons.join("; ")}</span>` : one.accepted ? html`<span class="quiet">accepted by the judge</span>` : null}</div>
      <div class="centre-scores"><${Scores} scores=${one.scores} /></div>`}
    <ul class="try-cards" aria-label="Tries">${all.map((each) => html`<${TryCard} key=${each.key} one=${each} isOn=${each.key === one?.key} other=${each.key === other?.key}
      look=${(/** @type {any} */ event) => (event?.shiftKey ? setCompared(each.key) : setLooked(each.key))} choose=${() => choose(id, each.key)} like=${(/** @type {boolean} */ liked) => like(liked, each)} />`)}
      ${preview && html`<li class="try"><img src=${preview.replace(/^\//, "")} alt="A try that is being drawn" /><div class="body quiet">${icon("loader-circle", "spin")} being drawn</div></li>`}</ul>
    <${More} id=${id} works=${works} locked=${Boolean(found?.locked)} stale=${state?.stale ?? ""} /></div>`;
}

/** @param {{one: import("../types.js").TryView, other?: import("../types.js").TryView}} props */
function Look({ one, other }) {
  const [ratio, setRatio] = useState(1);
  if (other) return html`<${Compare} left=${one.picture} right=${other.picture} leftName=${tryName(one)} rightName=${tryName(other)} ratio=${ratio} />`;
  return html`<div class="single" style=${{ width: `min(100%, ${ratio} * 46vh)` }}><img src=${picture(one.picture)} alt=${`${tryName(one)}`} onLoad=${(/** @type {any} */ event) => setRatio(event.target.naturalWidth / event.target.naturalHeight)} /></div>`;
}

/** @param {{id: string, works: boolean, locked: boolean, stale: string}} props */
function More({ id, works, locked, stale }) {
  const [n, setN] = useState("1");
  const [seed, setSeed] = useState("");
  const fits = /^\d{0,15}$/.test(seed);
  return html`<section class="card panelled row wrap bottoms" aria-label="Draw more"><${Field} label="Draw"><select class="input" value=${n} onChange=${(/** @type {any} */ event) => setN(event.target.value)}>
      ${[1, 2, 4, 8].map((many) => html`<option value=${many}>${many} more</option>`)}</select></${Field}>
    <${Field} label="Seed (of the first)"><input class=${`input ${fits ? "" : "bad-input"}`} inputmode="numeric" value=${seed} placeholder="any" onInput=${(/** @type {any} */ event) => setSeed(event.target.value.trim())} /></${Field}>
    <${Button} label="Draw more" icon="refresh-cw" keys="R" busy=${works} disabled=${!fits} onClick=${() => redraw(id, Number(n), seed ? Number(seed) : null)} />
    ${seed && fits && html`<${Button} label="Keep this seed in the story" look="plain" onClick=${() => edit([{ do: "set_panel", panel: id, values: { seed: Number(seed) } }], "seed")} />`}
    <span class="grow"></span>${locked ? html`<span class="small quiet">${icon("lock")} Locked: drawn again only when you ask here.</span>` : stale ? html`<span class="small warn">${stale}</span>` : null}</section>`;
}
