// One indicator in every district: map, table, and how it is defined.

/* global echarts */

import { $, fill, h, s, table } from "../dom.js";
import { ask, file } from "../api.js";
import { areaName, choose, entry, known, state } from "../state.js";
import { name, t, title } from "../words.js";
import { basis, interval, share, status, unit, value, whole, why } from "../format.js";
import { colour, draw as drawChart, tip } from "../charts.js";
import { dot, scale } from "../small.js";
import { open } from "./district.js";

const PARK = { code: "320571", at: [120.765, 31.318] };
const CLASSES = 5;
let rows = [];
let outlines = null;

/** Ask for the figures of all districts. */
export async function load(signal) {
  if (!outlines) {
    outlines = await file("/static/map/suzhou.geojson");
    echarts.registerMap("suzhou", outlines);
  }
  const said = await ask("indicator", { key: state.key, base: state.base, window: state.window }, signal);
  rows = said.answer;
  return said.again_in;
}

/** Draw choices, map, table and definition. */
export function draw() {
  drawChoices();
  const found = new Map(rows.map((row) => [row.district, row]));
  const breaks = classes(known().districts.map((each) => found.get(each.code)?.value));
  drawMap(found, breaks);
  drawLegend(breaks);
  drawTable(found);
  drawDefinition(found.get(known().city));
}

function drawChoices() {
  const { indicators, windows, bases } = known();
  const options = (pairs, chosen) => pairs.map(([key, words]) => h("option", { value: key, selected: key === chosen }, words));
  const picker = (label, key, pairs) => h("label", {}, t(label),
    h("select", { "data-key": key, onchange: (event) => choose({ [key]: event.target.value }) }, options(pairs, state[key])));
  fill($("choices"),
    picker("indicator", "key", Object.entries(indicators).map(([key, each]) => [key, title(each.name)])),
    entry().bases.length > 1 && picker("base", "base", entry().bases.map((base) => [base, title(bases[base])])),
    entry().windows.length > 1 && picker("window", "window", entry().windows.map((window) => [window, title(windows[window])])));
}

/** Inner breaks of five classes of equal width. */
function classes(values) {
  const there = values.filter((each) => typeof each === "number");
  if (!there.length) return null;
  const [least, most] = [Math.min(...there), Math.max(...there)];
  return Array.from({ length: CLASSES + 1 }, (_, place) => least + ((most - least) * place) / CLASSES);
}

function classOf(breaks, number) {
  if (!breaks || typeof number !== "number") return null;
  const width = breaks[1] - breaks[0];
  return width ? Math.min(CLASSES - 1, Math.floor((number - breaks[0]) / width)) : 2;
}

function drawMap(found, breaks) {
  const at = (code) => classOf(breaks, found.get(code)?.value);
  const paint = (code) => (at(code) === null ? colour("void") : colour(`c${at(code)}`));
  const dark = document.documentElement.dataset.theme === "dark";
  const ink = (code) => ((at(code) ?? 0) >= 3 ? (dark ? "#0b1622" : "#ffffff") : (dark ? "#eef4fa" : "#16202c"));
  const figure = (code) => {
    const number = found.get(code)?.value;
    return typeof number === "number" ? value(entry(), number) : "–";
  };
  const border = (code) => (state.area === code ? { borderColor: colour("bad"), borderWidth: 2.5 } : { borderColor: colour("sheet"), borderWidth: 1 });
  const about = (code) => {
    const row = found.get(code);
    const words = row && row.value !== null ? `${value(entry(), row.value)} ${unit(entry())}` : why(row);
    return [name(areaName(code, ["", ""])), words, row && row.value !== null ? interval(entry(), row) : ""].filter(Boolean).join("\n");
  };
  const narrow = $("map").clientWidth < 460;
  const label = { show: true, fontSize: narrow ? 10 : 11.5, lineHeight: narrow ? 12 : 15, textBorderWidth: 2.5 };
  const regions = outlines.features.map(({ id }) => ({
    name: id, itemStyle: { areaColor: paint(id), ...border(id) },
    emphasis: { itemStyle: { areaColor: paint(id), borderColor: colour("ink"), borderWidth: 2 }, label: { color: ink(id), textBorderColor: paint(id) } },
    label: { ...label, formatter: `${short(id)}\n${figure(id)}`, color: ink(id), textBorderColor: paint(id) },
  }));
  $("map").setAttribute("aria-label", t("map_label", { indicator: title(entry().name) }));
  drawChart($("map"), {
    tooltip: tip({ formatter: (over) => about(over.name) }),
    geo: { map: "suzhou", roam: false, left: 6, right: 6, top: 6, bottom: 6, aspectScale: 0.86, regions, tooltip: { show: true } },
    series: [{
      type: "scatter", coordinateSystem: "geo", symbolSize: narrow ? 30 : 42, z: 5, data: [{ name: PARK.code, value: PARK.at }],
      itemStyle: { color: paint(PARK.code), opacity: 1, ...border(PARK.code), borderWidth: 2 },
      label: { ...label, fontSize: narrow ? 9 : 10.5, lineHeight: narrow ? 10 : 13, formatter: `${t("park")}\n${figure(PARK.code)}`, color: ink(PARK.code), textBorderColor: paint(PARK.code) },
    }],
  }, (over) => { if (over.name) show(over.name); });
}

