// The sheet of one area: all its figures, and the cells behind them.

import { $, fill, h, table } from "../dom.js";
import { ask } from "../api.js";
import { areaName, choose, known } from "../state.js";
import { has, name, t, title } from "../words.js";
import { interval, share, status, unit, value, whole, why } from "../format.js";

let shown = null;
let said = null;

/** Open the sheet of an area. */
export function open(code) {
  shown = code;
  said = null;
  draw();
  if (!$("district").open) $("district").showModal();
  reload();
}

async function reload() {
  const code = shown;
  try {
    const answer = await ask("district", { district: code });
    if (shown !== code) return;
    said = answer.answer;
    draw();
  } catch (error) {
    fill($("district-body"), h("p", { class: "none" }, t("failed", { reason: error.message })));
  }
}

/** Make the sheet close. */
export function bind() {
  $("district-close").addEventListener("click", () => $("district").close());
  $("district").addEventListener("close", () => { shown = null; });
  $("district").addEventListener("click", (event) => { if (event.target === $("district")) $("district").close(); });
}

/** Ask again when something is news and the sheet is open. */
export const refresh = () => shown && reload();

/** Draw the sheet in the language of now. */
export function draw() {
  if (!shown) return;
  $("district-title").textContent = name(areaName(shown, [t("city"), t("city")]));
  if (!said) return fill($("district-body"), h("p", { class: "none" }, t("loading")));
  fill($("district-body"),
    h("section", {}, h("h3", {}, t("figures")), h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("figures") }, figures())),
    h("section", {}, h("h3", {}, said.year ? t("released", { year: said.year }) : t("cells", { n: whole(said.days) })), h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": t("measure") }, cells())));
}

function figures() {
  const { indicators, bases, windows } = known();
  const wanted = said.figures.filter((row) => {
    const entry = indicators[row.indicator];
    return row.window === (entry.windows.includes("364d") ? "364d" : entry.windows[0]) && !entry.fact;
  });
  const order = Object.keys(indicators);
  wanted.sort((a, b) => order.indexOf(a.indicator) - order.indexOf(b.indicator));
  return table("", [[t("indicator")], [t("value"), "n"], [t("unit")], [t("interval"), "n"], [`${t("numerator")} / ${t("denominator")}`, "n"], [t("base")], [t("window")], [t("as_of")], [t("completeness"), "n"], [t("status")]],
    wanted.map((row) => {
      const entry = indicators[row.indicator];
      const go = h("button", { type: "button", class: "link", "data-key": `figure-${row.indicator}-${row.base}`,
        onclick: () => { choose({ key: row.indicator, base: row.base, window: row.window, area: shown }); $("district").close(); $("course-title").scrollIntoView(); } },
        title(entry.name), entry.bases.length > 1 ? h("span", { class: "soft" }, ` · ${name(bases[row.base])}`) : null);
      if (row.value === null) return [go, [why(row), "n soft"], "", "", "", name(bases[row.base]), name(windows[row.window]), row.as_of, "", ""];
      return [go, value(entry, row.value), [unit(entry), "soft"], [interval(entry, row), "n soft"], [`${whole(row.numerator)} / ${whole(row.denominator)}`, "n soft"],
        name(bases[row.base]), name(windows[row.window]), row.as_of, [share(row.completeness), "n soft"], [status(row), "soft"]];
    }));
}

function cells() {
  const { measures, sexes } = known();
  const word = (text) => (!text ? t("all") : has(text) ? t(text) : text);
  const order = Object.keys(measures);
  const rows = [...said.counts].sort((a, b) => order.indexOf(a.measure) - order.indexOf(b.measure));
  return table("", [[t("measure")], [t("residency")], [t("sex")], [t("band")], [t("count"), "n"]],
    rows.map((row) => [title(measures[row.measure].name), word(row.residency), row.sex ? name(sexes[row.sex]) : t("all"), word(row.band),
      row.value === null ? [t("suppressed"), "n soft"] : whole(row.value)]));
}
