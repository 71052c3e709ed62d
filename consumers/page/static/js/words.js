// What is said, in Chinese and English: the page's own words and the catalogue's names.

import { $ } from "./dom.js";

let said = {};

/** 0 for Chinese, 1 for English: which of two words. */
export const place = () => (document.documentElement.lang === "en" ? 1 : 0);

/** Take the page's words. */
export function learn(words) { said = words; }

/** A word of the page; {name} stands for a value. */
export function t(key, values = {}) {
  const pair = said[key];
  if (!pair) throw new Error(`no word ${key}`);
  return pair[place()].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Whether there is such a word. */
export const has = (key) => key in said;

/** One of a pair of names. */
export const name = (pair) => (pair ? pair[place()] : "");

/** One of a pair of names, as it begins a line. */
export const title = (pair) => name(pair).replace(/^[a-z]/, (letter) => letter.toUpperCase());

/** Write every fixed text of the document in the language of now. */
export function say() {
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  document.title = t("title");
  const other = $("language");
  other.textContent = place() ? "中文" : "English";
  other.lang = place() ? "zh-CN" : "en";
}
