// Draws the equations with KaTeX. One that it does not understand stays as TeX.
for (const element of document.querySelectorAll(".tex")) {
  const tex = element.textContent;
  try {
    katex.render(tex, element, { displayMode: true, fleqn: true, throwOnError: true });
    element.classList.add("drawn");
  } catch (error) {
    element.textContent = tex;
    console.error(error);
  }
}
// What scrolls can be reached with the keyboard.
const reach = () => {
  for (const element of document.querySelectorAll(".tex")) {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0; else element.removeAttribute("tabindex");
  }
};
addEventListener("resize", reach);
document.fonts?.ready.then(reach);
