// Questions to the server, and its news.

import { state } from "./state.js";

/** What could not be answered, in the server's words. */
export class Failure extends Error {}

async function fetched(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("offline");
  }
  const said = await answer.json().catch(() => ({ error: String(answer.status) }));
  if (!answer.ok) throw new Failure(said.error);
  return said;
}

/** A file of the page. */
export const file = (path) => fetched(path);

/** The parameters that say which figures: as of when, as known when. */
export function view() {
  const asked = new URLSearchParams();
  if (state.view === "public") asked.set("view", "public");
  if (state.known) asked.set("known_on", state.known);
  if (state.asof) asked.set("as_of", state.asof);
  return asked;
}

/** A question about figures: gives the answer, and in how many seconds another is due. */
export function ask(path, more, signal) {
  const asked = view();
  for (const [name, value] of Object.entries(more || {})) asked.set(name, value);
  return fetched(`/api/${path}?${asked}`, signal);
}

let source = null;

/** Listen to the server; it comes again by itself when the connection is lost. */
export function listen({ pulse, away, open, lost }) {
  source?.close();
  source = new EventSource(`/api/stream?view=${state.view}`);
  source.addEventListener("pulse", (event) => pulse(JSON.parse(event.data)));
  source.addEventListener("away", (event) => away(JSON.parse(event.data)));
  source.addEventListener("open", open);
  source.addEventListener("error", lost);
}

addEventListener("pagehide", () => source?.close());
