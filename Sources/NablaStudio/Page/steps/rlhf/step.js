// Step 4: learning from preferences.
export { judge } from "./judge.js";
export { hack } from "./hack.js";
export { preference } from "./dpo.js";
export { clip, group, leash } from "./objectives.js";
export { balance } from "./balance.js";
