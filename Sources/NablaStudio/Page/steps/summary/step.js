// Step 8: the equations to keep, and what was computed.
export { sheet } from "./sheet.js";
export { visit } from "./visit.js";
