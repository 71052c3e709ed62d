// How migrants are managed, district by district, with the formula beside the number.

import { $, fill, h, table } from "../dom.js";
import { ask } from "../api.js";
import { areaName, known } from "../state.js";
import { name, t, title } from "../words.js";
import { share, status, value, whole, why } from "../format.js";
import { dot, scale } from "../small.js";

const RATE = "migrant_management_rate";
let rows = [];

/** Ask for the rates. */
export async function load(signal) {
  const said = await ask("management", {}, signal);
  rows = said.answer;
  return said.again_in;
}

/** Draw formula and table. */
export function draw() {
  const entry = known().indicators[RATE];
  const goal = known().targets.find((each) => each.indicator === RATE);
  const of = (key, window) => new Map(rows.filter((row) => row.indicator === key && row.window === window).map((row) => [row.district, row]));
  const [rate, week] = [of(RATE, "1d"), of(RATE, "7d")];
  const [early, endorsed] = [of("registered_in_time_rate", "364d"), of("endorsed_in_time_rate", "364d")];
  const day = rate.get(known().city)?.as_of ?? "–";
  fill($("migrants-formula"), h("b", {}, `${title(entry.name)} = `), name(entry.formula), ` (%) · ${t("as_of")} ${day} · `,
    t("limit", { n: `${goal.low}%` }), " · ", name(["“已知”为迁移、登记与医院三方所知人口之并集，减去离开与死亡者；无官方公式，此为本系统口径。",
      "“Known” is the union of moves, permits and hospitals, less those who left or died. No official formula exists; this is ours."]));
  const shown = [...rate.values(), ...week.values()].filter((row) => row.value !== null);
  const ends = scale([...shown.flatMap((row) => [row.value, row.low, row.high]), goal.low]);
  const codes = [known().city, ...known().districts.map((each) => each.code)];
  const cell = (row) => (row && row.value !== null ? [value(entry, row.value), "n"] : [why(row), "n soft"]);
  fill($("migrants-table"), table("", [
    [t("district")], [t("known"), "n"], [t("managed"), "n"], [`${t("rate")} % ${t("day_rate")}`, "n"], [t("limit", { n: `${goal.low}%` })],
    [`${t("rate")} % ${name(known().windows["7d"])}`, "n"], [`${t("in_time")} %`, "n"], [`${t("endorsed")} %`, "n"], [t("completeness"), "n"], [t("status")],
  ], codes.map((code) => {
    const row = rate.get(code);
    const there = row && row.value !== null;
    return [name(areaName(code, [t("city"), t("city")])), [there ? whole(row.denominator) : "–", "n"], [there ? whole(row.numerator) : "–", "n"], cell(row),
      there ? dot(ends, row, { low: goal.low, mark: row.high !== null && row.high < goal.low ? "not_met" : "met" }) : "",
      cell(week.get(code)), cell(early.get(code)), cell(endorsed.get(code)),
      [there ? share(row.completeness) : "–", "n soft"], [there ? status(row) : "", "soft"]];
  }), codes.map((code) => (code === known().city ? "city" : ""))));
}
