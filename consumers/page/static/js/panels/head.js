// The head: how fresh, how complete, how real; and the slider over past days of knowledge.

import { $, fill, h } from "../dom.js";
import { choose, known, state } from "../state.js";
import { t } from "../words.js";
import { day, daysAfter, daysBetween, moment, share, whole } from "../format.js";

const now = { pulse: null, connection: "connecting", away: null, heard: null, asOf: null, complete: null };

/** Take news and show it. */
export function tell(news) {
  if (news.pulse) now.heard = new Date().toISOString();
  Object.assign(now, news);
  drawHead();
}

/** The newest counters. */
export const pulse = () => now.pulse;

/** Show the head in the language of now. */
export function drawHead() {
  drawPulse();
  drawNotices();
  drawSlider();
}

function drawPulse() {
  const p = now.pulse;
  const items = [
    ["as_of", state.asof || state.known || now.asOf || p?.today || "–"],
    ["accepted", p ? whole(p.accepted) : "–", "accepted"],
    ["refused_count", p ? whole(p.refused) : "–", "refused"],
    ["newest", moment(p?.newest)],
    ["published", moment(p?.published)],
    ["connection", t(now.away ? "broken" : now.connection), "connection"],
  ];
  const before = Object.fromEntries([...$("pulse").querySelectorAll("dd")].map((node) => [node.id, node.textContent]));
  fill($("pulse"), items.map(([key, text, id]) => h("div", {}, h("dt", {}, t(key)),
    h("dd", {
      id: id ? `pulse-${id}` : null,
      class: id === "connection" && (now.away || now.connection === "broken") ? "bad"
        : id && before[`pulse-${id}`] !== text && before[`pulse-${id}`] ? "fresh" : null,
    }, text))));
}

function drawNotices() {
  const p = now.pulse;
  const shown = [];
  for (const city of p?.simulated ?? []) {
    shown.push(["simulated", t("notice_simulated", { scale: scaleOf(city.scale), start: city.start })]);
  }
  if (state.view === "public") shown.push(["past", t("notice_public")]);
  if (state.known) shown.push(["past", t("notice_past", { day: state.known })]);
  if (now.away) shown.push(["", t("notice_away", { time: moment(now.heard) })]);
  else if (now.connection === "broken") shown.push(["", t("notice_lost", { time: moment(now.heard) })]);
  if (p && !p.accepted) shown.push(["", t("notice_empty")]);
  if (p?.last && daysBetween(p.last, p.today) > 1) shown.push(["", t("notice_replay", { day: p.last })]);
  else if (p && behind(p)) shown.push(["", t("notice_behind", { time: moment(p.published) })]);
  else if (p && now.asOf && now.asOf < p.today && state.view === "office" && !state.asof && !state.known) shown.push(["", t("notice_stale", { day: now.asOf, today: p.today })]);
  if (!state.known && now.complete !== null && now.complete < 0.995 && p?.accepted) {
    shown.push(["", t("notice_incomplete", { n: share(now.complete) })]);
  }
  const text = JSON.stringify(shown);
  if ($("notices").dataset.said === text) return;
  $("notices").dataset.said = text;
  fill($("notices"), shown.map(([kind, words]) => h("p", { class: `notice ${kind}` }, words)));
}

/** Whether counts have come after the newest figures; a while later they were of no figure. */
function behind(p) {
  if (!p.counted || state.known || state.view === "public") return false;
  const counted = Date.parse(p.counted);
  return counted - Date.parse(p.published ?? 0) > 4000 && Date.now() - counted < 60000;
}

setInterval(() => now.pulse && drawNotices(), 5000);

const scaleOf = (scale) => (scale < 1 ? `1/${whole(1 / scale)}` : "1");

function drawSlider() {
  const p = now.pulse;
  $("view").value = state.view;
  $("view").disabled = known().public;
  for (const id of ["known", "known-day", "known-now"]) $(id).hidden = state.view === "public";
  for (const each of document.querySelectorAll('label[for="known"], #vintage .hint')) each.hidden = state.view === "public";
  if (!p?.first) return;
  const slider = $("known");
  const span = Math.max(1, daysBetween(p.first, p.today));
  slider.max = String(span);
  if (document.activeElement !== slider || !slider.dataset.moving) {
    slider.value = String(state.known ? daysBetween(p.first, state.known) : span);
  }
  slider.setAttribute("aria-valuetext", state.known || t("now"));
  $("known-day").textContent = state.known || `${day(p.today)} (${t("now")})`;
  $("known-now").disabled = !state.known && !state.asof;
  $("as-of").max = state.known || p.today;
  $("as-of").min = p.first;
  if (document.activeElement !== $("as-of")) $("as-of").value = state.asof || state.known || p.today;
}

/** Make the slider and the date choose. */
export function bindSlider() {
  const slider = $("known");
  let waiting = 0;
  const chosen = () => {
    const day = daysAfter(now.pulse.first, Number(slider.value));
    return day >= now.pulse.today ? "" : day;
  };
  slider.addEventListener("input", () => {
    slider.dataset.moving = "1";
    $("known-day").textContent = chosen() || `${now.pulse.today} (${t("now")})`;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      delete slider.dataset.moving;
      const day = chosen();
      choose({ known: day, asof: day && state.asof > day ? "" : state.asof });
    }, 180);
  });
  $("known-now").addEventListener("click", () => choose({ known: "", asof: "" }));
  $("as-of").addEventListener("change", (event) => {
    const day = event.target.value;
    const last = state.known || now.pulse?.today;
    if (event.target.validity.valid) choose({ asof: day === last ? "" : day });
  });
  $("view").addEventListener("change", (event) => choose({ view: event.target.value }));
  $("vintage").addEventListener("submit", (event) => event.preventDefault());
}

/** What the newest figures say of the state of the data. */
export function judge(rows) {
  const dated = rows.filter((row) => row.value !== null);
  if (!dated.length) return;
  const complete = dated.map((row) => row.completeness).filter((each) => each !== null);
  tell({
    asOf: dated.map((row) => row.as_of).sort().at(-1),
    complete: complete.length ? Math.min(...complete) : null,
  });
}

