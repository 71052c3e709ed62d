// The sex ratio at birth against chance: the districts' funnel and the monitor's path.

import { $ } from "../dom.js";
import { ask } from "../api.js";
import { areaName, known } from "../state.js";
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
        markArea: { silent: true, itemStyle: { color: colour("band"), opacity: 0.35 }, data: [[{ yAxis: 103 }, { yAxis: 107 }]] },
        markLine: { silent: true, symbol: "none", lineStyle: { color: colour("ink-soft"), width: 1 }, label: { formatter: t("city"), color: colour("ink-soft"), fontSize: 11 }, data: [{ yAxis: said.center }] } },
    ],
  });
}

const outside = (row) => said.outside.includes(row.district);

function drawPath() {
  const node = $("cusum");
  if (!said.path || !said.path.days.length) {
    $("cusum-note").textContent = "";
    return clear(node, t("cusum_none"));
  }
  $("cusum-note").textContent = t("cusum_note");
  node.setAttribute("aria-label", t("cusum_label"));
  const { days, high, low, threshold } = said.path;
  const line = (values, dash, words) => ({ name: words, type: "line", symbol: "none", data: days.map((day, place) => [day, values[place]]), lineStyle: { width: 1.8, color: colour("accent"), type: dash } });
  return drawChart(node, {
    tooltip: tip({ trigger: "axis" }),
    legend: { top: 0, right: 0, textStyle: { color: colour("ink-soft") } },
    xAxis: dayAxis(), yAxis: axis({ type: "value", max: (at) => Math.max(at.max, threshold * 1.1) }),
    series: [
      { ...line(high, "solid", t("upward")), markLine: { silent: true, symbol: "none", lineStyle: { color: colour("bad"), width: 1.4 }, label: { formatter: `h = ${threshold.toFixed(2)}`, color: colour("bad"), position: "insideEndTop" }, data: [{ yAxis: threshold }] } },
      ...(low ? [line(low, "dashed", t("downward"))] : []),
    ],
  });
}
