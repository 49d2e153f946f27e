// Shows the parts of the agent that the reader chooses, in all sections alike.
const choices = [...document.querySelectorAll(".agent-choice")];
const parts = [...document.querySelectorAll("[data-agent]")];
const show = chosen => {
  for (const choice of choices) choice.value = chosen;
  for (const part of parts) part.hidden = part.dataset.agent !== chosen;
};
for (const choice of choices) choice.addEventListener("change", () => show(choice.value));