/** A district's name without what stands in brackets. */
const short = (code) => name(areaName(code, ["", ""])).replace(/（.*）| \(.*\)/, "");

function drawLegend(breaks) {
  const swatch = (kind, words) => h("span", {}, s("svg", {}, s("rect", { class: kind, width: 18, height: 12 })), words);
  const shown = !breaks ? [] : breaks[0] === breaks[1] ? [swatch("c2", value(entry(), breaks[0]))]
    : breaks.slice(0, CLASSES).map((from, place) => swatch(`c${place}`, `${value(entry(), from)}–${value(entry(), breaks[place + 1])}`));
  fill($("legend"), ...shown, swatch("void", t("no_value_legend")), h("span", {}, `${t("unit")}: ${unit(entry())}`));
}

function show(code) {
  choose({ area: code });
  open(code);
}

function drawTable(found) {
  const codes = [known().city, ...known().districts.map((each) => each.code)
    .sort((a, b) => (found.get(b)?.value ?? -Infinity) - (found.get(a)?.value ?? -Infinity))];
  const goal = known().targets.find((each) => each.indicator === state.key && each.base === state.base);
  const sums = entry().whole;
  const drawn = codes.map((code) => found.get(code)).filter((row) => row && row.value !== null && !(sums && row.district === known().city));
  const ends = scale(drawn.flatMap((row) => [row.value, row.low, row.high]).concat(goal && !sums ? [goal.low, goal.high] : []));
  const lines = codes.map((code) => {
    const row = found.get(code);
    const words = name(areaName(code, [t("city"), t("city")]));
    const button = h("button", {
      type: "button", class: "link", "data-key": `place-${code}`, "aria-label": t("open_district", { name: words }), onclick: () => show(code),
    }, words);
    if (!row || row.value === null) return [button, [why(row), "n soft"], "", "", "", ""];
    const plain = sums && code === known().city;
    return [button, [value(entry(), row.value), "n"],
      plain ? "" : dot(ends, row, goal && !sums ? { low: goal.low, high: goal.high, zone: goal.comparator === "within" } : {}),
      [interval(entry(), row), "n soft"],
      [`${whole(row.numerator)} / ${whole(row.denominator)}`, "n soft"],
      [row.completeness === null ? status(row) : `${status(row)} ${share(row.completeness)}`, "soft"]];
  });
  const city = found.get(known().city);
  fill($("places-table"), table(
    `${title(entry().name)} (${unit(entry())})${city ? ` · ${basis(city).join(" · ")}` : ""}`,
    [[t("district")], [t("value"), "n"], [t("interval")], ["\u00a0", "n"], [`${t("numerator")} / ${t("denominator")}`, "n"], [`${t("status")} · ${t("completeness")}`]],
    lines, codes.map((code) => [code === known().city && "city", code === state.area && "chosen"].filter(Boolean).join(" "))));
}

function drawDefinition(row) {
  const each = entry();
  const { intervals, notes } = known();
  const method = intervals[each.interval];
  fill($("definition"),
    h("p", {}, h("b", {}, t("formula")), " ", name(each.formula), ` (${unit(each)})`),
    h("p", {}, h("b", {}, t("interval")), " ", name(method), " · ", h("b", {}, t("source")), " ", name(each.source),
      row ? [" · ", row.as_of, " · ", t("completeness"), " ", share(row.completeness)] : null),
    row?.note && h("p", {}, name(notes[row.note])));
}

