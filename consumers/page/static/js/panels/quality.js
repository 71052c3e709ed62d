// Alerts, feeds, findings and refusals: what has to be looked into.

import { $, fill, h, table } from "../dom.js";
import { ask } from "../api.js";
import { areaName, known } from "../state.js";
import { has, name, t } from "../words.js";
import { ago, moment, whole } from "../format.js";

let said = null;

/** Ask for all four. */
export async function load(signal) {
  const answer = await ask("quality", {}, signal);
  said = answer.answer;
  return answer.again_in;
}

/** Draw all four. */
export function draw() {
  if (!said) return;
  fill($("alerts"), alerts());
  fill($("feeds"), feeds());
  fill($("findings"), findings());
  fill($("refused"), refused());
}

const none = (key) => h("p", { class: "none" }, t(key));
const word = (key) => (has(key) ? t(key) : key);

function alerts() {
  if (!said.alerts.length) return none("none_alerts");
  const open = said.alerts.filter((each) => ["firing", "pending"].includes(each.state));
  const rest = said.alerts.filter((each) => !open.includes(each));
  return [
    open.length ? alertTable(open) : none("none_alerts"),
    rest.length ? h("details", {}, h("summary", {}, t("past_alerts", { n: whole(rest.length) })), alertTable(rest)) : null,
  ];
}

function alertTable(rows) {
  return table("", [[t("what")], [t("area")], [t("state")], [t("severity")], [t("since")]],
    rows.map((each) => [
      [[name(each.what), each.late_reporting_could_explain ? ` (${t("late_could")})` : ""], "wrap"],
      name(areaName(each.district, [t("city"), t("city")])),
      h("span", { class: each.state === "firing" ? "bad" : "soft" }, each.state === "firing" ? "▲ " : "", word(each.state)),
      word(each.severity), each.since]));
}

function feeds() {
  if (!said.feeds.length) return none("none_feeds");
  return table("", [[t("source")], [t("reports"), "n"], [t("recent"), "n"], [t("newest"), ""], [t("status")]],
    said.feeds.map((each) => [each.source, whole(each.reports), whole(each.recent),
      h("span", { title: moment(each.newest) }, ago(each.last_day, said.today)),
      each.silent ? h("span", { class: "bad" }, `▲ ${t("silent", { n: whole(each.silent) })}`)
        : h("span", { class: "soft" }, each.reports ? t("healthy") : t("never"))]));
}

function findings() {
  const totals = new Map();
  for (const each of said.findings) totals.set(each.code, (totals.get(each.code) ?? 0) + each.count);
  if (!totals.size) return none("none_findings");
  const sorted = [...totals].sort((a, b) => b[1] - a[1]);
  const sum = sorted.reduce((before, [, count]) => before + count, 0);
  return table("", [[t("code")], [t("count"), "n"]],
    [...sorted.map(([code, count]) => [word(`finding_${code}`), whole(count)]), [t("total"), whole(sum)]]);
}

function refused() {
  if (!said.refused.length) return none("none_refused");
  return table("", [[t("reason")], [t("count"), "n"], [t("newest")], [t("mend")]],
    said.refused.map((each) => {
      const about = known().refusals[each.code];
      return [about ? name(about.name) : each.code, whole(each.count), moment(each.newest), [about ? name(about.mend) : "", "wrap soft"]];
    }));
}
