// How a figure went over time, and how it was revised as reports came in.

import { $, fill, table } from "../dom.js";
import { ask } from "../api.js";
import { areaName, entry, known, state } from "../state.js";
import { name, t, title } from "../words.js";
import { interval, places, share, status, unit, value, whole } from "../format.js";
import { axis, clear, colour, dayAxis, draw as drawChart, limitLine, tip } from "../charts.js";

const REVISED_AFTER = 120;
let course = null;
let vintages = null;

const chosen = () => ({ key: state.key, base: state.base, window: state.window, district: state.area });

/** The day whose revisions are shown: the end of a month that most reports have reached since. */
function looked() {
  const last = state.asof || state.known;
  if (last) return last;
  const day = new Date(Date.now() - REVISED_AFTER * 86400000);
  return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 0)).toISOString().slice(0, 10);
}

/** The course over time. */
export const trend = {
  async load(signal) {
    const said = await ask("trend", chosen(), signal);
    course = said.answer.filter((row) => row.value !== null);
    return said.again_in;
  },
  draw: drawCourse,
};

/** One figure as it was known on later days. */
export const revisions = {
  async load(signal) {
    const said = await ask("vintages", { ...chosen(), as_of: looked(), known_on: "" }, signal);
    vintages = said.answer.filter((row) => row.value !== null);
    return said.again_in;
  },
  draw: drawRevisions,
};

function drawCourse() {
  const area = name(areaName(state.area, [t("city"), t("city")]));
  const { windows, bases } = known();
  $("course-what").textContent = [title(entry().name), unit(entry()), area, name(windows[state.window]), name(bases[state.base])].join(" · ");
  drawTrend(area);
}

const goal = () => known().targets.find((each) => each.indicator === state.key && each.base === state.base);
const limits = () => (goal() && goal().low !== null && !entry().whole ? [...new Set([goal().low, goal().high])] : []);

function drawTrend(area) {
  const node = $("trend");
  if (!course) return clear(node, t("loading"));
  fill($("trend-table"), trendTable());
  if (!course.length) return clear(node, t("no_figure"));
  node.setAttribute("aria-label", t("trend_label", { area, indicator: title(entry().name), n: whole(course.length) }));
  const pending = (row) => row.status === "provisional";
  const first = course.findIndex((_, place) => course.slice(place).every(pending));
  const settled = first < 0 ? course : course.slice(0, first);
  const open = first < 0 ? [] : course.slice(Math.max(0, first - 1));
  const at = (rows) => rows.map((row) => [row.as_of, row.value]);
  const banded = course.filter((row) => row.low !== null);
  const line = { type: "line", symbol: "circle", symbolSize: course.length > 30 ? 4 : 6, showSymbol: course.length < 130, lineStyle: { width: 2, color: colour("accent") }, z: 4 };
  const quiet = { type: "line", symbol: "none", silent: true, lineStyle: { width: 0 }, stack: "band", stackStrategy: "all", tooltip: { show: false }, z: 1 };
  drawChart(node, {
    tooltip: tip({ trigger: "axis", formatter: (points) => about(points[0]?.axisValue) }),
    xAxis: dayAxis(), yAxis: valueAxis(),
    series: [
      { ...quiet, data: banded.map((row) => [row.as_of, row.low]) },
      { ...quiet, data: banded.map((row) => [row.as_of, row.high - row.low]), areaStyle: { color: colour("band"), opacity: 0.75 } },
      { ...line, data: at(settled), itemStyle: { color: colour("accent") } },
      { ...line, data: at(open), lineStyle: { ...line.lineStyle, type: "dashed" }, itemStyle: { color: colour("sheet"), borderColor: colour("accent"), borderWidth: 1.6 } },
      ...limits().map((value) => limitLine(value, course, t("target_limit"))),
    ],
  });
}

const valueAxis = () => axis({
  type: "value", scale: true, name: unit(entry()), nameLocation: "end", nameGap: 8,
  axisLabel: { color: colour("ink-soft"), fontSize: 11.5, formatter: (number) => new Intl.NumberFormat("en", { maximumFractionDigits: places(entry()) }).format(number) },
});

function about(when) {
  const text = new Date(when).toISOString().slice(0, 10);
  const row = course.find((each) => each.as_of === text) ?? course.find((each) => Math.abs(Date.parse(each.as_of) - when) < 43200000);
  if (!row) return "";
  return [row.as_of, `${value(entry(), row.value)} ${unit(entry())}`, interval(entry(), row),
    `${whole(row.numerator)} / ${whole(row.denominator)}`, `${t("completeness")} ${share(row.completeness)} · ${status(row)}`].filter(Boolean).join("\n");
}

function trendTable() {
  return table(course.length ? `${title(entry().name)} (${unit(entry())})` : "", [
    [t("day")], [t("value"), "n"], [t("interval"), "n"], [t("numerator"), "n"], [t("denominator"), "n"], [t("completeness"), "n"], [t("status")],
  ], [...course].reverse().map((row) => [row.as_of, value(entry(), row.value), interval(entry(), row), whole(row.numerator), whole(row.denominator), share(row.completeness), status(row)]));
}

function drawRevisions() {
  const node = $("revisions");
  $("revisions-note").textContent = state.view === "public" ? "" : t("revisions_note", { day: looked() });
  if (state.view === "public") return clear(node, t("not_released"));
  if (!vintages) return clear(node, t("loading"));
  if (!vintages.length) return clear(node, t("no_figure"));
  node.setAttribute("aria-label", t("revisions_label", { indicator: title(entry().name), n: whole(vintages.length) }));
  const days = vintages.map((row) => row.known_on);
  drawChart(node, {
    tooltip: tip({ trigger: "axis", formatter: (points) => {
      const row = vintages[points[0].dataIndex];
      return [`${t("known_on")} ${row.known_on}`, `${value(entry(), row.value)} ${unit(entry())}`, interval(entry(), row), `${whole(row.numerator)} / ${whole(row.denominator)}`].filter(Boolean).join("\n");
    } }),
    xAxis: axis({ type: "category", data: days, axisLabel: { color: colour("ink-soft"), fontSize: 11, hideOverlap: true, formatter: (text) => text.slice(2) } }),
    yAxis: valueAxis(),
    series: [
      { type: "line", step: "end", symbol: "circle", symbolSize: 7, data: vintages.map((row) => row.value), lineStyle: { width: 2, color: colour("accent") }, itemStyle: { color: colour("accent") }, z: 4,
        markLine: state.known && days.includes(state.known) ? { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: colour("ink-soft") }, data: [{ xAxis: state.known }] } : undefined },
      whiskers(vintages),
    ],
  });
}

/** Upright bars from the lower to the upper end of each interval. */
function whiskers(rows) {
  return {
    type: "custom", silent: true, z: 2, data: rows.map((row, place) => [place, row.low, row.high]).filter(([, low]) => low !== null),
    encode: { x: 0, y: [1, 2] },
    renderItem: (_, api) => {
      const low = api.coord([api.value(0), api.value(1)]);
      const high = api.coord([api.value(0), api.value(2)]);
      return { type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] }, style: { stroke: colour("band"), lineWidth: 7 } };
    },
  };
}

