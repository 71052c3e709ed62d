// Cards of the plan's targets: value, interval, limit, and whether it is met.

import { $, fill, h } from "../dom.js";
import { ask } from "../api.js";
import { choose, known, state } from "../state.js";
import { name, t, title } from "../words.js";
import { basis, interval, share, status, unit, value, why } from "../format.js";
import { dot, scale } from "../small.js";
import { judge, pulse } from "./head.js";

let rows = [];

/** Ask for the figures of all targets. */
export async function load(signal) {
  const said = await ask("targets", {}, signal);
  rows = said.answer;
  judge(rows);
  return said.again_in;
}

/** Draw the cards, and the list of targets without a figure. */
export function draw() {
  const found = new Map(rows.map((row) => [`${row.indicator}/${row.base}/${row.window}`, row]));
  const pairs = known().targets.map((target) => [target, found.get(`${target.indicator}/${target.base}/${target.window}`)]);
  const there = pairs.filter(([, row]) => row && row.value !== null);
  const without = pairs.filter(([, row]) => !row || row.value === null);
  fill($("cards"), there.map(card));
  $("cards").setAttribute("aria-busy", "false");
  const reasons = Map.groupBy(without, ([, row]) => why(row));
  fill($("without"), without.length && [h("h3", {}, t("without_title")),
    [...reasons].map(([reason, pairs]) => h("div", {}, h("p", { class: "small" }, reason), h("ul", {}, pairs.map(([target]) =>
      h("li", {}, h("b", {}, title(known().indicators[target.indicator].name)), h("span", {}, goal(target)))))))]);
}

function card([target, row]) {
  const entry = known().indicators[target.indicator];
  const scaled = entry.whole && pulse()?.simulated.some((city) => city.scale !== 1);
  const verdict = scaled ? "watched" : row.verdict;
  const ends = scale([row.value, row.low, row.high, target.low, target.high]);
  const chosen = state.key === target.indicator;
  const between = interval(entry, row);
  return h("button", {
    type: "button", class: "card", "data-key": target.indicator, "aria-pressed": String(chosen),
    onclick: () => choose({ key: target.indicator, base: target.base, window: target.window, area: known().city }),
  },
  h("span", { class: "name" }, h("span", {}, title(entry.name)),
    h("span", { class: `verdict ${verdict}`, title: scaled ? t("scaled_why") : name(known().whys[row.why]) }, sign(verdict), " ", t(scaled ? "scaled" : verdict))),
  h("span", { class: "figure" }, value(entry, row.value), " ", h("small", {}, unit(entry))),
  dot(ends, row, { low: target.low, high: target.high, zone: target.comparator === "within", mark: verdict, height: 26 }),
  h("span", { class: "small goal" }, goal(target), baseline(target)),
  between && h("span", { class: "small" }, `95%: ${between}`),
  h("span", { class: "small" }, pieces(basis(row))),
  h("span", { class: "small" }, pieces([row.completeness === null ? null : `${t("completeness")} ${share(row.completeness)}`, status(row)])));
}

/** Pieces of a line that are not broken inside. */
const pieces = (texts) => texts.filter(Boolean).flatMap((text, place) => [place ? " · " : "", h("span", { class: "whole" }, text)]);

const sign = (verdict) => ({ met: "●", not_met: "▲", cannot_tell: "◌", watched: "○" })[verdict];

function goal(target) {
  if (target.low === null) return name(target.words);
  const entry = known().indicators[target.indicator];
  const ends = [...new Set([target.low, target.high])].map((end) => new Intl.NumberFormat("zh-CN").format(end));
  return `${t("target_limit")} ${name(target.words)} ${ends.join("–")} ${unit(entry)}`;
}

const baseline = (target) => (target.baseline
  ? ` · ${t("baseline")} ${printed(target.baseline)}` : "");

/** The plan's own figure of 2015 with its sign, thousands set apart. */
function printed(text) {
  const [, sign, number] = /^([<>=]*)(.*)$/.exec(text);
  return `${{ "<=": "≤ ", ">=": "≥ ", ">": "> ", "<": "< " }[sign] ?? ""}${new Intl.NumberFormat("zh-CN", { maximumFractionDigits: 2 }).format(Number(number))}`;
}
