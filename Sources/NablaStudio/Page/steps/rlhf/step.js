// Step 4: learning from preferences.
export { preference, clip, group, leash } from "./objectives.js";
export { balance } from "./balance.js";
