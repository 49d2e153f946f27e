// Step 3: diffusion.
export { noise } from "./noise.js";
export { learn } from "./learn.js";
export { samplers, quality } from "./samplers.js";
export { guidance } from "./guidance.js";
export { images } from "./images.js";
