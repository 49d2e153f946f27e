// Step 1: self-attention.
export { attend } from "./attend.js";
export { heads } from "./heads.js";
export { saturation } from "./saturation.js";
export { rotary } from "./rotary.js";
export { cache } from "./cache.js";
export { tiled } from "./tiled.js";
