// The answers of this visit.
import { history } from "../../common/ask.js";
import { el } from "../../common/dom.js";

export function visit(lab) {
  const list = el("div", { class: "visits", tabindex: "0", role: "region", "aria-label": "Answers of this visit" });
  lab.button("Save as a file", () => {
    const link = el("a", { href: URL.createObjectURL(new Blob([JSON.stringify(history, null, 1)], { type: "application/json" })), download: "nabla-studio-visit.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  lab.button("Refresh the list", draw);
  lab.add(list);
  draw();
  // The miniatures above ask too.
  setTimeout(() => { if (!lab.isGone()) draw(); }, 1500);

  function draw() {
    list.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...["computation", "asked with", "ms"].map(t => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...history.toReversed().slice(0, 200).map(entry => {
        const [name, query = ""] = entry.address.split("?");
        return el("tr", {}, el("td", {}, el("code", {}, name)), el("td", {}, decodeURIComponent(query).replace(/&/g, " · ").slice(0, 160) || "—"), el("td", {}, entry.milliseconds));
      }))));
  }
}
