"""The dictionary site's one style sheet and its one script, as texts: nothing is fetched from anywhere."""

from __future__ import annotations

STYLE = """:root { color-scheme: light dark; --line: #8884; --quiet: #888; }
body { margin: 0; font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; }
header { position: sticky; top: 0; display: flex; gap: 1rem; padding: .6rem 1rem; background: Canvas;
  border-bottom: 1px solid var(--line); }
header input { flex: 1; font: inherit; padding: .2rem .5rem; }
main, #found { padding: 0 1rem 3rem; }
h1 { margin-bottom: 0; }
.scheme { max-width: 70rem; color: var(--quiet); }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
tr { scroll-margin-top: 4rem; }
tr:target { outline: 3px solid Highlight; }
small { color: var(--quiet); margin-left: .4rem; }
td small { display: block; margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; }
"""

SCRIPT = """(() => {
  const input = document.getElementById("search");
  const found = document.getElementById("found");
  const main = document.querySelector("main");
  const most = 200;
  const show = () => {
    const words = input.value.trim().toLowerCase().split(/\\s+/).filter(Boolean);
    found.replaceChildren();
    main.hidden = words.length > 0;
    found.hidden = !main.hidden;
    if (!words.length) return;
    const fits = (row) => words.every((word) => row.join(" ").toLowerCase().includes(word));
    for (const [table, column, label] of window.DICTIONARY.filter(fits).slice(0, most)) {
      const link = document.createElement("a");
      link.href = `${table}.html${column ? `#${column}` : ""}`;
      link.textContent = column ? `${table}.${column}` : table;
      const item = document.createElement("li");
      item.append(link, ` ${label}`);
      found.append(item);
    }
  };
  input.addEventListener("input", show);
  show();
})();
"""
