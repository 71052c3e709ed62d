// Making elements; text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element with attributes and children. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element with attributes and children. */
export function s(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/** Put children in the place of what an element holds; the focus stays where it was by its key. */
export function fill(node, ...children) {
  const held = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...children.flat(3).filter(Boolean));
  if (held) node.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
}

/** A table: heads are [text, class], rows are arrays of cells (text, node or [content, class]). */
export function table(caption, heads, rows, marks = []) {
  const cell = (tag, content, index) => {
    const [inside, kind] = Array.isArray(content) ? content : [content, ""];
    const head = tag === "th" || index === 0;
    return h(index === 0 ? "th" : tag, {
      class: kind || heads[index]?.[1] || null,
      scope: tag === "th" ? "col" : head ? "row" : null,
    }, inside);
  };
  return h("table", {},
    caption ? h("caption", {}, caption) : null,
    h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", class: kind || null }, text)))),
    h("tbody", {}, rows.map((row, place) =>
      h("tr", { class: marks[place] || null }, row.map((content, index) => cell("td", content, index))))));
}
