// Step 5: low-rank adaptation.
export { change } from "./change.js";
export { count } from "./count.js";
export { race } from "./race.js";
export { merge } from "./merge.js";
export { quantize } from "./quantize.js";
