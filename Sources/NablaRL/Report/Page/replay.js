// Plays an episode: each environment has a drawing of its own, from what it shows the agent.
const replay = nabla.data("replay-data");
const canvas = document.getElementById("replay-canvas");
const slider = document.getElementById("replay-slider");
const button = document.getElementById("replay-play");
const context = canvas.getContext("2d");
const [width, height] = [600, 320];
const color = name => nabla.color(name);
const line = (points, stroke, thickness) => {
  context.beginPath();
  points.forEach(([x, y], index) => index ? context.lineTo(x, y) : context.moveTo(x, y));
  context.strokeStyle = stroke;
  context.lineWidth = thickness;
  context.stroke();
};
const disk = (x, y, radius, fill) => {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
};
// An arrow that shows what the agent does: from (x, y) along dx.
const push = (x, y, dx) => {
  if (Math.abs(dx) < 2) return;
  const tip = x + dx, back = tip - Math.sign(dx) * 8;
  line([[x, y], [tip, y]], color("second"), 3);
  line([[back, y - 6], [tip, y], [back, y + 6]], color("second"), 3);
};
const turn = (x, y, amount) => {
  if (Math.abs(amount) < 0.05) return;
  context.beginPath();
  context.arc(x, y, 26, -Math.PI / 2, -Math.PI / 2 - amount * 2, amount > 0);
  context.strokeStyle = color("second");
  context.lineWidth = 3;
  context.stroke();
};

const cartPole = (scale, poleLength, limit) => ([position, , angle], action) => {
  const ground = 250, x = width / 2 + position * scale;
  line([[20, ground], [width - 20, ground]], color("line"), 2);
  for (const end of [-limit, limit]) {
    line([[width / 2 + end * scale, ground - 14], [width / 2 + end * scale, ground + 14]], color("alert"), 2);
  }
  context.fillStyle = color("text");
  context.fillRect(x - 34, ground - 28, 68, 28);
  line([[x, ground - 28], [x + poleLength * Math.sin(angle), ground - 28 - poleLength * Math.cos(angle)]],
    color("accent"), 9);
  disk(x, ground - 28, 5, color("surface"));
  if (action) push(x + (action[0] === 1 ? 38 : -38), ground - 14, action[0] === 1 ? 30 : -30);
};
const hill = x => [40 + (x + 1.2) / 1.8 * (width - 80), 290 - (Math.sin(3 * x) * 0.45 + 0.55) * 230];
const mountainCar = (goal, force) => ([position], action) => {
  const points = Array.from({ length: 121 }, (_, index) => hill(-1.2 + index / 120 * 1.8));
  line(points, color("muted"), 2);
  const [flagX, flagY] = hill(goal);
  line([[flagX, flagY], [flagX, flagY - 40]], color("text"), 2);
  context.fillStyle = color("second");
  context.fillRect(flagX, flagY - 40, 22, 14);
  const [x, y] = hill(position);
  disk(x, y - 9, 10, color("accent"));
  if (action) { const f = force(action[0]); push(x + Math.sign(f) * 14, y - 9, 34 * f); }
};
const pendulum = ([cosine, sine], action) => {
  const [x, y, length] = [width / 2, height / 2, 120];
  const angle = Math.atan2(sine, cosine);
  line([[x, y], [x - length * Math.sin(angle), y - length * Math.cos(angle)]], color("accent"), 14);
  disk(x, y, 6, color("text"));
  if (action) turn(x, y, Math.max(-2, Math.min(2, action[0])) / 2 * 1.4);
};
const acrobot = ([c1, s1, c2, s2], action) => {
  const [x, y, length] = [width / 2, 175, 68];
  line([[x - 190, y - length], [x + 190, y - length]], color("third"), 2);
  const first = Math.atan2(s1, c1), both = first + Math.atan2(s2, c2);
  const elbow = [x + length * Math.sin(first), y + length * Math.cos(first)];
  const tip = [elbow[0] + length * Math.sin(both), elbow[1] + length * Math.cos(both)];
  line([[x, y], elbow], color("accent"), 10);
  line([elbow, tip], color("accent"), 10);
  disk(x, y, 6, color("text"));
  disk(...elbow, 6, color("text"));
  if (action) turn(...elbow, action[0] - 1);
};
const gridWorld = (observation, action) => {
  const size = 88, [left, top] = [(width - 4 * size) / 2, (height - 3 * size) / 2];
  const agent = observation.indexOf(1);
  for (let cell = 0; cell < 12; cell += 1) {
    const [x, y] = [left + cell % 4 * size, top + (2 - Math.floor(cell / 4)) * size];
    context.fillStyle = { 5: color("muted"), 7: color("alert"), 11: color("third") }[cell] ?? color("page");
    context.fillRect(x + 2, y + 2, size - 4, size - 4);
    if (cell !== agent) continue;
    disk(x + size / 2, y + size / 2, 20, color("accent"));
    if (!action) continue;
    const angle = [-Math.PI / 2, 0, Math.PI / 2, Math.PI][action[0]];
    context.save();
    context.translate(x + size / 2, y + size / 2);
    context.rotate(angle);
    push(20, 0, 30);
    context.restore();
  }
};
const drawings = {
  "CartPole-v1": cartPole(100, 120, 2.4),
  "SimpleCartPole": cartPole(120, 120, 2),
  "MountainCar-v0": mountainCar(0.5, action => action - 1),
  "MountainCarContinuous-v0": mountainCar(0.45, action => Math.max(-1, Math.min(1, action))),
  "Pendulum-v1": pendulum,
  "Acrobot-v1": acrobot,
  "GridWorld": gridWorld,
};

const last = replay.actions.length;
const returns = replay.rewards.reduce((sums, reward) => [...sums, sums[sums.length - 1] + reward], [0]);
const draw = () => {
  const step = Number(slider.value), ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.lineCap = "round";
  context.lineJoin = "round";
  drawings[replay.environment](replay.observations[step], replay.actions[step]);
  document.getElementById("replay-step").textContent =
    `step ${step}, return ${nabla.formats.plain(returns[step])}`;
};
let playing = null;
const stop = () => { cancelAnimationFrame(playing); playing = null; button.textContent = "Play"; };
const play = () => {
  if (Number(slider.value) >= last) slider.value = 0;
  button.textContent = "Pause";
  const start = performance.now() - Number(slider.value) * replay.secondsPerStep * 1000;
  const frame = now => {
    slider.value = Math.min(last, Math.max(0, Math.floor((now - start) / 1000 / replay.secondsPerStep)));
    draw();
    if (Number(slider.value) >= last) stop(); else playing = requestAnimationFrame(frame);
  };
  playing = requestAnimationFrame(frame);
};
if (drawings[replay.environment]) {
  slider.value = Math.floor(last / 3);
  button.addEventListener("click", () => { if (playing) stop(); else play(); });
  slider.addEventListener("input", () => { if (playing) stop(); draw(); });
  nabla.onTheme(draw);
} else {
  document.getElementById("replay").hidden = true;
}
