// Numbers and days as people read them.

import { name, place, t } from "./words.js";
import { known } from "./state.js";

const locale = () => (place() ? "en-GB" : "zh-CN");
const PLACES = { "1/10万": 1, "女孩=100": 1, "女性=100": 1, "天": 1, "人": 0 };
const made = new Map();

function formatter(options) {
  const key = locale() + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.NumberFormat(locale(), options));
  return made.get(key);
}

/** A whole number. */
export const whole = (value) => (value === null || value === undefined ? "–" : formatter({ maximumFractionDigits: 0 }).format(value));

/** How many decimals an indicator's value has. */
export const places = (entry) => PLACES[entry.unit[0]] ?? 2;

/** A value of an indicator, without its unit. */
export function value(entry, number) {
  if (number === null || number === undefined) return "–";
  const digits = places(entry);
  return formatter({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(number);
}

/** The unit of an indicator. */
export const unit = (entry) => name(entry.unit);

/** The 95 % interval of a figure, or an empty text. */
export function interval(entry, row) {
  if (row.low === null || row.low === undefined || row.high === null) return "";
  return `${value(entry, row.low)} – ${value(entry, row.high)}`;
}

/** A share between 0 and 1. */
export const share = (number) => (number === null || number === undefined ? "–"
  : formatter({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(number));

/** A day as the contract writes it: it sorts, and everybody reads it. */
export const day = (text) => (text ? text.slice(0, 10) : "–");

/** A moment, to the second, in the city's zone. */
export function moment(text) {
  if (!text) return "–";
  return new Intl.DateTimeFormat("sv-SE", {
    timeZone: "Asia/Shanghai", year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).format(new Date(text));
}

/** Days between two days. */
export const daysBetween = (from, to) => Math.round((Date.parse(`${to.slice(0, 10)}T00:00Z`) - Date.parse(`${from.slice(0, 10)}T00:00Z`)) / 86400000);

/** The day a number of days later. */
export function daysAfter(text, days) {
  const at = new Date(`${text}T00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

/** How long ago a day was. */
export function ago(text, today) {
  if (!text) return t("never");
  const days = daysBetween(text, today);
  if (days <= 0) return t("today");
  return days === 1 ? t("yesterday") : t("days_ago", { n: whole(days) });
}

/** Why a figure has no value. */
export function why(row) {
  if (!row) return t("not_published");
  const reason = known().reasons[row.reason];
  return reason ? name(reason) : t("no_figure");
}

/** Status of a figure in words. */
export const status = (row) => (row.status ? t(row.status) : t("as_then"));

/** Window, base and last day of a figure. */
export function basis(row) {
  const { windows, bases } = known();
  return [name(windows[row.window]), name(bases[row.base]), row.as_of];
}
