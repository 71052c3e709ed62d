// Charts in the colours of the page. Tips are drawn, not written as markup: no inline style.

/* global echarts */

const drawn = new Map();

/** A colour of the page. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Draw a chart into an element, or draw it anew. */
export function draw(node, option, onClick) {
  node.classList.remove("empty");
  node.setAttribute("role", "img");
  if (!drawn.has(node)) {
    node.replaceChildren();
    const chart = echarts.init(node, null, { renderer: "canvas", devicePixelRatio: Math.max(2, devicePixelRatio) });
    if (onClick) chart.on("click", onClick);
    new ResizeObserver(() => chart.resize()).observe(node);
    drawn.set(node, chart);
  }
  drawn.get(node).setOption({ ...basics(), ...option }, { notMerge: true });
}

/** Say in a chart's place why there is none. */
export function clear(node, text) {
  drawn.get(node)?.dispose();
  drawn.delete(node);
  node.classList.add("empty");
  node.removeAttribute("aria-label");
  node.removeAttribute("role");
  node.textContent = text;
}

function basics() {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour("ink-soft") },
    tooltip: tip(),
    grid: { left: 8, right: 18, top: 18, bottom: 6, containLabel: true },
  };
}

/** A tip for charts; drawn on the canvas. */
export function tip(more = {}) {
  return {
    renderMode: "richText", confine: true, backgroundColor: colour("sheet"),
    borderColor: colour("line"), textStyle: { color: colour("ink"), fontSize: 13 }, ...more,
  };
}

/** An axis with quiet lines. */
export function axis(more = {}) {
  return {
    axisLine: { lineStyle: { color: colour("line") } },
    axisTick: { show: false },
    axisLabel: { color: colour("ink-soft"), fontSize: 11.5, hideOverlap: true },
    splitLine: { lineStyle: { color: colour("line-soft") } },
    nameTextStyle: { color: colour("ink-soft"), fontSize: 11.5 },
    ...more,
  };
}

/** An axis of days. */
export const dayAxis = (more = {}) => axis({
  type: "time", splitLine: { show: false },
  axisLabel: {
    color: colour("ink-soft"), fontSize: 11.5, hideOverlap: true,
    formatter: { year: "{yyyy}", month: "{yyyy}-{MM}", day: "{MM}-{dd}" },
  },
  ...more,
});

/** A limit as a line from the first to the last day, so that the axis reaches it. */
export function limitLine(value, rows, words) {
  return {
    type: "line", symbol: "none", silent: true, tooltip: { show: false }, z: 3,
    data: [[rows[0].as_of, value], [rows.at(-1).as_of, value]],
    lineStyle: { color: colour("bad"), width: 1.4 },
    markPoint: {
      silent: true, symbol: "circle", symbolSize: 0.1, data: [{ coord: [rows[0].as_of, value] }],
      label: { show: true, position: [2, -14], align: "left", color: colour("bad"), fontSize: 11, formatter: `${words} ${value}` },
    },
  };
}
