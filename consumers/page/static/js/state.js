// What the reader has chosen. It lives in the address, so that a view can be sent to somebody.

const KEYS = ["key", "base", "window", "area", "known", "asof", "view"];

/** The choices: indicator, base, window, area, known-on day and as-of day (empty: now), view. */
export const state = {
  key: "migrant_management_rate", base: "", window: "1d", area: "320500", known: "", asof: "", view: "office",
};

let catalogue = null;
const listeners = new Set();

/** The catalogue, once it has come. */
export const known = () => catalogue;

/** Take the catalogue, and from the address what was chosen. */
export function begin(found) {
  catalogue = found;
  const asked = new URLSearchParams(location.hash.slice(1));
  const wanted = Object.fromEntries(KEYS.filter((key) => asked.has(key)).map((key) => [key, asked.get(key)]));
  Object.assign(state, fitting({ ...state, ...wanted }));
}

/** Choices that exist and fit together. */
function fitting(wanted) {
  const key = wanted.key in catalogue.indicators ? wanted.key : "migrant_management_rate";
  const entry = catalogue.indicators[key];
  const day = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? text : "");
  const open = catalogue.public || wanted.view === "public";
  const first = entry.windows.includes("364d") ? "364d" : entry.windows[0];
  return {
    key,
    base: entry.bases.includes(wanted.base) ? wanted.base : entry.bases.at(-1),
    window: entry.windows.includes(wanted.window) ? wanted.window : first,
    area: place(wanted.area) ? wanted.area : catalogue.city,
    known: open ? "" : day(wanted.known), asof: day(wanted.asof), view: open ? "public" : "office",
  };
}

const place = (code) => code === catalogue.city || catalogue.districts.some((each) => each.code === code);

/** Choose; tells everybody what has changed. */
export function choose(patch) {
  const before = { ...state };
  Object.assign(state, fitting({ ...state, ...patch }));
  const changed = KEYS.filter((key) => state[key] !== before[key]);
  if (!changed.length) return;
  const shown = new URLSearchParams(KEYS.filter((key) => state[key]).map((key) => [key, state[key]]));
  history.replaceState(null, "", `#${shown}`);
  for (const listener of listeners) listener(changed);
}

/** Be told of choices. */
export function onChoice(listener) { listeners.add(listener); }

/** The indicator that is chosen. */
export const entry = () => catalogue.indicators[state.key];

/** Name pair of an area. */
export function areaName(code, words) {
  if (code === catalogue.city) return words;
  return catalogue.districts.find((each) => each.code === code)?.name ?? [code, code];
}
