// What keys and values take in memory.
import { chart } from "../../common/chart.js";
import { el } from "../../common/dom.js";
import { bytes, grouped } from "../../common/numbers.js";

const contexts = Array.from({ length: 14 }, (_, i) => 2 ** (i + 7));
const names = { this: "the model above", llama8b: "8B (Llama 3)", llama70b: "70B (Llama 3)" };

export function cache(lab) {
  lab.choice("shape", { label: "Model", value: "llama70b", options: names });
  lab.slider("context", { label: "Context T", list: contexts, value: 32768, words: v => `${grouped(v)} tokens` });
  lab.slider("share", { label: "Query heads that share a key/value head", list: [1, 2, 4, 8, 16, 32, 64], value: 8, words: v => v === 1 ? "none share" : `${v} share` });
  const picture = lab.add(chart({ label: "Bytes of keys and values by context",
    x: { name: "context T", log: true, base: 2, format: v => grouped(v) }, y: { name: "bytes", log: true, base: 2, format: v => bytes(v) } }));
  const table = lab.add(el("table", {}));
  lab.live("cache", s => ({ shape: s.get("shape"), context: s.get("context"), share: s.get("share") }), (value, query) => {
    const points = list => value.contexts.map((t, i) => [t, list[i]]);
    picture.show({
      lines: [
        { name: `multi-head, G = ${value.heads}`, concept: "query", points: points(value.multiHead) },
        { name: `grouped, G = ${value.groups}`, concept: "key", points: points(value.grouped) },
        { name: "multi-query, G = 1", concept: "value", points: points(value.multiQuery) },
      ],
      rules: [{ x: query.context }],
    });
    table.replaceChildren(el("thead", {}, el("tr", {}, ...["key/value heads G", "bytes", "of multi-head"].map(t => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...value.shares.toReversed().map(share => el("tr", { class: share.keyValueHeads === value.groups ? "chosen" : "" },
        el("td", {}, share.keyValueHeads), el("td", {}, bytes(share.bytes)), el("td", {}, `1/${value.heads / share.keyValueHeads}`)))));
  });
}
