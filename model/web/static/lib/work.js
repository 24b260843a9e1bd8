// What is asked of the queue, and of the judge of taste.
import { call, post, put } from "./api.js";
import { loadQueue } from "./events.js";
import { sayTrouble } from "../ui/basic.js";

/** @typedef {import("../types.js").NewJob} NewJob */

/** Put work into the queue. @param {NewJob} job @returns {Promise<import("../types.js").JobView|null>} */
export async function ask(job) {
  try {
    const made = await post("api/jobs", job);
    await loadQueue();
    return made;
  } catch (error) {
    sayTrouble(error);
    return null;
  }
}

/** @param {number} id @param {import("../types.js").JobChange} change */
export async function change(id, change) {
  try {
    await call("PATCH", `api/jobs/${id}`, change);
    await loadQueue();
  } catch (error) {
    sayTrouble(error);
  }
}

/** @param {boolean} paused */
export async function pauseAll(paused) {
  try {
    await put("api/jobs", { paused });
    await loadQueue();
  } catch (error) {
    sayTrouble(error);
  }
}

/** Like, dislike (false), or neither (null). @param {string} picture @param {boolean|null} liked @param {string} [category] */
export async function opine(picture, liked, category = "general") {
  try {
    return await post("api/vibe/opinion", { picture, liked, category });
  } catch (error) {
    sayTrouble(error);
    return null;
  }
}
