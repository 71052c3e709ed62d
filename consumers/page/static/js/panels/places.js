// One indicator in every district: map, table, and how it is defined.

/* global echarts */

import { $, fill, h, s, table } from "../dom.js";
import { ask, file } from "../api.js";
import { areaName, choose, entry, known, state } from "../state.js";
import { name, t } from "../words.js";
import { basis, interval, share, status, unit, value, whole, why } from "../format.js";
import { colour, draw as drawChart, tip } from "../charts.js";
import { dot, scale } from "../small.js";
import { open } from "./district.js";

const PARK = { code: "320571", at: [120.735, 31.315] };
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
    picker("indicator", "key", Object.entries(indicators).map(([key, each]) => [key, name(each.name)])),
    entry().bases.length > 1 && picker("base", "base", entry().bases.map((base) => [base, name(bases[base])])),
    entry().windows.length > 1 && picker("window", "window", entry().windows.map((window) => [window, name(windows[window])])));
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
  const paint = (code) => {
    const place = classOf(breaks, found.get(code)?.value);
    return place === null ? colour("void") : colour(`c${place}`);
  };
  const label = (code) => {
    const row = found.get(code);
    return `${name(areaName(code, ["", ""])).replace(/（.*）| \(.*\)/, "")}\n${row?.value === null || !row ? "–" : value(entry(), row.value)}`;
  };
  const ink = (code) => (document.documentElement.dataset.theme === "dark"
    ? ((classOf(breaks, found.get(code)?.value) ?? 0) >= 3 ? "#0b1622" : "#eef4fa")
    : ((classOf(breaks, found.get(code)?.value) ?? 0) >= 3 ? "#ffffff" : "#16202c"));
  const border = (code) => ({
    borderColor: state.area === code ? colour("bad") : colour("sheet"), borderWidth: state.area === code ? 2.5 : 1,
  });
  const about = (code) => {
    const row = found.get(code);
    const figure = row && row.value !== null ? `${value(entry(), row.value)} ${unit(entry())}` : why(row);
    return [name(areaName(code, ["", ""])), figure, row ? interval(entry(), row) : ""].filter(Boolean).join("\n");
  };
  const regions = outlines.features.map(({ id }) => ({
    name: id, itemStyle: { areaColor: paint(id), ...border(id) }, emphasis: { itemStyle: { areaColor: paint(id), borderColor: colour("ink"), borderWidth: 2 } },
    label: { show: true, formatter: () => label(id), color: ink(id), fontSize: 11.5, lineHeight: 15 },
  }));
  $("map").setAttribute("aria-label", t("map_label", { indicator: name(entry().name) }));
  drawChart($("map"), {
    tooltip: tip({ formatter: (at) => about(at.name) }),
    geo: {
      map: "suzhou", roam: false, layoutCenter: ["50%", "50%"], layoutSize: "108%", aspectScale: 0.86,
      regions, select: { disabled: true }, emphasis: { label: { color: "inherit" } }, tooltip: { show: true },
    },
    series: [{
      type: "scatter", coordinateSystem: "geo", symbolSize: 34, z: 5, name: PARK.code,
      data: [{ name: PARK.code, value: PARK.at }],
      itemStyle: { color: paint(PARK.code), opacity: 1, ...border(PARK.code), borderWidth: 2 },
      label: { show: true, position: "right", formatter: () => label(PARK.code), color: ink320506(ink), fontSize: 11.5, lineHeight: 15 },
      tooltip: { formatter: () => about(PARK.code) },
    }],
  }, (at) => { if (at.name) show(at.name); });
}

// The park's name stands on Wuzhong's ground or Kunshan's edge: it takes their ink.
const ink320506 = (ink) => ink("320506");

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
    if (!row || row.value === null) return [button, [why(row), "n soft"], "", "", "", "", ""];
    const plain = sums && code === known().city;
    return [button, [value(entry(), row.value), "n"],
      plain ? "" : dot(ends, row, goal && !sums ? { low: goal.low, high: goal.high, zone: goal.comparator === "within" } : {}),
      [interval(entry(), row), "n soft"],
      [`${whole(row.numerator)} / ${whole(row.denominator)}`, "n soft"],
      [share(row.completeness), "n soft"], [status(row), "soft"]];
  });
  const city = found.get(known().city);
  fill($("places-table"), table(
    `${name(entry().name)} (${unit(entry())})${city ? ` · ${basis(city)}` : ""}`,
    [[t("district")], [t("value"), "n"], [t("interval")], ["", "n"], [`${t("numerator")} / ${t("denominator")}`, "n"], [t("completeness"), "n"], [t("status")]],
    lines, codes.map((code) => [code === known().city && "city", code === state.area && "chosen"].filter(Boolean).join(" "))));
}

function drawDefinition(row) {
  const each = entry();
  const { intervals, notes } = known();
  const method = intervals[each.interval];
  fill($("definition"),
    h("p", {}, h("b", {}, t("formula")), " ", name(each.formula), ` (${unit(each)})`),
    h("p", {}, h("b", {}, t("interval")), " ", name(method), " · ", h("b", {}, t("source")), " ", each.source,
      row ? [" · ", row.as_of, " · ", t("completeness"), " ", share(row.completeness)] : null),
    row?.note && h("p", {}, name(notes[row.note])));
}

