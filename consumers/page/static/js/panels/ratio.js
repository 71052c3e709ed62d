// The sex ratio at birth against chance: the districts' funnel and the monitor's path.

import { $ } from "../dom.js";
import { ask } from "../api.js";
import { areaName, known, state } from "../state.js";
import { name, t } from "../words.js";
import { interval, value, whole } from "../format.js";
import { axis, clear, colour, dayAxis, draw as drawChart, tip } from "../charts.js";

const KEY = "sex_ratio_at_birth";
const SIDES = ["right", "top", "left", "bottom"];
let said = null;

/** Ask for funnel and path. */
export async function load(signal) {
  const answer = await ask("ratio", {}, signal);
  said = answer.answer;
  return answer.again_in;
}

/** Draw both. */
export function draw() {
  if (!said) return;
  const city = said.rows.find((row) => row.district === known().city);
  const { windows, bases } = known();
  $("ratio-what").textContent = city
    ? t("ratio_what", { window: name(windows[said.window]), day: city.as_of, base: name(bases[city.base]) }) : "";
  drawFunnel();
  drawPath();
}

function drawFunnel() {
  const node = $("funnel");
  const there = said.rows.filter((row) => row.value !== null && row.district !== known().city)
    .sort((a, b) => a.numerator + a.denominator - b.numerator - b.denominator || a.value - b.value);
  if (!there.length || !said.limits.length) return clear(node, t("no_figure"));
  node.setAttribute("aria-label", t("funnel_label"));
  const entry = known().indicators[KEY];
  const births = (row) => row.numerator + row.denominator;
  const fewest = Math.min(...there.map(births)) * 0.7;
  const curve = (end, type) => ({
    type: "line", symbol: "none", silent: true, clip: true, lineStyle: { color: colour("ink-soft"), width: 1.2, type }, z: 2,
    data: said.limits.filter((at) => at.births >= fewest * 0.5 && end in at).map((at) => [at.births, at[end]]), tooltip: { show: false },
  });
  const values = there.map((row) => row.value).concat(said.limits.filter((at) => at.births >= fewest).flatMap((at) => [at.low95, at.high95 ?? at.low95]), 103, 107);
  const room = (Math.max(...values) - Math.min(...values)) * 0.08;
  drawChart(node, {
    tooltip: tip({ trigger: "item", formatter: (at) => {
      const row = there[at.dataIndex];
      return [name(areaName(row.district, ["", ""])), `${value(entry, row.value)} (${interval(entry, row)})`, `${whole(births(row))} ${t("births")}`].join("\n");
    } }),
    grid: { left: 8, right: 56, top: 26, bottom: 22, containLabel: true },
    xAxis: axis({ type: "value", name: t("births"), nameLocation: "middle", nameGap: 26, splitLine: { show: false }, min: 0, max: Math.ceil(said.limits.at(-1).births) }),
    yAxis: axis({ type: "value", scale: true, name: t("boys_per_100_girls"), nameTextStyle: { align: "left", color: colour("ink-soft"), fontSize: 11.5 },
      min: Math.max(0, Math.floor(Math.min(...values) - room)), max: Math.ceil(Math.max(...values) + room) }),
    series: [
      curve("low95", "dashed"), curve("high95", "dashed"), curve("low998", "solid"), curve("high998", "solid"),
      { type: "scatter", symbolSize: 11, z: 4,
        data: there.map((row, place) => ({ value: [births(row), row.value], label: { position: SIDES[place % SIDES.length] } })),
        itemStyle: { color: (at) => colour(outside(there[at.dataIndex]) ? "bad" : "accent") },
        label: { show: true, fontSize: 11, color: colour("ink"), formatter: (at) => name(areaName(there[at.dataIndex].district, ["", ""])).replace(/（.*）| \(.*\)|Suzhou |苏州/, "") },
        labelLayout: { hideOverlap: true },
        markArea: { silent: true, itemStyle: { color: colour("band"), opacity: 0.35 }, data: [[{ yAxis: 103 }, { yAxis: 107 }]] },
        markLine: { silent: true, symbol: "none", lineStyle: { color: colour("ink-soft"), width: 1 }, label: { formatter: t("city"), color: colour("ink-soft"), fontSize: 11 }, data: [{ yAxis: said.center }] } },
    ],
  });
}

const outside = (row) => said.outside.includes(row.district);

function drawPath() {
  const node = $("cusum");
  const path = said.path;
  $("cusum-note").textContent = path ? pathNote(path) : "";
  if (!path) return clear(node, t(state.view === "public" ? "not_released" : state.known ? "only_now" : "cusum_none"));
  node.setAttribute("aria-label", t("cusum_label"));
  const line = (values, type, words) => ({
    name: words, type: "line", symbol: "none", data: path.days.map((day, place) => [day, values[place]]),
    lineStyle: { width: 1.8, color: colour("accent"), type }, itemStyle: { color: colour("accent") },
  });
  return drawChart(node, {
    tooltip: tip({ trigger: "axis", valueFormatter: (number) => (number === null ? "–" : number.toFixed(2)) }),
    legend: { top: 0, right: 0, textStyle: { color: colour("ink-soft") }, icon: "rect", itemWidth: 20, itemHeight: 2 },
    grid: { left: 8, right: 18, top: 30, bottom: 6, containLabel: true },
    xAxis: dayAxis(), yAxis: axis({ type: "value", min: 0 }),
    series: [
      { ...line(path.up, "solid", t("upward")), markLine: alarms(path) },
      line(path.down, "dashed", t("downward")),
      { ...line(path.limits, "solid", t("path_limit")), lineStyle: { width: 1.4, color: colour("bad") }, itemStyle: { color: colour("bad") } },
    ],
  });
}

const alarms = (path) => (path.alarms.length ? {
  silent: true, symbol: "none", lineStyle: { color: colour("bad") }, label: { formatter: t("alarm"), color: colour("bad"), fontSize: 11 },
  data: path.alarms.map((day) => ({ xAxis: day })),
} : undefined);

const pathNote = (path) => t(path.learned ? "cusum_note" : "cusum_unlearned", {
  normal: path.normal.toFixed(1), years: Math.round(path.promise_days / 365), day: path.days.at(-1),
});
