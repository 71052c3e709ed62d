// Before the first paint: the theme and the language that were chosen here last.
(function () {
  const kept = (name) => {
    try { return localStorage.getItem("popflow." + name); } catch { return null; }
  };
  const asked = new URLSearchParams(location.search);
  const root = document.documentElement;
  const theme = asked.get("theme") || kept("theme") || "auto";
  const dark = theme === "dark" ||
    (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.choice = theme;
  root.dataset.theme = dark ? "dark" : "light";
  const wanted = asked.get("lang") || kept("lang") ||
    (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  root.lang = wanted === "en" ? "en" : "zh-CN";
})();
