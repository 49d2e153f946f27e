// Step 2: the transformer.
export { lens } from "./lens.js";
export { ablation } from "./ablation.js";
export { train } from "./train.js";
export { panels } from "./panels.js";
export { cost } from "./cost.js";
