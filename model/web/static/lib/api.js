// The server's answers: JSON, or an error in the server's words.

/** What the server refused, in its own words. */
export class Refusal extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(wordsOf(status, body));
    this.status = status;
    this.body = body;
  }
}

/** @param {number} status @param {any} body @returns {string} */
function wordsOf(status, body) {
  if (typeof body?.message === "string") return body.message;
  if (typeof body?.error === "string") return body.error;
  if (typeof body?.detail === "string") return body.detail;
  if (Array.isArray(body?.detail)) return body.detail.map((/** @type {any} */ one) => `${one.loc?.slice(1).join(".")}: ${one.msg}`).join("; ");
  return status ? `the server answered ${status}` : "the studio does not answer; is it still running?";
}

/**
 * @param {string} method @param {string} path below the server's root @param {any} [body] JSON, or a FormData or Blob as it is
 * @param {{signal?: AbortSignal, headers?: Record<string, string>}} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, body, options = {}) {
  /** @type {RequestInit} */
  const init = { method, signal: options.signal, headers: { ...options.headers } };
  if (body instanceof FormData || body instanceof Blob) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { ...init.headers, "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(path.replace(/^\//, ""), init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0, null);
  }
  const json = response.headers.get("Content-Type")?.includes("json");
  const answer = json ? await response.json() : await response.text();
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

/** @param {string} path */
export const get = (path, options = {}) => call("GET", path, undefined, options);
/** @param {string} path @param {any} [body] */
export const post = (path, body = {}) => call("POST", path, body);
/** @param {string} path @param {any} body */
export const put = (path, body) => call("PUT", path, body);
/** @param {string} path */
export const remove = (path) => call("DELETE", path);
