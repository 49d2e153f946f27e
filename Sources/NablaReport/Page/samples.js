const slider = document.getElementById("sample-slider");
const items = [...document.querySelectorAll("#samples li")];
if (items.length < 2) slider.hidden = true;
const show = () => {
  items.forEach((item, index) => { item.hidden = index !== Number(slider.value); });
  const step = Number(items[slider.value].dataset.step).toLocaleString("en");
  document.getElementById("sample-step").textContent = step;
  slider.setAttribute("aria-valuetext", "step " + step);
};
slider.addEventListener("input", show);
show();
