// Step 6: scaling laws.
export { fit } from "./fit.js";
export { budget } from "./plane.js";
export { hand } from "./hand.js";
export { refit } from "./refit.js";
