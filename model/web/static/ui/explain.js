// Why a picture scores as it does, in words and by the memories that moved it.
import { get } from "../lib/api.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { picture, score } from "../lib/words.js";
import { Dialog, Trouble } from "./basic.js";

/** @param {{sha: string, onClose: () => void}} props */
export function Explain({ sha, onClose }) {
  const [found, setFound] = useState(/** @type {import("../types.js").Explained|null} */ (null));
  const [trouble, setTrouble] = useState("");
  useEffect(() => { get(`api/vibe/explain/${sha}`).then(setFound, (error) => setTrouble(error.message)); }, [sha]);
  return html`<${Dialog} wide title="Why it scores as it does" onClose=${onClose}><div class="split"><img class="explained" src=${picture(sha, 512)} alt="The picture" />
    <div class="column"><${Trouble} text=${trouble} />${!found && !trouble && html`<p class="quiet">A moment…</p>`}
      ${found && html`<p class="big-number numbers">${found.score === null ? "No score" : score(found.score)}</p>
        <ul class="column tight small">${found.words.map((one) => html`<li>${one}</li>`)}</ul>
        ${found.influences.length > 0 && html`<ul class="pictures" aria-label="What moved it">${found.influences.map((one, at) => html`<li key=${at}>${one.picture && html`<div class="thumb"><img src=${picture(one.picture, 128)} alt="" /></div>`}
          <p class=${`tiny numbers ${one.liked ? "good" : "bad"}`}>${one.liked ? "liked" : "disliked"} ${score(one.weight)}</p></li>`)}</ul>`}`}</div></div></${Dialog}>`;
}
