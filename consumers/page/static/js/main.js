// Start: words and catalogue, then the panels, then the news.

import { $, fill, h } from "./dom.js";
import { Failure, file, listen } from "./api.js";
import { begin, onChoice } from "./state.js";
import { learn, place, say } from "./words.js";
import * as head from "./panels/head.js";
import * as cards from "./panels/cards.js";
import * as places from "./panels/places.js";
import { revisions, trend } from "./panels/course.js";
import * as migrants from "./panels/migrants.js";
import * as ratio from "./panels/ratio.js";
import * as quality from "./panels/quality.js";
import * as district from "./panels/district.js";

const PANELS = { cards, places, migrants, quality, ratio, trend, revisions };
const OF_DAYS = ["cards", "places", "migrants", "ratio", "trend", "revisions"];
const OF_INDICATOR = ["places", "trend", "revisions"];
const BY_CHOICE = {
  known: OF_DAYS, asof: OF_DAYS, view: [...OF_DAYS, "quality"], key: OF_INDICATOR, base: OF_INDICATOR, window: OF_INDICATOR, area: ["trend", "revisions"],
};
const REST = 700;
const asking = new Map();
const waitingFor = new Set();
const due = new Map();
let waiting = 0;

/** Ask for a panel's figures and draw it. A new choice ends the question before it; news waits
    for its answer, so that slow answers are not asked for for ever. */
async function refresh(which, { chosen = false } = {}) {
  clearTimeout(due.get(which));
  if (asking.has(which) && !chosen) {
    waitingFor.add(which);
    return;
  }
  asking.get(which)?.abort();
  const turn = new AbortController();
  asking.set(which, turn);
  let again = null;
  try {
    again = await PANELS[which].load(turn.signal);
    if (turn.signal.aborted) return;
    PANELS[which].draw();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Failure)) throw error;
    again = 3;
  } finally {
    if (asking.get(which) === turn) asking.delete(which);
  }
  if (waitingFor.delete(which)) again = 0;
  if (again !== null && again !== undefined) due.set(which, setTimeout(() => refresh(which), Math.max(500, again * 1000)));
}

const refreshAll = () => { for (const which of Object.keys(PANELS)) refresh(which); };

/** Something is news: everything again, but not at every drop. */
function news() {
  if (waiting) return;
  waiting = setTimeout(() => { waiting = 0; refreshAll(); district.refresh(); }, REST);
}

function drawAll() {
  say();
  head.drawHead();
  for (const panel of Object.values(PANELS)) panel.draw();
  district.draw();
}

function keep(what, chosen) {
  try { localStorage.setItem(`popflow.${what}`, chosen); } catch { /* a private window keeps nothing */ }
}

function bindTools() {
  $("language").addEventListener("click", () => {
    document.documentElement.lang = place() ? "zh-CN" : "en";
    keep("lang", place() ? "en" : "zh");
    drawAll();
  });
  const system = matchMedia("(prefers-color-scheme: dark)");
  const theme = $("theme");
  theme.value = document.documentElement.dataset.choice;
  const paint = () => {
    const dark = theme.value === "dark" || (theme.value === "auto" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    for (const panel of Object.values(PANELS)) panel.draw();
  };
  theme.addEventListener("change", () => { keep("theme", theme.value); paint(); });
  system.addEventListener("change", paint);
  // Paper is light: charts are painted anew for it, and for the screen again.
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    for (const panel of Object.values(PANELS)) panel.draw();
  });
  addEventListener("afterprint", paint);
  $("print").addEventListener("click", () => print());
}

async function start() {
  const [words, catalogue] = await Promise.all([file("/static/words.json"), file("/api/catalogue")]);
  learn(words);
  begin(catalogue);
  say();
  head.drawHead();
  bindTools();
  head.bindSlider();
  district.bind();
  onChoice((changed) => {
    head.drawHead();
    cards.draw();
    const which = new Set(changed.flatMap((each) => BY_CHOICE[each]));
    for (const each of which) refresh(each, { chosen: true });
    if (changed.includes("area")) places.draw();
    if (changed.includes("view")) hear();
  });
  for (const panel of [trend, revisions]) panel.draw();
  hear();
  refreshAll();
}

/** Listen to the news of the view that is chosen. */
function hear() {
  let first = true;
  listen({
    pulse: (pulse) => { head.tell({ pulse, away: null, connection: "connected" }); if (first) cards.draw(); else news(); first = false; },
    away: (reason) => head.tell({ away: reason }),
    open: () => head.tell({ connection: "connected" }),
    lost: () => head.tell({ connection: "broken" }),
  });
}

start().catch((error) => {
  if (!(error instanceof Failure)) throw error;
  fill($("notices"), h("p", { class: "notice" }, error.message));
  setTimeout(() => location.reload(), 3000);
});

