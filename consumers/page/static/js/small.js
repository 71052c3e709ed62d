// Small pictures inside cards and tables: a value with its interval against a limit.

import { s } from "./dom.js";

/** Ends of a scale that holds all values, with room at both. */
export function scale(values) {
  const there = values.filter((value) => typeof value === "number" && Number.isFinite(value));
  if (!there.length) return [0, 1];
  const [least, most] = [Math.min(...there), Math.max(...there)];
  const room = (most - least || Math.abs(most) || 1) * 0.12;
  return [least - room, most + room];
}

const part = ([from, to], value) => Math.max(1.5, Math.min(98.5, ((value - from) / (to - from)) * 100));

/** A dot with its interval on a line; limits as upright strokes, a range to reach as a zone. */
export function dot(ends, row, { low = null, high = null, zone = false, mark = "", height = 18 } = {}) {
  const at = (value) => `${part(ends, value).toFixed(2)}%`;
  const wide = (from, to) => `${Math.max(0.6, part(ends, to) - part(ends, from)).toFixed(2)}%`;
  const middle = height / 2;
  const limits = [...new Set([low, high])].filter((value) => value !== null);
  return s("svg", { height, "aria-hidden": "true" },
    zone && s("rect", { class: "zone", x: at(low), y: 0, width: wide(low, high), height }),
    s("line", { class: "track", x1: "0%", x2: "100%", y1: middle, y2: middle }),
    row.low !== null && row.high !== null && s("rect", {
      class: "range", x: at(row.low), y: middle - 4, height: 8, rx: 1, width: wide(row.low, row.high),
    }),
    limits.map((value) => s("line", { class: "limit", x1: at(value), x2: at(value), y1: 1, y2: height - 1 })),
    s("circle", { class: `dot ${mark}`, cx: at(row.value), cy: middle, r: 4 }));
}
