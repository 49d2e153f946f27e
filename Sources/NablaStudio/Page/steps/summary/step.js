// Step 8: summary.
export {};
