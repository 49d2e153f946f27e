// Every head of every layer at a glance.
import { el } from "../../common/dom.js";
import { fixed, percent } from "../../common/numbers.js";
import { heat } from "../../common/tensor.js";

export function heads(lab) {
  lab.choice("measure", { label: "What is shown of each head", value: "entropy",
    options: { entropy: "entropy", first: "first token", previous: "previous token", self: "the token itself" } });
  const map = lab.add(heat({
    name: "W", concept: "weights", label: "heads", signed: false, height: "min(30rem, 62vh)",
    axes: (row, column) => `layer ${row + 1}, head ${column + 1}`,
    onPick: (row, column) => {
      lab.state.setAll({ layer: row, head: column });
      document.querySelector('section[data-lab="attend"]').scrollIntoView({ block: "start" });
    },
  }));
  const said = lab.add(el("p", {}));
  let answer;

  function draw() {
    if (!answer) return;
    const measure = lab.state.get("measure");
    const tensor = { entropy: answer.entropy, first: answer.toFirst, previous: answer.toPrevious, self: answer.toSelf }[measure];
    map.show(tensor, measure === "entropy" ? {} : { most: 1 });
    const most = tensor.values.indexOf(Math.max(...tensor.values)), [, heads] = tensor.shape;
    const value = tensor.values[most];
    said.textContent = `Rows are layers, columns are heads. The highest is layer ${Math.floor(most / heads) + 1}, head ${most % heads + 1}: `
      + (measure === "entropy" ? `${fixed(value)} nats.` : `${percent(value)} of its weight.`);
  }
  lab.live("heads", s => ({ text: s.get("text") }), value => { answer = value; draw(); });
  lab.state.onChange(draw);
}
